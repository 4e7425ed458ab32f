"""OpenTelemetry: spans leave the process where the settings say so, and not otherwise."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from db.engine import Database
from db.migrate import migrate
from db.settings import ServiceSettings


class Collector(HTTPServer):
    """Keeps what is exported to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Export)
        self.received: list[tuple[str, bytes]] = []


class Export(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.serve_forever)
    thread.start()
    yield collector
    collector.shutdown()
    thread.join()
    collector.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [True, False])
def test_spans_are_sent_where_the_settings_say_so(tmp_path: Path, collector: Collector, wanted: bool) -> None:
    settings = ServiceSettings(data_directory=tmp_path)
    database = Database(settings)
    migrate(database)
    database.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"RISKSCOPE_DATA_DIRECTORY": str(tmp_path), "RISKSCOPE_PORT": str(port)}
    environment |= {"RISKSCOPE_BROKER_URL": "memory://", "OTEL_METRICS_EXPORTER": "none"}
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{collector.server_port}"
    if wanted:
        environment["RISKSCOPE_TELEMETRY"] = "true"
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment)
    try:
        deadline = time.monotonic() + 90
        status = 0
        while status == 0 and time.monotonic() < deadline:
            time.sleep(0.2)
            try:
                status = httpx.get(f"http://127.0.0.1:{port}/v1/jobs/job_1", headers={"X-Request-ID": "r"}).status_code
            except httpx.TransportError:
                continue
        assert status == 404
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    spans = b"".join(body for path, body in collector.received if path == "/v1/traces")
    assert (b"/v1/jobs/{job_id}" in spans) is wanted
    assert (collector.received != []) is wanted
