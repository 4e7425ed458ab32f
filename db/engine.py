"""Engine and unit of work: the one place that commits."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session, sessionmaker

from db.settings import ServiceSettings

UNREACHABLE = (OperationalError, InterfaceError, NoConnectionLeft)
"""Raised where the database does not answer, or not in time: the same transaction may succeed a little later."""

_LIVE_CONNECTIONS = {
    "connect_timeout": 5,
    # A host that is gone says nothing: without these a statement waits a quarter of an hour for its answer.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def _write_json(value: Any) -> str:
    # NaN has no place in a row, and infinity arrives here as "inf" already. Unescaped, because SQLite compares the
    # keys of a JSON path with the text as it is stored.
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _read_jsonb(text: str | bytes) -> Any:
    # PostgreSQL keeps numbers as decimals and writes 1e25 as twenty-six digits: a float, as whoever wrote it meant.
    return json.loads(text, parse_int=_number_of)


def _number_of(digits: str) -> int | float:
    number = int(digits)
    return number if abs(number) < 2**63 else float(digits)


class Database:
    """A database and its two kinds of transaction. Built by a composition root, closed by it."""

    def __init__(self, settings: ServiceSettings) -> None:
        url = settings.effective_database_url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            settings.data_directory.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(
                url, json_serializer=_write_json, hide_parameters=True, connect_args={"timeout": 30}
            )
            _speak_sqlite_properly(self.engine)
        else:
            self.engine = create_engine(
                url,
                json_serializer=_write_json,
                json_deserializer=_read_jsonb,
                # An error's text goes to the logs, and a statement's parameters are a client's data.
                hide_parameters=True,
                pool_pre_ping=True,
                pool_size=settings.database_pool_size,
                max_overflow=settings.database_pool_size,
                connect_args=_LIVE_CONNECTIONS,
            )
        self._writing = sessionmaker(self.engine.execution_options(sqlite_begin="IMMEDIATE"), expire_on_commit=False)
        self._reading = sessionmaker(self.engine.execution_options(sqlite_begin="DEFERRED"), expire_on_commit=False)

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        """A writing transaction: commits at the end, rolls back on any exception."""
        with self._writing.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A reading transaction; what is written in it is rolled back."""
        with self._reading() as session:
            yield session

    def close(self) -> None:
        """Return every connection."""
        self.engine.dispose()


def _speak_sqlite_properly(engine: Engine) -> None:
    """WAL, and a BEGIN of our own.

    A DEFERRED transaction that reads and then writes fails at once when another wrote in between, whatever the busy
    timeout; IMMEDIATE takes the write lock first and waits for it.
    """

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")


def sqlite_file(settings: ServiceSettings) -> Path | None:
    """The SQLite file of these settings, or None."""
    url = settings.effective_database_url
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
