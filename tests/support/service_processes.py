"""`riskscope` commands as processes of their own session, for acceptance tests; each is ended by its own process id."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from worker.children import import_path


@dataclass(frozen=True)
class Served:
    """A running `serve`."""

    client: httpx.Client
    process: subprocess.Popen[bytes]


def command(arguments: list[str], log: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Begin a command; the settings are those of `environment` alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RISKSCOPE_")}
    ours = {"PYTHONPATH": import_path(), "RISKSCOPE_DEVICE": "cpu"}
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli", *arguments],
            env=kept | ours | (environment or {}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


@contextlib.contextmanager
def serving(data: Path, log: Path, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """`riskscope serve` over a data directory, stopped by SIGTERM."""
    process = command(["serve", "--port=0", f"--data-directory={data}"], log, environment)
    try:
        until((data / "serve.json").exists, log)
        url = json.loads((data / "serve.json").read_text())["url"]
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Served(client, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(true: Callable[[], bool], log: Path, seconds: float = 100) -> None:
    """Wait; what the processes said is the message where it takes too long."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.1)
