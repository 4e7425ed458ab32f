"""API keys, made where the database is: the first key cannot be asked for over HTTP."""

import json
from typing import Annotated, Any

import typer

from api.commands.output import Json, refuse, tell
from api.commands.store import migrated_database

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
    as_json: Json = False,
) -> None:
    """Make a key and print its secret, once."""
    from db.key_secret import key_secret
    from db.repositories.api_keys import SCOPES, ApiKeys
    from db.settings import ServiceSettings

    scopes = scope or ["read", "submit", "predict"]
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise typer.BadParameter(f"unknown scope {unknown[0]!r}; known: {', '.join(SCOPES)}", param_hint="--scope")
    with migrated_database(as_json) as database, database.unit_of_work() as session:
        key, secret = ApiKeys(session).create(owner, name, scopes, key_secret(ServiceSettings()))
    document = {"id": key.id, "owner": key.owner, "name": key.name, "scopes": list(key.scopes), "secret": secret}
    tell(f"{key.id}\n{secret}", document, as_json)
    if not as_json:
        typer.echo("From now on every request needs a key, on loopback too.", err=True)


@commands.command("list")
def list_keys(as_json: Json = False) -> None:
    """Print the live keys, without their secrets."""
    from db.repositories.api_keys import ApiKeys

    with migrated_database(as_json) as database, database.reading() as session:
        found: list[dict[str, Any]] = [
            {
                "id": key.id,
                "owner": key.owner,
                "name": key.name,
                "scopes": list(key.scopes),
                "created_at": key.created_at.isoformat(),
            }
            for key in ApiKeys(session).live()
        ]
    if as_json:
        typer.echo(json.dumps(found))
        return
    for each in found:
        typer.echo("\t".join((each["id"], each["owner"], each["name"], ",".join(each["scopes"]), each["created_at"])))


@commands.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument()], as_json: Json = False) -> None:
    """End a key."""
    from db.repositories.api_keys import ApiKeys

    with migrated_database(as_json) as database, database.unit_of_work() as session:
        found = ApiKeys(session).revoke(key_id)
    if not found:
        refuse(f"There is no live key {key_id}.", as_json)
    if as_json:
        typer.echo(json.dumps({"id": key_id, "revoked": True}))
