"""The client before the application, and before answers that a test makes up."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
import structlog.testing
from client_jobs import SPEC, finish
from served_planes import register_linear
from typer.testing import CliRunner, Result

from api.cli import app as app_of_commands
from api.client import RiskscopeClient
from api.client.documents.jobs import JobLinks
from db.settings import ServiceSettings


@pytest.fixture
def storage_settings(tmp_path):
    """One database is enough: the client does not see it."""
    return ServiceSettings(data_directory=tmp_path / "data", database_url="")


@pytest.fixture
def riskscope(client):
    """A client of the running application."""
    return RiskscopeClient(http_client=client)


@pytest.fixture
def riskscope_live(address):
    """A client over a socket, where answers come as they are written."""
    with RiskscopeClient(f"http://{address}") as client:
        yield client


@pytest.fixture
def job(riskscope):
    """A queued job."""
    return riskscope.submit(SPEC)


@pytest.fixture
def job_live(riskscope_live):
    """A queued job, over a socket."""
    return riskscope_live.submit(SPEC)


@pytest.fixture(name="finish")
def finish_(services):
    """Plays the worker."""
    return partial(finish, services)


@pytest.fixture
def finish_live(app, address):
    """Plays the worker of the application behind `address`."""
    return partial(finish, app.state.services)


@pytest.fixture
def register(services):
    """Registers planes as learned models."""
    return partial(register_linear, services)


@pytest.fixture
def in_background() -> Iterator[Callable[..., None]]:
    """Runs a function beside the test; joined at the end."""
    threads: list[threading.Thread] = []

    def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        threads.append(threading.Thread(target=function, args=args, kwargs=kwargs))
        threads[-1].start()

    yield run
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


class Answers:
    """Gives the answers it was told, one for each request, the last for ever; an exception is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def job_document() -> Callable[..., dict[str, Any]]:
    """A job as the service would answer it."""
    times = {"created_at": "2026-01-01T00:00:00Z", "started_at": None, "finished_at": None, "cancel_requested_at": None}
    links = dict.fromkeys(JobLinks.model_fields, "/")
    fixed = {"id": "job_1", "object": "job", "kind": "fit", "spec": {}, "priority": 0, "progress": None, "attempt": 0}
    fixed |= times | {"metadata": {}, "model_ids": [], "webhook": None, "links": links}
    return lambda status="queued", error=None: {**fixed, "status": status, "error": error}


@pytest.fixture
def scripted(monkeypatch) -> Callable[..., tuple[RiskscopeClient, Answers, list[float]]]:
    """A client of scripted answers, the requests it sends, and the seconds it would have waited between them."""

    def made(*answers: httpx.Response | Exception, **options: Any) -> tuple[RiskscopeClient, Answers, list[float]]:
        script, waited = Answers(*answers), []
        monkeypatch.setattr("api.client.client.sleep", waited.append)
        return RiskscopeClient("http://service", transport=httpx.MockTransport(script), **options), script, waited

    return made


@pytest.fixture
def register_live(app, address):
    """Registers planes with the application behind `address`."""
    return partial(register_linear, app.state.services)


@pytest.fixture
def run(address):
    """Runs `riskscope` with these arguments against the application."""
    environment = {"RISKSCOPE_URL": f"http://{address}", "RISKSCOPE_API_KEY": ""}

    def ran(*arguments: object, **options: Any) -> Result:
        return CliRunner().invoke(app_of_commands, [str(each) for each in arguments], env=environment, **options)

    # The service is a thread of this process: its log lines would stand among what the command prints.
    with structlog.testing.capture_logs():
        yield ran
