"""`python -m worker.supervisor` (`riskscope serve`): broker, worker and API of one machine as children of one process.

Standard output gets one line, when everything is ready. Exit status 3: another one serves this data directory.
"""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from db.engine import Database
from db.logs import configure_logs
from db.migrate import migrate
from db.settings import ServiceSettings
from worker.children import import_path
from worker.embedded_broker import EmbeddedBroker
from worker.processes import AtOnce, SupervisedProcess

ALREADY_SERVED = 3
PAUSE_SECONDS = 0.1
FAILURES_AT_START = 5


class ServeSettings(BaseSettings):
    """What the environment may say beside the command line."""

    model_config = SettingsConfigDict(env_prefix="RISKSCOPE_", extra="ignore")

    broker_url: str = ""
    log_level: str = "INFO"


class Supervisor:
    """Starts, keeps up and stops the processes over one data directory."""

    def __init__(self, host: str, port: int, data_directory: Path, slots: int, settings: ServeSettings) -> None:
        self._data_directory = data_directory.resolve()
        self._slots = slots
        self._settings = settings
        self._host = host
        self._listener = _listen(host, port)
        self._port: int = self._listener.getsockname()[1]
        self._at_once = AtOnce()
        self._processes: list[SupervisedProcess] = []
        # Held by this process alone: the kernel closes it however this process ends.
        self._lifeline, self._held_end = os.pipe()

    def run(self) -> int:
        """Serve until a signal; the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._at_once.request)
        broker = None if self._settings.broker_url else EmbeddedBroker(self._data_directory / "broker")
        announcement = self._data_directory / "serve.json"
        try:
            if broker is not None:
                command = broker.command()
                if command is None:
                    return _refuse("There is no embedded broker for this platform: set RISKSCOPE_BROKER_URL.")
                self._add("broker", ["program", *command], {}, grace_seconds=3)
                if not broker.wait_until_up(10):
                    return _refuse("The embedded broker did not start; its messages are above.")
            self._migrate()
            self._add_services(broker.url if broker is not None else self._settings.broker_url)
            ready = False
            while not self._at_once.requests:
                for process in self._processes:
                    process.keep_up()
                if not ready:
                    failing = [p.name for p in self._processes if p.failures_in_a_row >= FAILURES_AT_START]
                    if failing:
                        return _refuse(f"The {failing[0]} ended {FAILURES_AT_START} times; its messages are above.")
                    ready = self._is_ready()
                    if ready:
                        self._announce(announcement)
                time.sleep(PAUSE_SECONDS)
            return 0
        finally:
            announcement.unlink(missing_ok=True)
            # In the reverse order of need: what accepts work goes first.
            for process in reversed(self._processes):
                process.stop(self._at_once)
            if broker is not None:
                broker.remove()
            self._listener.close()

    def _migrate(self) -> None:
        database = Database(ServiceSettings(data_directory=self._data_directory))
        try:
            migrate(database)
        finally:
            database.close()

    def _add_services(self, broker_url: str) -> None:
        environment = {
            "RISKSCOPE_DATA_DIRECTORY": str(self._data_directory),
            "RISKSCOPE_BROKER_URL": broker_url,
            "RISKSCOPE_SLOTS": str(self._slots),
            "RISKSCOPE_HOST": self._host,
            "RISKSCOPE_PORT": str(self._port),
        }
        self._add("worker", ["module", "worker"], environment, grace_seconds=8)
        # The API gets the listening socket itself: no other process can take the port, and while the API restarts,
        # clients wait instead of being refused.
        descriptor = self._listener.fileno()
        environment |= {"RISKSCOPE_SOCKET_FD": str(descriptor)}
        self._add("api", ["module", "api"], environment, grace_seconds=5, descriptors=[descriptor])

    def _add(
        self,
        name: str,
        arguments: list[str],
        environment: dict[str, str],
        grace_seconds: float,
        descriptors: list[int] | None = None,
    ) -> None:
        process = SupervisedProcess(
            name,
            arguments,
            os.environ | environment | {"PYTHONPATH": import_path()},
            self._lifeline,
            grace_seconds,
            descriptors or (),
        )
        self._processes.append(process)
        process.start()

    @property
    def _url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104  where to reach it
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    def _is_ready(self) -> bool:
        # A proxy of the environment is no way to this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._url}/readyz", timeout=0.5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _announce(self, path: Path) -> None:
        content = {"pid": os.getpid(), "host": self._host, "port": self._port, "url": self._url}
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
        sys.stdout.write(f"riskscope is ready at {self._url}\n")
        sys.stdout.flush()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener


@contextlib.contextmanager
def _data_directory_to_itself(data_directory: Path) -> Iterator[bool]:
    """The lock on a data directory; False where another process holds it."""
    with (data_directory / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _refuse(reason: str, status: int = 1) -> int:
    sys.stderr.write(f"{reason}\n")
    return status


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="riskscope serve", description="Run everything on this machine.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: any free port")
    parser.add_argument("--data-directory", type=Path, default=Path(".riskscope"))
    parser.add_argument("--slots", type=int, default=1, help="jobs that run at the same time")
    options = parser.parse_args()
    settings = ServeSettings()
    configure_logs(settings.log_level, "json")
    try:
        options.data_directory.mkdir(parents=True, exist_ok=True)
        (options.data_directory / "serve.lock").touch()
    except OSError as error:
        return _refuse(f"The data directory {options.data_directory} cannot be used: {error.strerror}.")
    with _data_directory_to_itself(options.data_directory) as ours:
        if not ours:
            return _refuse(f"Another riskscope serves {options.data_directory.resolve()} already.", ALREADY_SERVED)
        try:
            supervisor = Supervisor(options.host, options.port, options.data_directory, options.slots, settings)
        except OSError as error:
            return _refuse(f"Cannot listen on {options.host}:{options.port}: {error.strerror}.")
        return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
