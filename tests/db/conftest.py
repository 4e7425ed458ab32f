"""A service to be backed up, and an empty place for it, on either database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from saved_service import Service, service_to_save
from sqlalchemy import text

from db.engine import Database
from db.settings import ServiceSettings


@pytest.fixture
def service(storage_settings: ServiceSettings, database: Database) -> Service:
    """In a store of its own."""
    return service_to_save(storage_settings, database)


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Iterator[ServiceSettings]:
    """Another empty place for the same kind of database."""
    url = service.settings.database_url
    if not url:
        yield ServiceSettings(data_directory=tmp_path / "elsewhere")
        return
    name = service.database.engine.url.database
    with service.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}_2"))
    yield ServiceSettings(data_directory=tmp_path / "elsewhere", database_url=f"{url}_2")
    with service.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}_2 WITH (FORCE)"))
