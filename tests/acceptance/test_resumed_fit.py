"""Workers are killed and told to leave while they run one fit: its model is that of the undisturbed fit."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_places import KeptProcess
from own_services import OwnBroker

from db.artefact_store import ArtefactStore
from db.engine import Database
from db.job_state import JobStatus
from db.repositories.job_events import events_after
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings
from db.tables import Job, JobEvent, LearnedModel

DEADLINE_SECONDS = 100
FIT = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
    "hypothesis_space": {"kind": "two_layer", "width": 16},
    "learner": {"kind": "stochastic_gradient_descent", "steps": 12_000},
    "sample_size": 100,
    "test_size": 100,
    "bounds": "none",
}


@dataclass
class Place:
    """One worker over a store, and what is asked about jobs."""

    database: Database
    store: ArtefactStore
    worker: KeptProcess
    log: Path

    def accept(self) -> str:
        with self.database.unit_of_work() as session:
            job = Jobs(session, "local").accept(
                kind="fit", spec=FIT, metadata={}, priority=0, dataset_ids=[], max_attempts=3
            )
            return job.id

    def job(self, job_id: str) -> Job:
        with self.database.reading() as session:
            return session.get_one(Job, job_id)

    def events(self, job_id: str, kind: str) -> list[JobEvent]:
        with self.database.reading() as session:
            return [event for event in events_after(session, job_id, 0) if event.type == kind]

    def weights(self, job_id: str) -> bytes:
        (model_id,) = self.job(job_id).model_ids
        with self.database.reading() as session:
            files = session.get_one(LearnedModel, model_id).files
        return self.store.path(files["weights"]["uri"]).read_bytes()

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not true():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path, open_database: Callable[[ServiceSettings], Database]) -> Iterator[Place]:
    """SQLite and a broker of its own."""
    broker = OwnBroker(tmp_path)
    settings = ServiceSettings(data_directory=tmp_path / "data", broker_url=broker.url)
    environment = {
        "RISKSCOPE_DATA_DIRECTORY": str(settings.data_directory),
        "RISKSCOPE_BROKER_URL": broker.url,
        "RISKSCOPE_CHECKPOINT_SECONDS": "0.02",
        "RISKSCOPE_STALL_SECONDS": "0.5",
    }
    database, log = open_database(settings), tmp_path / "log"
    worker = KeptProcess("worker", environment, log)
    try:
        yield Place(database, ArtefactStore(settings.artefact_directory), worker, log)
    finally:
        worker.stop()
        broker.close()


@pytest.mark.slow
def test_killed_and_drained_workers_leave_the_model_of_an_undisturbed_fit(place: Place) -> None:
    job_id = place.accept()
    checkpoint = place.store.checkpoint(job_id)
    place.until(checkpoint.exists)
    place.worker.kill()
    place.worker.keep_up()

    place.until(lambda: len(place.events(job_id, "resumed")) == 1)
    place.worker.stop()
    (handed_back,) = [event for event in place.events(job_id, "queued") if "handed_back" in event.data]
    assert place.job(job_id).status == JobStatus.QUEUED
    assert checkpoint.exists()
    place.worker.keep_up()

    place.until(lambda: place.job(job_id).status == JobStatus.SUCCEEDED)
    killed, drained = (event.data for event in place.events(job_id, "resumed"))
    assert 0 < killed["step"] < drained["step"] < drained["total"]
    assert (killed["attempt"], handed_back.data["attempt"], drained["attempt"]) == (2, 2, 3)
    place.until(lambda: not checkpoint.exists())

    undisturbed = place.accept()
    place.until(lambda: place.job(undisturbed).status == JobStatus.SUCCEEDED)
    assert place.events(undisturbed, "resumed") == []
    assert place.weights(job_id) == place.weights(undisturbed)
