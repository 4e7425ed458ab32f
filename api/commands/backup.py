"""A backup of the service, and a service from a backup."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.output import Json, refuse, tell

if TYPE_CHECKING:
    from db.manifest import Manifest

commands = typer.Typer()

_DataDirectory = Annotated[
    Path | None, typer.Option(help="Of the service; else RISKSCOPE_DATA_DIRECTORY. The database is the settings' own.")
]


@commands.command()
def backup(
    target: Annotated[Path, typer.Argument(help="A directory that is not there yet, or is empty.")],
    data_directory: _DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Write database, artefacts and key secret into a directory; the service may run meanwhile.

    Whoever reads the directory can read everything that the service holds.
    """
    from db.backup import back_up
    from db.manifest import BackupError
    from db.settings import ServiceSettings

    settings = ServiceSettings() if data_directory is None else ServiceSettings(data_directory=data_directory)
    try:
        manifest = back_up(settings, target)
    except (BackupError, OSError) as error:
        refuse(f"Not backed up: {error}", as_json)
    tell(f"Backed up {_told(manifest)} to {target}.", _document(manifest), as_json)
    if not as_json and manifest.key_secret == "environment":  # noqa: S105  a word, not a secret
        typer.echo("RISKSCOPE_KEY_SECRET is of the environment and not in it: without it no API key works.", err=True)
    for words, uris in (("is missing", manifest.missing), ("is not as its row says", manifest.damaged)):
        for uri in () if as_json else uris:
            typer.echo(f"{uri} {words}, in the service as in the backup.", err=True)
    if manifest.missing or manifest.damaged:
        raise typer.Exit(1)


@commands.command()
def restore(
    source: Annotated[Path, typer.Argument(help="The directory of a backup.")],
    data_directory: _DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Bring a backup to an empty data directory and an empty database; start the service afterwards."""
    from db.manifest import BackupError
    from db.restore import restore as restore_service
    from db.settings import ServiceSettings

    settings = ServiceSettings() if data_directory is None else ServiceSettings(data_directory=data_directory)
    try:
        manifest = restore_service(settings, source)
    except (BackupError, OSError) as error:
        refuse(f"Not restored: {error}", as_json)
    tell(f"Restored {_told(manifest)} to {settings.data_directory.resolve()}.", _document(manifest), as_json)
    if not as_json and manifest.key_secret == "environment":  # noqa: S105  a word, not a secret
        typer.echo("Set RISKSCOPE_KEY_SECRET as it was: without it no API key works.", err=True)


def _document(manifest: "Manifest") -> dict[str, Any]:
    return manifest.model_dump(mode="json", exclude={"files"}) | {"files": len(manifest.files)}


def _told(manifest: "Manifest") -> str:
    counts = {"jobs": "jobs", "datasets": "datasets", "learned_models": "models"}
    parts = [f"{manifest.rows.get(name, 0)} {word}" for name, word in counts.items()]
    size = sum(file.size_bytes for file in manifest.files.values())
    return f"{', '.join(parts)} ({size / 1e6:.1f} MB, schema {manifest.schema_revision})"
