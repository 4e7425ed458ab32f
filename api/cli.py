"""`riskscope`: one command for every process of the service. The worker's processes are run, not imported."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

# The database is imported where a command needs it: `serve` only becomes another process, and should do so at once.
if TYPE_CHECKING:
    from db.engine import Database

app = typer.Typer(
    name="riskscope",
    help="Learn models over HTTP, and see where the error comes from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys")


@contextmanager
def _database() -> "Iterator[Database]":
    from db.engine import Database
    from db.settings import ServiceSettings

    try:
        database = Database(ServiceSettings())
    except OSError as error:
        _fail(f"The data directory cannot be used: {error}")
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _migrated_database() -> "Iterator[Database]":
    from db.migrate import schema_is_current

    with _database() as database:
        if not schema_is_current(database):
            _fail("The database is not at the current schema: run 'riskscope migrate' first.")
        yield database


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


def _become(module: str, *arguments: str) -> None:
    """Replace this process, so that signals and the exit code are the module's own."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to bind; anything but loopback needs an API key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8000,
    data_directory: Annotated[Path, typer.Option(help="Database, broker file and artefacts.")] = Path(".riskscope"),
    slots: Annotated[int, typer.Option(min=1, help="Jobs that run at the same time.")] = 1,
) -> None:
    """Run everything on this machine: database, broker, worker and API. Ctrl-C stops it."""
    _become(
        "worker.supervisor",
        f"--host={host}",
        f"--port={port}",
        f"--data-directory={data_directory}",
        f"--slots={slots}",
    )


@app.command()
def api() -> None:
    """Run the API alone (RISKSCOPE_HOST, RISKSCOPE_PORT, RISKSCOPE_DATABASE_URL, RISKSCOPE_BROKER_URL)."""
    _become("api")


@app.command()
def worker() -> None:
    """Run a worker alone (RISKSCOPE_DATABASE_URL, RISKSCOPE_BROKER_URL, RISKSCOPE_SLOTS, RISKSCOPE_DEVICE)."""
    _become("worker")


@app.command()
def migrate() -> None:
    """Bring the database to the current schema; safe to run from several machines at once."""
    from db.migrate import migrate as migrate_database

    with _database() as database:
        migrate_database(database)
    typer.echo("The database is at the current schema.")


@app.command()
def openapi() -> None:
    """Print the OpenAPI document; no database is opened."""
    # Imported here: the application loads torch, which no other command needs.
    from api.main import create_app
    from api.openapi import document_text, openapi_document
    from api.settings import ApiSettings

    typer.echo(document_text(openapi_document(create_app(ApiSettings()))), nl=False)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("must not be empty")
    return value


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What the key is for.", callback=_not_empty)],
    owner: Annotated[str, typer.Option(help="Whose jobs, datasets and models it sees.")] = "local",
    scope: Annotated[list[str] | None, typer.Option(help="One or more of read, submit, predict, admin.")] = None,
) -> None:
    """Make a key and print its secret, once."""
    from db.key_secret import key_secret
    from db.repositories.api_keys import SCOPES, ApiKeys
    from db.settings import ServiceSettings

    scopes = scope or ["read", "submit", "predict"]
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise typer.BadParameter(f"unknown scope {unknown[0]!r}; known: {', '.join(SCOPES)}", param_hint="--scope")
    with _migrated_database() as database, database.unit_of_work() as session:
        key, secret = ApiKeys(session).create(owner, name, scopes, key_secret(ServiceSettings()))
    typer.echo(f"{key.id}\n{secret}")
    typer.echo("From now on every request needs a key, on loopback too.", err=True)


@keys.command("list")
def list_keys() -> None:
    """Print the live keys, without their secrets."""
    from db.repositories.api_keys import ApiKeys

    with _migrated_database() as database, database.reading() as session:
        for key in ApiKeys(session).live():
            typer.echo(f"{key.id}\t{key.owner}\t{key.name}\t{','.join(key.scopes)}\t{key.created_at.isoformat()}")


@keys.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument()]) -> None:
    """End a key."""
    from db.repositories.api_keys import ApiKeys

    with _migrated_database() as database, database.unit_of_work() as session:
        found = ApiKeys(session).revoke(key_id)
    if not found:
        _fail(f"There is no live key {key_id}.")


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
