"""The database as commands open it. It is imported where a command needs it: `serve` only becomes another process, and
should do so at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.commands.output import refuse

if TYPE_CHECKING:
    from db.engine import Database


@contextmanager
def opened_database(as_json: bool = False) -> "Iterator[Database]":
    """The database of the settings, as it stands; exit code 1 where its directory cannot be used."""
    from db.engine import Database
    from db.settings import ServiceSettings

    try:
        database = Database(ServiceSettings())
    except OSError as error:
        refuse(f"The data directory cannot be used: {error}", as_json)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def migrated_database(as_json: bool = False) -> "Iterator[Database]":
    """The database of the settings at the current schema; exit code 1 where it is not there."""
    from db.migrate import schema_is_current

    with opened_database(as_json) as database:
        if not schema_is_current(database):
            refuse("The database is not at the current schema: run 'riskscope migrate' first.", as_json)
        yield database
