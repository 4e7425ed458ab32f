"""API keys, made where the database is: the first key cannot be asked for over HTTP."""

from typing import Annotated

import typer

from api.commands.store import migrated_database, refuse

commands = typer.Typer(name="keys", help="API keys.", no_args_is_help=True)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("must not be empty")
    return value


@commands.command("create")
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
    with migrated_database() as database, database.unit_of_work() as session:
        key, secret = ApiKeys(session).create(owner, name, scopes, key_secret(ServiceSettings()))
    typer.echo(f"{key.id}\n{secret}")
    typer.echo("From now on every request needs a key, on loopback too.", err=True)


@commands.command("list")
def list_keys() -> None:
    """Print the live keys, without their secrets."""
    from db.repositories.api_keys import ApiKeys

    with migrated_database() as database, database.reading() as session:
        for key in ApiKeys(session).live():
            typer.echo(f"{key.id}\t{key.owner}\t{key.name}\t{','.join(key.scopes)}\t{key.created_at.isoformat()}")


@commands.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument()]) -> None:
    """End a key."""
    from db.repositories.api_keys import ApiKeys

    with migrated_database() as database, database.unit_of_work() as session:
        found = ApiKeys(session).revoke(key_id)
    if not found:
        refuse(f"There is no live key {key_id}.")
