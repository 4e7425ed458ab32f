"""Graphs small enough to check by hand, registered as learned models."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest
from served_planes import register_linear, store_model

from api.dependencies import Services
from db.tables import LearnedModel
from models.artefacts import ExportedModel


@pytest.fixture
def register_live(app, address) -> "Register":
    """As `register`, with the application behind `address`."""
    return lambda *args, **kwargs: register_linear(app.state.services, *args, **kwargs)


@pytest.fixture
def other_process(api_settings, services) -> Iterator[httpx.Client]:
    """A client of a second API process over the same database and store; the process ends with the test."""
    environment = os.environ | {
        "RISKSCOPE_DATA_DIRECTORY": str(api_settings.data_directory),
        "RISKSCOPE_DATABASE_URL": api_settings.database_url,
        "RISKSCOPE_BROKER_URL": "memory://",
    }
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", "api"]
        environment["RISKSCOPE_SOCKET_FD"] = str(listening.fileno())
        process = subprocess.Popen(command, env=environment, pass_fds=[listening.fileno()])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            # It answers once it has started: the socket listens already.
            client.get("/livez").raise_for_status()
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


Register = Callable[..., LearnedModel]


@pytest.fixture
def register(services: Services) -> Register:
    """Registers planes: `register("name", matrix, shift, ...)` gives the row of the next version."""
    return lambda *args, **kwargs: register_linear(services, *args, **kwargs)


@pytest.fixture
def register_exported(services: Services) -> Callable[[str, ExportedModel], LearnedModel]:
    """Registers what `models.artefacts.export` gives, as a worker does."""
    return lambda name, exported: store_model(
        services, name, exported.manifest, {"graph": exported.graph, "weights": exported.weights}
    )
