"""The service as real processes that a test may kill, and a client of it."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fault_places import EmbeddedPlace, Place, ServersPlace
from own_services import SharedPostgres


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """One with a short name: a socket of the broker lies in it."""
    with tempfile.TemporaryDirectory(prefix="riskscope-") as directory:
        yield Path(directory)


@pytest.fixture(params=["embedded", pytest.param("servers", marks=pytest.mark.services)])
def place(request: pytest.FixtureRequest, short_directory: Path) -> Iterator[Place]:
    """The service with two workers: `riskscope serve` on SQLite, or servers over PostgreSQL and a broker."""
    if request.param == "embedded":
        place: Place = EmbeddedPlace(short_directory)
    else:
        place = request.getfixturevalue("servers")()
    try:
        yield place
    finally:
        place.close()


@pytest.fixture
def servers(short_directory: Path, postgres_url: str) -> Callable[..., ServersPlace]:
    """Starts the servers; the caller ends them."""

    def start(**options: Any) -> ServersPlace:
        return ServersPlace(short_directory, SharedPostgres(postgres_url), **options)

    return start


@pytest.fixture
def client(place: Place) -> Iterator[httpx.Client]:
    """Of the service."""
    with httpx.Client(base_url=place.url, timeout=60, trust_env=False) as client:
        yield client
