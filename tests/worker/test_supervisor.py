"""`python -m worker.supervisor`: real broker and worker; the API's place is taken by a page that says it is ready."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from db.engine import Database
from db.job_state import JobStatus
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings
from worker.children import import_path

READY_PAGE = """
import http.server, os, socket

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("", 0), Page, bind_and_activate=False)
server.socket = socket.socket(fileno=int(os.environ["RISKSCOPE_SOCKET_FD"]))
server.serve_forever()
"""


class Served:
    """A supervisor and the line it printed."""

    def __init__(self, place: Path) -> None:
        self.data_directory = place / "data"
        (place / "api").mkdir()
        # A regular package: a mere directory would come after the real one.
        (place / "api" / "__init__.py").touch()
        (place / "api" / "__main__.py").write_text(READY_PAGE)
        self.place = place
        self.process = self.start()
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        if not ready:
            self.process.terminate()
            raise AssertionError("it was not ready in time")
        self.line = self.process.stdout.readline().decode()

    def start(self, stderr: Any = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "worker.supervisor", "--port=0", f"--data-directory={self.data_directory}"],
            cwd=self.place,
            env=os.environ | {"PYTHONPATH": import_path(), "RISKSCOPE_DEVICE": "cpu", "RISKSCOPE_LOG_LEVEL": "ERROR"},
            stdout=subprocess.PIPE,
            stderr=stderr,
        )

    def family(self) -> list[psutil.Process]:
        """Everything it started, in the order of starting."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """The direct child with these words in its command line."""
        children = psutil.Process(self.process.pid).children()
        (found,) = [child for child in children if all(word in child.cmdline() for word in words)]
        return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    try:
        yield served
    finally:
        served.process.terminate()
        served.process.wait(timeout=20)
        if served.process.stdout is not None:
            served.process.stdout.close()


def run_job(served: Served, open_database: Callable[[ServiceSettings], Database], spec: dict[str, Any]) -> float:
    """Accept a job without a ring, and wait until it has succeeded; seconds."""
    database = open_database(ServiceSettings(data_directory=served.data_directory))
    started = time.monotonic()
    with database.unit_of_work() as session:
        accept = Jobs(session, "local").accept
        job_id = accept(kind="fit", spec=spec, metadata={}, priority=0, dataset_ids=[], max_attempts=3).id
    while time.monotonic() < started + 30:
        with database.reading() as session:
            job = Jobs(session, "local").get(job_id)
            if job is not None and job.status == JobStatus.SUCCEEDED:
                return time.monotonic() - started
        time.sleep(0.05)
    raise AssertionError("the job did not succeed in time")


def gone(processes: list[psutil.Process], seconds: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_killed_worker_broker_and_api_come_back(
    served: Served, open_database: Callable[[ServiceSettings], Database], short: dict[str, Any]
) -> None:
    url = served.line.strip().removeprefix("riskscope is ready at ")
    announced = json.loads((served.data_directory / "serve.json").read_text())
    assert announced["url"] == url
    assert url.endswith(f":{announced['port']}")
    run_job(served, open_database, short)
    children = [served.child(*words) for words in (("module", "worker"), ("program",), ("module", "api"))]
    for child in children:
        os.killpg(child.pid, signal.SIGKILL)
    # The listening socket is the supervisor's: while the API restarts, a client waits.
    assert httpx.get(f"{url}/readyz", timeout=10, trust_env=False).status_code == 200
    run_job(served, open_database, short)

    family = served.family()
    started = time.monotonic()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=10) == 0
    assert time.monotonic() - started < 5
    assert gone(family, 1)
    assert not (served.data_directory / "serve.json").exists()


@pytest.mark.slow
def test_second_serve_of_a_data_directory_is_refused_and_nothing_survives_a_killed_supervisor(served: Served) -> None:
    second = served.start(stderr=subprocess.PIPE)
    out, err = second.communicate(timeout=20)
    assert second.returncode == 3
    assert out == b""
    assert b"already" in err

    family = served.family()
    assert len(family) >= 4
    served.process.kill()
    assert gone(family, 7)


@pytest.mark.slow
def test_no_port_is_open_but_the_one_announced(served: Served) -> None:
    port = json.loads((served.data_directory / "serve.json").read_text())["port"]
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in [psutil.Process(served.process.pid), *served.family()]
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", port)}
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        pass
    (broker_socket,) = (served.data_directory / "broker").glob("*.sock") or [None]
    assert broker_socket is not None
    assert broker_socket.stat().st_mode & 0o077 == 0
