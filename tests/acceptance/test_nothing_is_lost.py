"""Workers, a child and the broker are killed while twenty jobs run; every job succeeds, and exactly once."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import redis
from kombu.exceptions import OperationalError as BrokerUnreachable
from sqlalchemy import func, select

from db.engine import Database
from db.job_state import TERMINAL, JobStatus
from db.repositories.job_events import events_after
from db.repositories.jobs import Jobs, count_by_status
from db.settings import ServiceSettings
from db.tables import LearnedModel
from worker.app import create_app, ring
from worker.children import import_path
from worker.embedded_broker import EmbeddedBroker
from worker.settings import WorkerSettings

JOBS = 20
DEADLINE_SECONDS = 100
SPEC = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
    "hypothesis_space": {"kind": "two_layer", "width": 4},
    "learner": {"kind": "stochastic_gradient_descent", "steps": 1500},
    "sample_size": 20,
    "test_size": 50,
    "bounds": "none",
    "model_name": "crowded",
}


class OwnBroker:
    """A broker of this test alone: it can be killed, and comes back with its append-only file."""

    def __init__(self, directory: Path) -> None:
        self._embedded = EmbeddedBroker(directory)
        self.url = self._embedded.url
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = self._embedded.command()
        assert command is not None
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        assert self._embedded.wait_until_up(10)

    def fail(self) -> None:
        self.stop()
        time.sleep(1)
        self.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.stop()
        self._embedded.remove()


class SharedBroker:
    """A numbered database of a Redis that others use too: it cannot be killed, but it can forget everything."""

    def __init__(self, url: str) -> None:
        self.url = url.rsplit("/", 1)[0] + f"/{1 + os.getpid() % 15}"

    def fail(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushdb()

    close = fail


@dataclass
class Place:
    """A store, a broker, and workers over them."""

    settings: WorkerSettings
    broker: OwnBroker | SharedBroker
    database: Database
    log: Path
    workers: list[subprocess.Popen[bytes]]

    def start_worker(self) -> None:
        environment = os.environ | {
            "PYTHONPATH": import_path(),
            "RISKSCOPE_DATA_DIRECTORY": str(self.settings.data_directory),
            "RISKSCOPE_DATABASE_URL": self.settings.database_url,
            "RISKSCOPE_BROKER_URL": self.settings.broker_url,
            "RISKSCOPE_DEVICE": "cpu",
            "RISKSCOPE_LEASE_SECONDS": "5",
            "RISKSCOPE_HEARTBEAT_SECONDS": "1",
            "RISKSCOPE_STALL_SECONDS": "5",
        }
        with self.log.open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "worker"], env=environment, stdout=log, stderr=log, start_new_session=True
                )
            )

    def succeeded(self) -> int:
        with self.database.reading() as session:
            return count_by_status(session).get(JobStatus.SUCCEEDED, 0)

    def until_succeeded(self, jobs: int) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.succeeded() < jobs:
            with self.database.reading() as session:
                assert time.monotonic() < deadline, (count_by_status(session), self.log.read_text()[-3000:])
            time.sleep(0.05)

    def close(self) -> None:
        for process in self.workers:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=8)
            process.kill()
            process.wait()
        self.broker.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, open_database: Callable[[ServiceSettings], Database]
) -> Iterator[Place]:
    """SQLite with a broker of its own, or PostgreSQL with the shared Redis; two workers."""
    broker: OwnBroker | SharedBroker
    if request.param == "sqlite":
        url, broker = "", OwnBroker(tmp_path / "broker")
    else:
        url, broker = request.getfixturevalue("postgres_url"), SharedBroker(request.getfixturevalue("broker_url"))
    settings = WorkerSettings(data_directory=tmp_path / "data", database_url=url, broker_url=broker.url)
    place = Place(settings, broker, open_database(settings), tmp_path / "workers.log", [])
    try:
        place.start_worker()
        place.start_worker()
        yield place
    finally:
        place.close()


def submit(place: Place) -> list[str]:
    """Twenty jobs, as the API accepts them: rows first, then rings."""
    app = create_app(place.settings)
    jobs = []
    for seed in range(JOBS):
        with place.database.unit_of_work() as session:
            job = Jobs(session, "local").accept(
                kind="fit", spec=SPEC | {"seed": seed}, metadata={}, priority=0, dataset_ids=[], max_attempts=5
            )
            jobs.append(job.id)
        with contextlib.suppress(BrokerUnreachable):
            ring(app, job.id)
    app.close()
    return jobs


def kill_children(worker: subprocess.Popen[bytes]) -> None:
    """The running one and the waiting one."""
    for process in psutil.Process(worker.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_runs_to_its_end_twice(place: Place) -> None:
    jobs = submit(place)
    place.until_succeeded(2)
    place.workers[0].kill()
    place.until_succeeded(4)
    kill_children(place.workers[1])
    place.start_worker()
    place.until_succeeded(8)
    place.broker.fail()
    place.until_succeeded(JOBS)

    with place.database.reading() as session:
        starts = 0
        for job_id in jobs:
            job = Jobs(session, "local").get(job_id)
            assert job is not None
            types = Counter(event.type for event in events_after(session, job_id, 0))
            assert job.status == JobStatus.SUCCEEDED
            assert sum(types[status.value] for status in TERMINAL) == 1
            assert types["running"] == job.attempt
            starts += job.attempt
            (model_id,) = job.model_ids
            assert session.get_one(LearnedModel, model_id).job_id == job_id
        versions = session.scalars(select(LearnedModel.version).order_by(LearnedModel.version)).all()
        models = session.scalar(select(func.count()).select_from(LearnedModel))
    assert models == JOBS
    assert versions == list(range(1, JOBS + 1))
    assert JOBS <= starts <= JOBS + 4
