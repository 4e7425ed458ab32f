"""An application over an empty store, with a doorbell that remembers what it was rung for."""

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

with warnings.catch_warnings():
    # Starlette would rather have a fork of httpx; the client is the same.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

from api.dependencies import Services
from api.large_bodies import large_bodies
from api.main import create_app
from api.settings import ApiSettings
from db.engine import Database
from db.settings import ServiceSettings


class RecordingDoorbell:
    """The interface of Doorbell without a broker; `answers` False is a broker that is down."""

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.answers = True

    def ring(self, job_id: str) -> bool:
        self.rung.append(job_id)
        return self.answers

    def reachable(self) -> bool:
        return self.answers

    def close(self) -> None:
        pass


@pytest.fixture
def doorbell() -> RecordingDoorbell:
    return RecordingDoorbell()


@pytest.fixture
def api_settings(storage_settings: ServiceSettings) -> ApiSettings:
    """Small caps, so that tests meet them cheaply."""
    return ApiSettings(
        data_directory=storage_settings.data_directory,
        database_url=storage_settings.database_url,
        max_upload_bytes=4 * 2**20,
        max_body_bytes=2**20,
        max_dataset_rows=10_000,
        max_dataset_columns=100,
        max_wait_seconds=3,
        max_queued_jobs=50,
        max_job_memory_bytes=2**32,
        spare_reading_process=False,
    )


@pytest.fixture
def app(api_settings: ApiSettings, database: Database, doorbell: RecordingDoorbell) -> FastAPI:
    """The application over a migrated database; its lifespan starts with `client`."""
    return create_app(api_settings, doorbell=doorbell)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """An HTTP client of the running application; an unhandled exception fails the test."""
    with TestClient(app) as client:
        yield client


@pytest.fixture
def services(app: FastAPI, client: TestClient) -> Services:
    """What the running application is built of."""
    return app.state.services


@pytest.fixture
def address(app: FastAPI, api_settings: ApiSettings) -> Iterator[str]:
    """Where the application listens: a free port of loopback, for the length of a test."""
    http = large_bodies(api_settings.max_body_bytes)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, http=http, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"{host}:{port}"
    server.should_exit = True
    thread.join(timeout=30)
    assert not thread.is_alive()


def _estimate(value: float | str, standard_error: float | None = 0.0) -> dict[str, Any]:
    return {"value": value, "standard_error": standard_error, "method": "monte_carlo"}


@pytest.fixture(scope="session")
def cell() -> Callable[[int, int, float | str], dict[str, Any]]:
    """A cell of a decomposition as a job stores it, by width, sample size and trained risk."""

    def made(width: int, sample_size: int, trained: float | str) -> dict[str, Any]:
        return {
            "hypothesis_space": {"kind": "random_features", "width": width},
            "learner": {"kind": "ridge"},
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 3, "noise": 0.1},
            "dimension": 3,
            "width": width,
            "sample_size": sample_size,
            "seeds": 2,
            "squared_norms": dict.fromkeys(("approximation", "estimation", "optimization", "total"), _estimate(0.1)),
            "gram": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, "inf"]],
            "risks": dict.fromkeys(
                ("noise", "best_in_space", "best_on_sample", "trained_empirical"), _estimate(0.2, None)
            )
            | {"trained": _estimate(trained)},
            "risk_terms": dict.fromkeys(("approximation", "estimation", "optimization"), _estimate(-0.1)),
            "generalization_gap": _estimate(0.3),
            "advice": {
                "buy": "data",
                "because": "estimation is the largest",
                "expected": {
                    remedy: {
                        "change": "twice",
                        "width": 1,
                        "sample_size": 1,
                        "method": "measured",
                        "risk": {"value": 0.4, "lower": 0.3, "upper": 0.5},
                        "saving": {"value": 0.1, "lower": 0.0, "upper": 0.2},
                    }
                    for remedy in ("data", "width", "training")
                },
            },
        }

    return made
