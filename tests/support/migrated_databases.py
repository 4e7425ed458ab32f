"""Migrated databases without rows: migrated once in a session, and emptied or copied for each test."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

import db.tables  # noqa: F401
from db.base import Base
from db.engine import Database, sqlite_file
from db.migrate import migrate
from db.settings import ServiceSettings

_SCHEMA = """
SELECT string_agg(word, '|' ORDER BY word) FROM (
    SELECT concat_ws(' ', relkind, relname, attname, format_type(atttypid, atttypmod), attnotnull) AS word
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0
    UNION ALL
    SELECT concat_ws(' ', conrelid::regclass, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT version_num FROM alembic_version
) words
"""
"""Every table, column, constraint and index, and the revision."""

_LEAVE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


def _new_name() -> str:
    return f"riskscope_test_{secrets.token_hex(6)}"


@contextmanager
def new_postgres_database(server: str) -> Iterator[str]:
    """URL of a database as CREATE DATABASE makes it, dropped afterwards."""
    name = _new_name()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield _url(server, name)
    _drop(server, name)


def _url(server: str, name: str) -> str:
    return server.rsplit("/", 1)[0] + "/" + name


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


class MigratedPostgres:
    """One database for one test after another.

    To a test it is as good as new: it comes under a name that no earlier test knew, so that nothing left over from one
    reaches it; every connection to it has been ended; its schema is compared with what the migrations made, and a
    database that a test has altered is dropped and made again; its rows are gone and its counters start anew.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._name: str | None = None
        self._schema = ""

    def take(self) -> str:
        """URL of the database, migrated and without rows, until the next call."""
        if self._name is None or not self._emptied():
            self.close()
            self._make()
        assert self._name is not None
        return _url(self._server, self._name)

    def close(self) -> None:
        """Drop it."""
        if self._name is not None:
            _drop(self._server, self._name)
            self._name = None

    def _make(self) -> None:
        self._name = _new_name()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._name)))
        database = Database(ServiceSettings(database_url=_url(self._server, self._name)))
        migrate(database)
        database.close()
        with psycopg.connect(_url(self._server, self._name)) as connection:
            self._schema = _schema(connection)

    def _emptied(self) -> bool:
        """Whether it could be given a new name and emptied, and has the schema that it was made with."""
        name = _new_name()
        try:
            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute(_LEAVE, [self._name])
                rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                connection.execute(rename.format(sql.Identifier(self._name), sql.Identifier(name)))
            self._name = name
            with psycopg.connect(_url(self._server, name)) as connection:
                if _schema(connection) != self._schema:
                    return False
                connection.execute("SET LOCAL synchronous_commit = off")
                for table in reversed(Base.metadata.sorted_tables):
                    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
                connection.execute("ALTER SEQUENCE job_events_id_seq RESTART")
        except psycopg.Error:
            # Somebody came back before the name had changed, or a table is gone: a new one is always right.
            return False
        return True


def _schema(connection: psycopg.Connection) -> str:
    row = connection.execute(_SCHEMA).fetchone()
    assert row is not None
    return row[0]


class MigratedSqlite:
    """A migrated file, to be copied."""

    def __init__(self, directory: Path) -> None:
        settings = ServiceSettings(data_directory=directory, database_url="")
        database = Database(settings)
        migrate(database)
        database.close()
        file = sqlite_file(settings)
        assert file is not None
        self._file = file

    def copy_to(self, settings: ServiceSettings) -> bool:
        """Whether these settings name a file of SQLite; it is there afterwards, and was not before."""
        file = sqlite_file(settings)
        if file is None or file.exists():
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._file, file)
        return True
