"""What commands print: results on standard output, everything else on standard error; JSON where it is asked for."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typer

from api.commands.exit_codes import ExitCode

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output, and errors as JSON on standard error.")
]

_WIDTH_OF_A_PIPE = 200


def refuse(message: str, as_json: bool = False, code: ExitCode = ExitCode.FAILED, **details: Any) -> NoReturn:
    """Say why on standard error, and end. `details` are shown in JSON only."""
    typer.echo(error_text(message, code, **details) if as_json else message, err=True)
    raise typer.Exit(code)


def error_text(message: str, code: int, **details: Any) -> str:
    """An error as a line of JSON."""
    return json.dumps({"error": {"message": message, "exit_code": int(code), **details}})


def tell(text: str, document: Any, as_json: bool) -> None:
    """A result: words, or its document."""
    typer.echo(json.dumps(document, allow_nan=False) if as_json else text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows for the eye; what is None is left empty."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else _shown(cell) for cell in row))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        # What reads a pipe has no width: nothing shall be folded there.
        console.width = max(_WIDTH_OF_A_PIPE, console.measure(table).maximum)
    console.print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """One thing: a line for each of its fields."""
    width = max(map(len, fields))
    for name, value in fields.items():
        typer.echo(f"{name:<{width}}  {'' if value is None else _shown(value)}")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
