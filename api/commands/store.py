"""The database as commands open it, and the way they refuse. The database is imported where a command needs it: `serve`
only becomes another process, and should do so at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from db.engine import Database


def refuse(message: str) -> NoReturn:
    """Say why on standard error, and end with exit code 1."""
    typer.echo(message, err=True)
    raise typer.Exit(1)


@contextmanager
def opened_database() -> "Iterator[Database]":
    """The database of the settings, as it stands; exit code 1 where its directory cannot be used."""
    from db.engine import Database
    from db.settings import ServiceSettings

    try:
        database = Database(ServiceSettings())
    except OSError as error:
        refuse(f"The data directory cannot be used: {error}")
    try:
        yield database
    finally:
        database.close()


@contextmanager
def migrated_database() -> "Iterator[Database]":
    """The database of the settings at the current schema; exit code 1 where it is not there."""
    from db.migrate import schema_is_current

    with opened_database() as database:
        if not schema_is_current(database):
            refuse("The database is not at the current schema: run 'riskscope migrate' first.")
        yield database
