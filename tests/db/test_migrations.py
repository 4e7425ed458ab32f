"""The schema that migrations build is the schema that the tables declare."""

import threading
from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import db.tables  # noqa: F401
from db.base import Base
from db.engine import Database
from db.migrate import migrate, schema_is_current
from db.settings import ServiceSettings


def test_migrated_schema_equals_the_declared_one(
    unmigrated_settings: ServiceSettings, open_database: Callable[[ServiceSettings], Database]
) -> None:
    with open_database(unmigrated_settings).engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_parallel_migrations_all_succeed(unmigrated_settings: ServiceSettings) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        own = Database(unmigrated_settings)
        try:
            migrate(own)
            assert schema_is_current(own)
        except BaseException as error:
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_empty_database_is_not_current(unmigrated_settings: ServiceSettings) -> None:
    database = Database(unmigrated_settings)
    try:
        assert not schema_is_current(database)
    finally:
        database.close()


def test_migrating_twice_changes_nothing(
    unmigrated_settings: ServiceSettings, open_database: Callable[[ServiceSettings], Database]
) -> None:
    migrate(open_database(unmigrated_settings))
