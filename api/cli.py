"""`riskscope`: one command for every process of the service."""

import typer

from api.commands import backup, keys, processes, schemas

app = typer.Typer(
    name="riskscope",
    help="Learn models over HTTP, and see where the error comes from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (processes, backup, schemas, keys):
    app.add_typer(group.commands)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
