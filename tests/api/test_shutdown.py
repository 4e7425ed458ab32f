"""The API process stops when it is told to, whoever is still listening."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from db.engine import Database
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings

ROOT = Path(__file__).parents[2]


def test_open_event_stream_does_not_hold_the_shutdown(
    tmp_path: Path, open_database: Callable[[ServiceSettings], Database]
) -> None:
    database = open_database(ServiceSettings(data_directory=tmp_path, database_url=""))
    with database.unit_of_work() as session:
        job = Jobs(session, "local").accept(
            kind="fit", spec={"kind": "fit"}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
        )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.set_inheritable(True)
        port = listener.getsockname()[1]
        environment = os.environ | {
            "RISKSCOPE_DATA_DIRECTORY": str(tmp_path),
            "RISKSCOPE_DATABASE_URL": "",
            "RISKSCOPE_SOCKET_FD": str(listener.fileno()),
            "RISKSCOPE_LOG_LEVEL": "WARNING",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=ROOT, env=environment, pass_fds=[listener.fileno()]
        )
    try:
        headers = {"Accept": "text/event-stream"}
        with httpx.stream(
            "GET", f"http://127.0.0.1:{port}/v1/jobs/{job.id}/events", headers=headers, timeout=30
        ) as got:
            lines = got.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: queued"
            told_at = time.monotonic()
            os.kill(process.pid, signal.SIGTERM)
            assert all("error" not in line for line in lines)
            process.wait(timeout=20)
            # Without the signal to streams uvicorn would wait for its full three seconds.
            assert time.monotonic() - told_at < 2.5
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
