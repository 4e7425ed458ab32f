"""`riskscope`: one command for every process of the service, and for everything that the service answers."""

import sys

import typer

from api.commands import backup, datasets, decompositions, jobs, keys, models, processes, schemas
from api.commands.output import error_text

app = typer.Typer(
    name="riskscope",
    help="Learn models over HTTP, and see where the error comes from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (processes, jobs, decompositions, datasets, models, keys, schemas, backup):
    app.add_typer(group.commands)


def main() -> None:
    """The console script. Wrong usage is told in JSON, too, where that is asked for."""
    if "--json" not in sys.argv:
        app()
        return
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        typer.echo(error_text(error.format_message(), error.exit_code), err=True)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
