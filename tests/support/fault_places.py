"""The service as real processes that can be killed: embedded on SQLite, or on PostgreSQL and a broker of its own."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil
from own_services import OwnBroker, OwnPostgres, SharedPostgres, free_port

from db.engine import Database
from db.migrate import migrate
from db.settings import ServiceSettings
from worker.children import import_path

LEASE_SECONDS = 10
TIMES = {
    "RISKSCOPE_DEVICE": "cpu",
    "RISKSCOPE_LEASE_SECONDS": str(LEASE_SECONDS),
    "RISKSCOPE_HEARTBEAT_SECONDS": "2",
    "RISKSCOPE_STALL_SECONDS": "5",
    "RISKSCOPE_SHARD_SECONDS": "0.05",
    "RISKSCOPE_CHECKPOINT_SECONDS": "0.2",
    "RISKSCOPE_MAX_ATTEMPTS": "6",
    "RISKSCOPE_LOG_LEVEL": "WARNING",
    "PYTHONPATH": import_path(),
}
"""Short times, so that a lost claim is found within a test; shards and checkpoints, so that short jobs have some."""


class KeptProcess:
    """Started again whenever it has ended, as by a container's restart policy."""

    def __init__(self, module: str, environment: dict[str, str], log: Path, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = os.environ | TIMES | environment
        self._log = log
        self._start()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._process.pid

    def keep_up(self) -> None:
        """Start it again if it has ended."""
        if self._process.poll() is not None:
            self._start()

    def kill(self) -> None:
        """SIGKILL to this one process."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to what is left after its grace time."""
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


class Place(Protocol):
    """The service over one store. Every fault leaves it to come back by itself, or brings it back."""

    url: str
    settings: ServiceSettings
    broker_url: str
    log: Path

    def keep_up(self) -> None:
        """Start again what nobody else does."""

    def workers(self) -> list[int]:
        """Process ids of both workers."""

    def kill_api(self) -> None:
        """SIGKILL; it comes back."""

    def fail_broker(self, seconds: float) -> None:
        """SIGKILL; it comes back after at least so long where that is in the test's hands."""

    def fail_database(self, seconds: float) -> None:
        """Nothing can be written for so long; it comes back."""

    def close(self) -> None:
        """End everything."""


class EmbeddedPlace:
    """`riskscope serve`, and a second worker beside its own. SQLite fails by a lock that another process holds."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "log"
        self.settings = ServiceSettings(data_directory=directory / "data")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = (f"--port={port}", f"--data-directory={self.settings.data_directory}")
        self._serve = KeptProcess("worker.supervisor", {}, self.log, *arguments)
        self._second: KeptProcess | None = None
        try:
            wait_until_ready(self)
            environment = psutil.Process(self._child("module", "worker").pid).environ()
            self.broker_url = environment["RISKSCOPE_BROKER_URL"]
            self._second = KeptProcess("worker", environment, self.log)
        except BaseException:
            self.close()
            raise

    def _child(self, *words: str) -> psutil.Process:
        deadline = time.monotonic() + 20
        while True:
            for process in psutil.Process(self._serve.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if all(word in process.cmdline() for word in words):
                        return process
            assert time.monotonic() < deadline, f"no {words}"
            time.sleep(0.05)

    def keep_up(self) -> None:
        if self._second is not None:
            self._second.keep_up()

    def workers(self) -> list[int]:
        second = [] if self._second is None else [self._second.pid]
        return [self._child("module", "worker").pid, *second]

    def kill_api(self) -> None:
        self._child("module", "api").kill()

    def fail_broker(self, seconds: float) -> None:
        for process in self._child("program").children():
            process.kill()

    def fail_database(self, seconds: float) -> None:
        connection = sqlite3.connect(
            self.settings.data_directory / "riskscope.sqlite3", timeout=60, isolation_level=None
        )
        with contextlib.closing(connection):
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            connection.execute("ROLLBACK")

    def close(self) -> None:
        if self._second is not None:
            self._second.stop()
        self._serve.stop()


class ServersPlace:
    """API and two workers over a PostgreSQL and a broker of their own."""

    def __init__(
        self,
        directory: Path,
        postgres: OwnPostgres | SharedPostgres,
        workers: Sequence[dict[str, str]] = ({}, {}),
    ) -> None:
        """`workers`: what each has in its environment beside what all have."""
        self.log = directory / "log"
        self._postgres = postgres
        self._broker = OwnBroker(directory)
        self.broker_url = self._broker.url
        self.settings = ServiceSettings(
            data_directory=directory / "data", database_url=postgres.url, broker_url=self._broker.url
        )
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {
            "RISKSCOPE_DATA_DIRECTORY": str(self.settings.data_directory),
            "RISKSCOPE_DATABASE_URL": postgres.url,
            "RISKSCOPE_BROKER_URL": self._broker.url,
            "RISKSCOPE_PORT": str(port),
        }
        with open_database(self.settings) as database:
            migrate(database)
        self._api = KeptProcess("api", self._environment, self.log)
        self._workers = [KeptProcess("worker", self._environment | own, self.log) for own in workers]
        try:
            wait_until_ready(self)
        except BaseException:
            self.close()
            raise

    def keep_up(self) -> None:
        for process in (self._api, *self._workers):
            process.keep_up()

    def workers(self) -> list[int]:
        return [worker.pid for worker in self._workers]

    def kill_api(self) -> None:
        self._api.kill()

    def fail_broker(self, seconds: float) -> None:
        self._broker.fail(seconds)

    def fail_database(self, seconds: float) -> None:
        self._postgres.fail(seconds)

    def close(self) -> None:
        for process in (self._api, *self._workers):
            process.stop()
        self._broker.close()
        self._postgres.close()


@contextlib.contextmanager
def open_database(settings: ServiceSettings) -> Iterator[Database]:
    """A database, closed afterwards."""
    database = Database(settings)
    try:
        yield database
    finally:
        database.close()


def finished(client: httpx.Client, job_id: str, seconds: float = 100) -> dict[str, Any]:
    """The job once it has ended, however often the service is away meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = client.get(f"/v1/jobs/{job_id}", params={"wait": 1})
            if answer.status_code == 200 and answer.json()["status"] not in ("queued", "running"):
                job: dict[str, Any] = answer.json()
                return job
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)


def wait_until_ready(place: Place) -> None:
    """Until jobs and predictions can be served."""
    deadline = time.monotonic() + 90
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{place.url}/readyz", timeout=5, trust_env=False).status_code == 200:
                return
        assert time.monotonic() < deadline, place.log.read_text()[-4000:]
        time.sleep(0.2)


def kill_process(pid: int) -> None:
    """SIGKILL to this one process."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_children(worker: int) -> None:
    """The processes of a worker's jobs: the one that runs and the one that waits."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(worker).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
