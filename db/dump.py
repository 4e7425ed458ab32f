"""The database as one file and back: SQLite by its own online copy, PostgreSQL by pg_dump and pg_restore."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import make_url

from db.engine import Database
from db.manifest import BackupError

SQLITE_FILE = "database.sqlite3"
POSTGRESQL_FILE = "database.dump"


def dump_file(database: Database) -> str:
    """The name of its dump in a backup."""
    return SQLITE_FILE if database.is_sqlite else POSTGRESQL_FILE


@contextmanager
def dumped(database: Database, target: Path) -> Iterator[Connection]:
    """Write the database into the file `target` while others write to it; the connection sees exactly what is in it.

    Raises:
        BackupError: there is no pg_dump, or it failed.
    """
    if database.is_sqlite:
        _copy_sqlite(_sqlite_path(database), target)
        engine = create_engine(f"sqlite:///{target}")
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()
        return
    # One snapshot for the dump and for what is asked beside it.
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        _run(database, "pg_dump", f"--snapshot={snapshot}", "--format=custom", f"--file={target}")
        yield connection


def load(database: Database, source: Path) -> None:
    """Fill an empty database from a dump: whole or not at all.

    Raises:
        BackupError: there is no pg_restore, or it failed.
    """
    if not database.is_sqlite:
        _run(database, "pg_restore", "--exit-on-error", "--single-transaction", str(source))
        return
    path = _sqlite_path(database)
    database.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite would take the log of an empty file that stood here for this one's own.
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    draft = path.with_name(f".{path.name}.restoring")
    shutil.copyfile(source, draft)
    draft.chmod(0o600)
    os.replace(draft, path)


def is_empty(database: Database) -> bool:
    """Whether the database has no table."""
    if database.is_sqlite and not _sqlite_path(database).exists():
        return True
    with database.engine.connect() as connection:
        return inspect(connection).get_table_names() == []


def _sqlite_path(database: Database) -> Path:
    name = database.engine.url.database
    if not name or name == ":memory:":
        raise BackupError("A database in memory can be neither backed up nor restored.")
    return Path(name)


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.is_file():
        raise BackupError(f"There is no database {source}.")
    with closing(sqlite3.connect(source, timeout=30)) as live, closing(sqlite3.connect(target)) as copy:
        # All pages in one step: one reading transaction, which in WAL mode keeps no writer waiting.
        live.backup(copy, pages=-1)
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
    target.chmod(0o600)


def _run(database: Database, program: str, *arguments: str) -> None:
    path = shutil.which(program)
    if path is None:
        raise BackupError(
            f"{program} is not on the PATH: install PostgreSQL's client programs of the server's version."
        )
    url = make_url(database.engine.url)
    # Not on the command line, which every process of the machine can read.
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password is not None else {})
    name = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    command = [path, f"--dbname={name}", "--no-owner", "--no-privileges", *arguments]
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if outcome.returncode != 0:
        raise BackupError(f"{program} failed: {outcome.stderr.strip()[-1000:]}")
