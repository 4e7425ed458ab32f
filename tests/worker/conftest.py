"""Real children and a real runner over real databases; jobs that last milliseconds, and one that lasts minutes."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
import pyarrow
import pyarrow.parquet
import pytest
from kept_children import KeptChildren, ReusedChildren

from db.artefact_store import ArtefactStore
from db.engine import Database
from db.repositories.datasets import Datasets
from db.repositories.job_events import events_after
from db.repositories.job_queue import Claim, JobQueue
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings
from db.tables import Job
from worker.children import WarmChildren
from worker.runner import Runner
from worker.settings import WorkerSettings

SHORT = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
    "hypothesis_space": {"kind": "random_features", "width": 5},
    "learner": {"kind": "ridge", "penalty": 0.01},
    "sample_size": 20,
    "test_size": 50,
    "bounds": "none",
    "model_name": "short",
}
LONG = SHORT | {
    "hypothesis_space": {"kind": "two_layer", "width": 4},
    "learner": {"kind": "stochastic_gradient_descent", "steps": 1_000_000},
    "model_name": "long",
}


@dataclass
class Workshop:
    """A runner with its children, and the questions that tests ask about jobs."""

    database: Database
    store: ArtefactStore
    settings: WorkerSettings
    children: WarmChildren
    draining: threading.Event
    runner: Runner
    kept_children: KeptChildren
    threads: list[threading.Thread] = field(default_factory=list)
    short: dict[str, Any] = field(default_factory=lambda: SHORT)
    long: dict[str, Any] = field(default_factory=lambda: LONG)

    def accept(self, spec: dict[str, Any], max_attempts: int = 3) -> str:
        """A queued job."""
        with self.database.unit_of_work() as session:
            job = Jobs(session, "local").accept(
                kind=spec["kind"], spec=spec, metadata={}, priority=0, dataset_ids=[], max_attempts=max_attempts
            )
            return job.id

    def store_table(self, dataset_id: str, columns: dict[str, Any]) -> None:
        """A dataset of these columns."""
        path = self.store.path(f"artefact:datasets/{dataset_id}.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pyarrow.table(columns)
        pyarrow.parquet.write_table(table, path)
        with self.database.unit_of_work() as session:
            Datasets(session, "local").add(
                identifier=dataset_id,
                name=dataset_id,
                sha256=dataset_id,
                format="parquet",
                size_bytes=1,
                rows=table.num_rows,
                columns=[],
                uri=self.store.describe(path).uri,
            )

    def start(self, job_id: str) -> threading.Thread:
        """Run a job in a thread, as a Celery task would."""
        thread = threading.Thread(target=self.runner.run, args=(job_id,), daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def job(self, job_id: str) -> Job:
        """The row."""
        with self.database.reading() as session:
            return session.get_one(Job, job_id)

    def events(self, job_id: str) -> list[str]:
        """Types of its events, progress left out."""
        with self.database.reading() as session:
            return [event.type for event in events_after(session, job_id, 0) if event.type != "progress"]

    def until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        """Wait for a fact."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.02)

    def until_running(self, job_id: str) -> Job:
        """Wait until the child reports its first step."""
        self.until(lambda: self.job(job_id).progress is not None)
        return self.job(job_id)

    def processes(self) -> list[psutil.Process]:
        """The processes of jobs, waiting ones included; not those that wait for another test."""
        others = self.kept_children.pids()
        found = []
        for process in psutil.Process().children(recursive=True):
            # Some end while they are looked at.
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.pid not in others and "worker.child" in process.cmdline():
                    found.append(process)
        return found

    def claim(self, job_id: str, worker: str = "another") -> Claim:
        """Take a job as another worker would."""
        with self.database.unit_of_work() as session:
            claim = JobQueue(session).claim(job_id, worker, 60)
            assert claim is not None
            return claim


@pytest.fixture
def short() -> dict[str, Any]:
    """A job of milliseconds."""
    return SHORT


@pytest.fixture
def long() -> dict[str, Any]:
    """A job of minutes, to be interrupted."""
    return LONG


@pytest.fixture
def worker_settings(storage_settings: ServiceSettings) -> WorkerSettings:
    """Settings with short times."""
    return WorkerSettings(
        data_directory=storage_settings.data_directory,
        database_url=storage_settings.database_url,
        device="cpu",
        poll_seconds=0.1,
        cancel_grace_seconds=2,
        drain_grace_seconds=1,
        log_level="WARNING",
    )


@pytest.fixture(scope="session")
def kept_children() -> Iterator[KeptChildren]:
    """What waits between two tests."""
    kept = KeptChildren()
    yield kept
    kept.close()


@pytest.fixture
def workshop(database: Database, worker_settings: WorkerSettings, kept_children: KeptChildren) -> Iterator[Workshop]:
    """A runner of one slot; of all it started, only children that wait are still there afterwards."""
    store = ArtefactStore(worker_settings.artefact_directory)
    children = ReusedChildren(worker_settings, kept_children)
    draining = threading.Event()
    runner = Runner(database, store, worker_settings, "this-worker", children, draining, lambda job_id: None)
    workshop = Workshop(database, store, worker_settings, children, draining, runner, kept_children)
    yield workshop
    draining.set()
    for thread in workshop.threads:
        thread.join(timeout=10)
    children.close()
