"""A service with something of everything, to be backed up; and what a place holds, to be compared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from db.artefact_store import ArtefactStore
from db.base import Base
from db.engine import Database
from db.job_state import JobStatus
from db.key_secret import key_secret
from db.repositories.api_keys import ApiKeys
from db.repositories.datasets import Datasets
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.repositories.learned_models import LearnedModels
from db.repositories.workers import Workers
from db.settings import ServiceSettings


@dataclass
class Service:
    """A store with one row of each kind, and the ids of its jobs by status."""

    settings: ServiceSettings
    database: Database
    store: ArtefactStore
    jobs: dict[str, str]
    secret: str


def stored(store: ArtefactStore, relative: str, content: bytes) -> dict[str, Any]:
    staged = store.staging_directory() / "file"
    staged.write_bytes(content)
    file = store.adopt(staged, relative)
    return {"uri": file.uri, "sha256": file.sha256, "size_bytes": file.size_bytes}


def add_dataset(service: Service, name: str) -> str:
    file = stored(service.store, f"datasets/{name}.parquet", name.encode())
    with service.database.unit_of_work() as session:
        column = {"name": "x", "type": "number", "nulls": 0, "non_finite": 0}
        described: dict[str, Any] = {"format": "csv", "size_bytes": 1, "rows": 1, "columns": [column]}
        return Datasets(session, "local").add(name=name, sha256=name, uri=file["uri"], **described).id


def accept(session: Any) -> str:
    job = Jobs(session, "local").accept(
        kind="fit", spec={"π": "∞"}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
    )
    return job.id


def claimed(session: Any, job_id: str) -> int:
    claim = JobQueue(session).claim(job_id, "worker-of-the-old-place", 60)
    assert claim is not None
    return claim.attempt


def service_to_save(settings: ServiceSettings, database: Database) -> Service:
    """One row of each kind with its files, one file that no row names, and checkpoints."""
    store = ArtefactStore(settings.artefact_directory)
    files = {"onnx": stored(store, "jobs/job_1/1/model.onnx", b"graph" * 100_000)}
    predictions = {"predictions": stored(store, "jobs/job_2/1/predictions.parquet", b"rows")}
    stored(store, "jobs/job_3/1/unfinished", b"of a running attempt: no row names it")
    jobs = {}
    with database.unit_of_work() as session:
        jobs = {name: accept(session) for name in ("succeeded", "running", "cancelling", "queued")}
        attempt = claimed(session, jobs["succeeded"])
        JobQueue(session).finish(jobs["succeeded"], attempt, JobStatus.SUCCEEDED, result={"files": predictions})
        claimed(session, jobs["running"])
        for job in ("succeeded", "running"):
            stored(store, f"checkpoints/{jobs[job]}.safetensors", job.encode())
        claimed(session, jobs["cancelling"])
        Jobs(session, "local").request_cancel(jobs["cancelling"])
        described: dict[str, Any] = {"digest": "d", "manifest": {}, "risks": {}, "bounds": [], "dataset_ids": []}
        LearnedModels(session, "local").register(name="m", job_id=jobs["succeeded"], files=files, **described)
        LearnedModels(session, "local").point("m", "live", 1)
        Workers(session).seen("worker-of-the-old-place", "cpu", 1)
        _, secret = ApiKeys(session).create("local", "k", ["read"], key_secret(settings))
    service = Service(settings, database, store, jobs, secret)
    add_dataset(service, "table")
    return service


def rows(database: Database) -> dict[str, list[Any]]:
    """Every row of every table, but those of workers."""
    with database.reading() as session:
        return {
            table.name: sorted(map(repr, session.execute(select(table)))) for table in Base.metadata.sorted_tables
        } | {"workers": []}


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }
