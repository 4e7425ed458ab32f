"""What every answer carries, what no answer and no log line may hold, and who else may call."""

import io
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from api.dependencies import Services
from api.main import create_app
from api.settings import ApiSettings
from db.engine import Database
from db.logs import configure_logs
from db.settings import ServiceSettings

ADMIN = "an-administrators-very-own-secret"


@pytest.fixture
def storage_settings(tmp_path: Path) -> ServiceSettings:
    """No row is at stake."""
    return ServiceSettings(data_directory=tmp_path / "data")


def test_every_answer_says_that_nothing_may_be_guessed_framed_or_kept(client: TestClient) -> None:
    for path in ("/v1/jobs", "/nothing", "/livez", "/v1/datasets/%00"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "server" not in headers


def test_other_origins_may_not_call_unless_the_settings_name_them(
    client: TestClient, api_settings: ApiSettings, doorbell: Any
) -> None:
    asked = {"Origin": "https://lab.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in client.options("/v1/jobs", headers=asked).headers
    assert "access-control-allow-origin" not in client.get("/v1/jobs", headers=asked).headers
    named = api_settings.model_copy(update={"cors_origins": ["https://lab.example"]})
    with TestClient(create_app(named, doorbell=doorbell)) as other:
        allowed = other.options("/v1/jobs", headers=asked)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://lab.example"
        stranger = other.options("/v1/jobs", headers=asked | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers
        read = other.get("/v1/jobs", headers={"Origin": "https://lab.example"}).headers
        assert read["access-control-allow-origin"] == "https://lab.example"
        assert "access-control-allow-credentials" not in read


@pytest.fixture
def logged() -> Iterator[Any]:
    """Lines of the log as a process writes them, as dictionaries; everything is logged."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logs("DEBUG", "json")
    # A logger that was used before keeps its old form.
    structlog.configure(cache_logger_on_first_use=False)
    written = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_no_secret_is_logged_whatever_goes_wrong(
    api_settings: ApiSettings, database: Database, doorbell: Any, logged: Any
) -> None:
    settings = api_settings.model_copy(update={"admin_key": SecretStr(ADMIN), "key_secret": SecretStr("pepper" * 8)})
    app = create_app(settings, doorbell=doorbell)
    root = {"Authorization": f"Bearer {ADMIN}"}
    with TestClient(app, raise_server_exceptions=False) as client:
        secret = client.post("/v1/api-keys", json={"name": "k", "scopes": ["read", "submit"]}, headers=root).json()[
            "secret"
        ]
        key = {"Authorization": f"Bearer {secret}"}
        assert client.get("/v1/jobs", headers=key).status_code == 200
        assert client.get("/v1/jobs", headers={"Authorization": f"Basic {secret}x"}).status_code == 401
        assert client.get(f"/v1/jobs?kind={ADMIN}", headers=key).status_code == 200
        client.post("/v1/datasets", files={"file": ("t.csv", b"a\nconfidential,1\n")}, headers=key)
        with database.unit_of_work() as session:
            session.execute(text("DROP TABLE api_keys"))
        time.sleep(2.1)
        failed = client.get("/v1/jobs", headers=key)
        assert failed.status_code == 503
    lines = logged()
    whole = json.dumps(lines)
    assert any(line["event"] == "request" for line in lines)
    assert any("no such table" in line.get("exception", "") for line in lines)
    for word in (ADMIN, secret, secret[4:], "pepperpepper", "confidential"):
        assert word not in whole
        assert word not in failed.text
    assert repr(settings).count(ADMIN) == 0


def test_defect_is_logged_with_its_request_and_shown_without_its_reason(
    app: FastAPI, logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("confidential")

    monkeypatch.setattr("api.routes.datasets.Datasets", break_down)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/v1/datasets", headers={"X-Request-ID": "find-me"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == "find-me"
    for word in ("confidential", "ZeroDivision", "Traceback", ".py"):
        assert word not in answer.text
    (line,) = [line for line in logged() if line["event"] == "unhandled_exception"]
    assert line["request_id"] == "find-me"
    assert "ZeroDivisionError" in line["exception"]


@pytest.fixture
def address(app: FastAPI) -> Iterator[tuple[str, int]]:
    """The application behind a real server, for bytes that no client library would send."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join(20)


def exchange(address: tuple[str, int], sent: bytes, leave: bool = False) -> bytes:
    """Send and read all; `leave`: the client says that nothing more will come."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(sent)
        if leave:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        return received


FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="t.csv"\r\n\r\na,b\n1,2\n'
LIES = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}"
HEAD = b"POST /v1/datasets HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"


# The form parser leaves its half-written spool file to the collector, which warns and closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_truncated_body_makes_no_dataset_and_no_error_of_ours(
    address: tuple[str, int], app: FastAPI, logged: Any
) -> None:
    cut = exchange(address, HEAD + b"Content-Length: 1000\r\n\r\n" + FORM, leave=True)
    assert b" 500 " not in cut[:20]
    whole_but_open = exchange(address, HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(FORM) + FORM)
    assert whole_but_open.startswith(b"HTTP/1.1 4"), whole_but_open[:200]
    lying = exchange(address, LIES, leave=True)
    assert lying == b"" or lying.startswith(b"HTTP/1.1 4")
    services: Services = app.state.services
    with services.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM datasets")).scalar() == 0
    assert [line for line in logged() if line["level"] == "error"] == []


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_request_is_answered_by_400_or_by_silence(address: tuple[str, int], sent: bytes) -> None:
    try:
        answer = exchange(address, sent, leave=True)
    except ConnectionResetError:
        answer = b""
    assert answer == b"" or answer.split(b" ")[1].startswith((b"4", b"2"))
    alive = exchange(address, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert alive.startswith(b"HTTP/1.1 200")
