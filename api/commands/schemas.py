"""The two schemas: of the database, brought up to date, and of the API, printed."""

import typer

from api.commands.output import Json, tell
from api.commands.store import opened_database

commands = typer.Typer()


@commands.command()
def migrate(as_json: Json = False) -> None:
    """Bring the database to the current schema; safe to run from several machines at once."""
    from db.migrate import migrate as migrate_database

    with opened_database(as_json) as database:
        migrate_database(database)
    tell("The database is at the current schema.", {"schema": "current"}, as_json)


@commands.command()
def openapi() -> None:
    """Print the OpenAPI document; no database is opened."""
    # Imported here: the application loads torch, which no other command needs.
    from api.main import create_app
    from api.openapi import document_text, openapi_document
    from api.settings import ApiSettings

    typer.echo(document_text(openapi_document(create_app(ApiSettings()))), nl=False)
