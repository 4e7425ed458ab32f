"""A service from its backup, in an empty place: files first, then the database, so that no row ever lacks its file."""

import shutil
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import delete, func, select, table
from sqlalchemy.orm import Session

from db.backup import ARTEFACTS
from db.dump import dump_file, is_empty, load
from db.engine import Database
from db.key_secret import FILE as KEY_SECRET
from db.manifest import BackupError, Manifest, read_manifest, verify
from db.migrate import configuration, migrate
from db.repositories.job_queue import JobQueue
from db.settings import ServiceSettings
from db.tables import Worker


def restore(settings: ServiceSettings, source: Path) -> Manifest:
    """Bring the backup in the directory `source` to where the settings point, at the newest schema.

    Its running jobs are queued again and lose no attempt: their workers are not here.

    Raises:
        BackupError: the backup is damaged, or of a newer schema or of another kind of database; the place is not
            empty; or a program is missing or failed.
        OSError: a file cannot be read or written.
    """
    manifest = read_manifest(source)
    known = {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}
    if manifest.schema_revision not in known:
        raise BackupError(
            f"The backup has schema {manifest.schema_revision} of riskscope {manifest.version}, which this version "
            "does not know: restore it with that version or a newer one."
        )
    verify(source, manifest)
    database = Database(settings)
    try:
        _check_place(settings, database, manifest)
        try:
            _copy_files(settings, source)
            load(database, source / dump_file(database))
        except BaseException:
            _remove_files(settings)
            raise
        _check_rows(database, manifest)
        migrate(database)
        with database.unit_of_work() as session:
            _take_back(session)
    finally:
        database.close()
    return manifest


def _check_place(settings: ServiceSettings, database: Database, manifest: Manifest) -> None:
    kind = "sqlite" if database.is_sqlite else "postgresql"
    if manifest.database != kind:
        raise BackupError(f"The backup is of a {manifest.database} database, and RISKSCOPE_DATABASE_URL is {kind}.")
    if not is_empty(database):
        raise BackupError("The database has tables already: a backup is restored into an empty one.")
    artefacts, secret = settings.artefact_directory, settings.data_directory.resolve() / KEY_SECRET
    if secret.exists() or (artefacts.exists() and any(artefacts.iterdir())):
        raise BackupError(f"{settings.data_directory.resolve()} has files of a service already: name an empty one.")


def _copy_files(settings: ServiceSettings, source: Path) -> None:
    settings.data_directory.mkdir(parents=True, exist_ok=True)
    if (source / ARTEFACTS).is_dir():
        shutil.copytree(source / ARTEFACTS, settings.artefact_directory, dirs_exist_ok=True)
    if (source / KEY_SECRET).is_file():
        secret = settings.data_directory.resolve() / KEY_SECRET
        secret.touch(mode=0o600)
        shutil.copyfile(source / KEY_SECRET, secret)


def _remove_files(settings: ServiceSettings) -> None:
    shutil.rmtree(settings.artefact_directory, ignore_errors=True)
    (settings.data_directory.resolve() / KEY_SECRET).unlink(missing_ok=True)


def _check_rows(database: Database, manifest: Manifest) -> None:
    with database.engine.connect() as connection:
        for name, wanted in manifest.rows.items():
            found = connection.scalar(select(func.count()).select_from(table(name)))
            if found != wanted:
                raise BackupError(f"The restored table {name} has {found} rows, and the manifest says {wanted}.")


def _take_back(session: Session) -> None:
    queue = JobQueue(session)
    for job_id, attempt, _ in queue.held_claims():
        if queue.standing(job_id, attempt).cancel_requested:
            queue.lose(job_id, attempt, "the service was restored from a backup")
        else:
            queue.release(job_id, attempt, "the service was restored from a backup")
    session.execute(delete(Worker))
