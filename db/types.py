"""Instants as integer microseconds since 1970 (UTC), and the database's own clock to set them.

An integer has the same arithmetic on SQLite and PostgreSQL: a lease is `now() + seconds(60)` on both.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement, FunctionElement
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """A point in time: an aware datetime in Python, a BIGINT of microseconds in SQL."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | int | None, dialect: Dialect) -> int | None:
        """Datetimes must be aware; integers are microseconds already (durations in SQL arithmetic)."""
        if isinstance(value, datetime):
            return (value.astimezone(UTC) - _EPOCH) // _MICROSECOND
        return value

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class now(FunctionElement[datetime]):  # noqa: N801  reads as the SQL function it is
    """The database's clock at the moment of the statement, not of the transaction."""

    type = Instant()
    inherit_cache = True


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"


def seconds(duration: float) -> int:
    """A duration as it is added to an Instant in SQL."""
    return round(duration * 1_000_000)


def after(duration: float) -> ColumnElement[datetime]:
    """The database's clock plus `duration` seconds."""
    return now() + seconds(duration)
