"""A backup of the whole service while it runs: the database, every file that its rows name, the secret of the keys.

The database comes first. A file is whole before its row is committed and never changes afterwards, so every row of the
dump has its file; unless that row and file are deleted before the file is copied. Then the dump is taken again, which
takes seconds, because the files are there by now.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select, table, text

from db.artefact_store import SCHEME, ArtefactStore
from db.dump import dump_file, dumped
from db.engine import Database
from db.key_secret import FILE as KEY_SECRET
from db.manifest import BackupError, FileDigest, Manifest, digest_of
from db.settings import ServiceSettings

ARTEFACTS = "artefacts"
DUMPS = 5
"""How often the database is dumped at most, while files keep vanishing before they are copied."""


@dataclass(frozen=True)
class _Contents:
    """What a dump holds. `files`: the digest that a row keeps of its file, by URI; None where it keeps none.
    `active`: jobs that wait or run, and may have a checkpoint."""

    revision: str
    rows: dict[str, int]
    files: dict[str, str | None]
    active: list[str]


def back_up(settings: ServiceSettings, target: Path) -> Manifest:
    """Write a backup into the directory `target`; it is one when its manifest is there, which comes last.

    Raises:
        BackupError: `target` is not empty, the database has no schema, or a program is missing or failed.
        OSError: a file cannot be read or written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} exists already and is not an empty directory.")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings)
    try:
        manifest = _written(database, settings, target)
        manifest.write(target)
    except BaseException:
        # The directory itself stays: it may be a mounted one.
        for path in target.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise
    finally:
        database.close()
    return manifest


def _written(database: Database, settings: ServiceSettings, target: Path) -> Manifest:
    store = ArtefactStore(settings.artefact_directory)
    copied: dict[str, FileDigest] = {}
    dump = target / dump_file(database)
    for _ in range(DUMPS):
        dump.unlink(missing_ok=True)
        with dumped(database, dump) as connection:
            contents = _contents(connection)
        missing = _copy(store, target / ARTEFACTS, contents.files, copied)
        if not missing:
            break
    # Checked by whoever goes on from one; without it, or with half of one, the attempt begins anew.
    checkpoints = [SCHEME + store.checkpoint(job).relative_to(store.root).as_posix() for job in contents.active]
    kept = contents.files | dict.fromkeys(checkpoints)
    _copy(store, target / ARTEFACTS, kept, copied)
    for uri in copied.keys() - kept.keys():
        del copied[uri]
        (target / _path(uri)).unlink()
    files = {dump.name: digest_of(dump)} | {_path(uri): digest for uri, digest in sorted(copied.items())}
    secret = settings.data_directory.resolve() / KEY_SECRET
    kind = "environment" if settings.key_secret is not None else "file" if secret.is_file() else "none"
    if kind == "file":
        shutil.copyfile(secret, target / KEY_SECRET)
        (target / KEY_SECRET).chmod(0o600)
        files[KEY_SECRET] = digest_of(target / KEY_SECRET)
    return Manifest(
        version=version("riskscope"),
        created_at=datetime.now(UTC),
        database="sqlite" if database.is_sqlite else "postgresql",
        schema_revision=contents.revision,
        key_secret=kind,
        rows=contents.rows,
        files=files,
        missing=sorted(missing),
        damaged=sorted(uri for uri, digest in copied.items() if kept[uri] not in (None, digest.sha256)),
    )


def _copy(
    store: ArtefactStore, directory: Path, wanted: dict[str, str | None], copied: dict[str, FileDigest]
) -> list[str]:
    """Copy what is not copied yet; URIs of what is not there."""
    missing = []
    for uri in wanted.keys() - copied.keys():
        destination = directory / uri.removeprefix(SCHEME)
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(store.path(uri), destination)
        except FileNotFoundError:
            missing.append(uri)
            continue
        copied[uri] = digest_of(destination)
    return missing


def _path(uri: str) -> str:
    return f"{ARTEFACTS}/{uri.removeprefix(SCHEME)}"


def _contents(connection: Connection) -> _Contents:
    """In the words of every revision so far: an older schema is backed up before it is migrated, too."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        raise BackupError("The database has no schema yet: there is nothing to back up.")
    names = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
    rows = {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in sorted(names)}
    files: dict[str, str | None] = dict.fromkeys(connection.scalars(text("SELECT uri FROM datasets")))
    for by_role in connection.scalars(text("SELECT files FROM learned_models")):
        files |= _digests(_decoded(by_role))
    # Of the results only those that name a file: the others may be long, and many.
    for found in connection.scalars(text("SELECT result FROM jobs WHERE CAST(result AS TEXT) LIKE '%artefact:%'")):
        result = _decoded(found)
        files |= _digests(result.get("files", {}))
        if "file" in result:
            files[result["file"]] = None
    active = connection.scalars(text("SELECT id FROM jobs WHERE status IN ('queued', 'running')"))
    return _Contents(revision, rows, files, list(active))


def _decoded(value: Any) -> dict[str, Any]:
    """SQLite hands JSON over as text."""
    return json.loads(value) if isinstance(value, str) else value


def _digests(by_role: dict[str, Any]) -> dict[str, str | None]:
    return {file["uri"]: file["sha256"] for file in by_role.values()}
