"""Shapes are checked while the tests run; numerics use one thread, as in production."""

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from shape_checks import check_shapes_of

# Before any import of models: only what is imported afterwards is checked.
check_shapes_of("models")

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from migrated_databases import MigratedPostgres, MigratedSqlite, new_postgres_database

from db.engine import Database
from db.migrate import migrate
from db.settings import ServiceSettings

DEFAULT_DATABASE_URL = "postgresql://postgres@127.0.0.1:5432/postgres"
DEFAULT_BROKER_URL = "redis://127.0.0.1:6379/0"


def _unavailable(service: str, error: Exception) -> None:
    """Skip with the reason; where REQUIRE_SERVICES=1, a missing service is a failure."""
    reason = f"{service} is not reachable: {error}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """URL of a PostgreSQL where test databases may be created."""
    url = os.environ.get("RISKSCOPE_TEST_DATABASE_URL", DEFAULT_DATABASE_URL)
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        _unavailable("PostgreSQL", error)
    return url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database of its own, dropped afterwards."""
    with new_postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[MigratedPostgres]:
    """A migrated database, emptied for each test."""
    migrated = MigratedPostgres(postgres_server)
    yield migrated
    migrated.close()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> MigratedSqlite:
    """A migrated file, copied for each test."""
    return MigratedSqlite(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="session")
def broker_url() -> str:
    """URL of a Redis; tests use keys of their own prefix."""
    url = os.environ.get("RISKSCOPE_TEST_BROKER_URL", DEFAULT_BROKER_URL)
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError as error:
        _unavailable("Redis", error)
    return url


EACH_DATABASE = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]


@pytest.fixture(params=EACH_DATABASE)
def storage_settings(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceSettings:
    """Settings of a store without rows, once on SQLite and once on PostgreSQL. `database` opens it."""
    url = request.getfixturevalue("migrated_postgres").take() if request.param == "postgresql" else ""
    return ServiceSettings(data_directory=tmp_path / "data", database_url=url)


@pytest.fixture(params=EACH_DATABASE)
def unmigrated_settings(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceSettings:
    """Settings of a store without tables, once on SQLite and once on PostgreSQL."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    return ServiceSettings(data_directory=tmp_path / "data", database_url=url)


@pytest.fixture
def open_database() -> Iterator[Callable[[ServiceSettings], Database]]:
    """Opens and migrates databases, and closes them after the test."""
    opened: list[Database] = []

    def open_(settings: ServiceSettings) -> Database:
        database = Database(settings)
        opened.append(database)
        migrate(database)
        return database

    yield open_
    for database in opened:
        database.close()


@pytest.fixture
def database(storage_settings: ServiceSettings, migrated_sqlite: MigratedSqlite) -> Iterator[Database]:
    """A migrated, empty database."""
    copied = migrated_sqlite.copy_to(storage_settings)
    database = Database(storage_settings)
    if not copied:
        migrate(database)
    yield database
    database.close()
