"""A long fit goes on from its file: killed, handed back, or told to end; and nothing wrong with the file is trusted."""

import hashlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from db.job_state import JobStatus
from db.repositories.job_events import events_after
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings
from db.tables import LearnedModel
from worker import checkpoints
from worker.checkpoints import CheckpointFile, identity
from worker.leftovers import collect_leftovers
from worker.settings import WorkerSettings

STATE = {
    "step": torch.tensor(7),
    "risk": torch.tensor(float("inf"), dtype=torch.float64),
    "moments": torch.randn(3, 5, generator=torch.Generator().manual_seed(0)),
    "generator": torch.Generator().manual_seed(1).get_state(),
    "running": torch.tensor([True, False]),
    "nothing": torch.zeros(0, 2),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "job_1.safetensors"


def file(path: Path, seconds: float = 1.0, spec: str = "a", handing_back: bool = False) -> CheckpointFile:
    return CheckpointFile(path, 1, identity({"kind": spec}, "cpu"), seconds, lambda: handing_back)


def write(path: Path) -> None:
    file(path, seconds=1e6, handing_back=True).offer(lambda: STATE)


def test_a_state_comes_back_with_every_bit(path: Path) -> None:
    write(path)
    found = file(path).resumed()
    assert found is not None
    assert found.keys() == STATE.keys()
    for name, value in STATE.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)
    assert list(path.parent.iterdir()) == [path]


def test_a_state_is_made_only_when_it_is_time(path: Path) -> None:
    def surprise() -> dict[str, torch.Tensor]:
        raise AssertionError("it is not time")

    file(path, seconds=1e6).offer(surprise)
    assert not path.exists()
    last = file(path, seconds=1e6, handing_back=True)
    last.offer(lambda: STATE)
    assert path.exists()
    last.offer(surprise)


def test_pause_grows_with_what_writing_takes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, written = [0.0], []
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    slow = file(path, seconds=1.0)

    def state() -> dict[str, torch.Tensor]:
        written.append(now[0])
        now[0] += 3.0
        return STATE

    slow.offer(state)
    while now[0] < 1000:
        slow.offer(state)
        now[0] += 0.5
    assert written == [1.0, 304.0, 607.0, 910.0]


def damaged(path: Path, at: float, change: Callable[[bytes], bytes]) -> None:
    content = path.read_bytes()
    place = int(at * (len(content) - 1))
    path.write_bytes(content[:place] + change(content[place:]))


@pytest.mark.parametrize("at", [0.0, 0.001, 0.3, 0.6, 0.9, 1.0])
@pytest.mark.parametrize("form", ["truncated", "flipped"])
def test_a_damaged_file_is_ignored(path: Path, at: float, form: str) -> None:
    write(path)
    damaged(path, at, lambda rest: b"" if form == "truncated" else bytes([rest[0] ^ 64]) + rest[1:])
    damaged_file = file(path)
    assert damaged_file.resumed() is None
    assert not damaged_file.take_resumed()


def test_a_file_of_other_code_or_of_another_specification_is_ignored(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path)
    assert file(path, spec="another").resumed() is None
    assert file(path).resumed() is not None
    monkeypatch.setattr(checkpoints, "code_digest", lambda: "newer")
    assert file(path).resumed() is None


def test_a_state_that_cannot_be_written_does_not_fail_the_run(path: Path) -> None:
    path.parent.write_text("a file where the directory should be")
    write(path)


@pytest.fixture(params=["sqlite"])
def storage_settings(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceSettings:
    """On SQLite; rows matter to one test only, which says so."""
    url = request.getfixturevalue("migrated_postgres").take() if request.param == "postgresql" else ""
    return ServiceSettings(data_directory=tmp_path / "data", database_url=url)


@pytest.fixture
def worker_settings(worker_settings: WorkerSettings) -> WorkerSettings:
    """A checkpoint every few milliseconds."""
    return worker_settings.model_copy(update={"checkpoint_seconds": 0.02})


def resumed_events(workshop: Any, job_id: str) -> list[dict[str, Any]]:
    with workshop.database.reading() as session:
        return [event.data for event in events_after(session, job_id, 0) if event.type == "resumed"]


def weights(workshop: Any, job_id: str) -> str:
    (model_id,) = workshop.job(job_id).model_ids
    with workshop.database.reading() as session:
        uri = session.get_one(LearnedModel, model_id).files["weights"]["uri"]
    return hashlib.sha256(workshop.store.path(uri).read_bytes()).hexdigest()


def seconds_long(workshop: Any, **learner: Any) -> dict[str, Any]:
    """A fit that is interrupted in its midst."""
    changed = {**workshop.long["learner"], "steps": 8000, **learner}
    return {**workshop.long, "learner": changed, "sample_size": 60}


def kill_running_child(workshop: Any, number: int) -> None:
    for process in workshop.processes():
        os.kill(process.pid, number)


def interrupted(workshop: Any, job_id: str) -> threading.Thread:
    """Started, and a checkpoint lies there."""
    thread: threading.Thread = workshop.start(job_id)
    workshop.until(lambda: workshop.store.checkpoint(job_id).exists())
    return thread


@pytest.mark.parametrize(
    "storage_settings", ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)], indirect=True
)
def test_a_killed_fit_goes_on_from_its_checkpoint_and_leaves_the_same_bytes(workshop: Any) -> None:
    spec = seconds_long(workshop, validation_fraction=0.2)
    whole, job_id = workshop.accept(spec), workshop.accept(spec)
    workshop.runner.run(whole)
    thread = interrupted(workshop, job_id)
    kill_running_child(workshop, signal.SIGKILL)
    thread.join(timeout=10)
    assert workshop.job(job_id).status == JobStatus.QUEUED
    assert workshop.store.checkpoint(job_id).exists()
    assert workshop.runner.run(job_id)
    job = workshop.job(job_id)
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 2), job.error
    (event,) = resumed_events(workshop, job_id)
    assert (event["attempt"], event["phase"]) == (2, "training")
    assert 0 < event["step"] < event["total"]
    assert weights(workshop, job_id) == weights(workshop, whole)
    assert resumed_events(workshop, whole) == []
    assert list(workshop.store.root.glob("checkpoints/*")) == []


def test_a_fit_that_is_handed_back_goes_on_where_it_stopped(workshop: Any) -> None:
    """The first worker writes only when it is asked to leave; the second goes on from that step, not before."""
    workshop.settings.checkpoint_seconds = 3600.0
    job_id = workshop.accept(seconds_long(workshop))
    thread = workshop.start(job_id)
    workshop.until_running(job_id)
    shown = workshop.job(job_id).progress["step"]
    workshop.draining.set()
    thread.join(timeout=10)
    assert workshop.job(job_id).status == JobStatus.QUEUED
    workshop.draining.clear()
    assert workshop.runner.run(job_id)
    assert workshop.job(job_id).status == JobStatus.SUCCEEDED
    (event,) = resumed_events(workshop, job_id)
    assert event["step"] >= shown


def test_a_process_told_to_end_keeps_a_checkpoint(workshop: Any) -> None:
    workshop.settings.checkpoint_seconds = 3600.0
    job_id = workshop.accept(seconds_long(workshop))
    thread = workshop.start(job_id)
    workshop.until_running(job_id)
    kill_running_child(workshop, signal.SIGTERM)
    thread.join(timeout=10)
    assert workshop.job(job_id).status == JobStatus.QUEUED
    assert workshop.store.checkpoint(job_id).exists()
    assert workshop.events(job_id)[-1] == "queued"


def test_a_damaged_checkpoint_costs_a_new_beginning_and_nothing_else(workshop: Any) -> None:
    job_id = workshop.accept(seconds_long(workshop, steps=2000))
    thread = interrupted(workshop, job_id)
    kill_running_child(workshop, signal.SIGKILL)
    thread.join(timeout=10)
    damaged(workshop.store.checkpoint(job_id), 0.5, lambda rest: b"")
    assert workshop.runner.run(job_id)
    assert resumed_events(workshop, job_id) == []
    assert workshop.job(job_id).status == JobStatus.SUCCEEDED


@pytest.mark.parametrize("end", ["cancelled", "lost"])
def test_checkpoints_go_with_the_end_of_the_job(workshop: Any, end: str) -> None:
    job_id = workshop.accept(workshop.long, max_attempts=1)
    thread = interrupted(workshop, job_id)
    if end == "cancelled":
        with workshop.database.unit_of_work() as session:
            Jobs(session, "local").request_cancel(job_id)
    else:
        kill_running_child(workshop, signal.SIGKILL)
    thread.join(timeout=10)
    assert workshop.job(job_id).status == (JobStatus.CANCELLED if end == "cancelled" else JobStatus.FAILED)
    assert list(workshop.store.root.glob("checkpoints/*")) == []


def test_checkpoints_that_were_left_are_swept(workshop: Any) -> None:
    queued, running, ended = (workshop.accept(workshop.short) for _ in range(3))
    for job_id in (running, ended):
        workshop.claim(job_id)
    with workshop.database.unit_of_work() as session:
        JobQueue(session).finish(ended, 1, JobStatus.CANCELLED)
    root = workshop.store.checkpoint(queued).parent
    root.mkdir(parents=True)
    kept = {f"{queued}.safetensors", f"{running}.safetensors", f"{running}.safetensors.1.partial"}
    swept = {f"{ended}.safetensors", f"{queued}.safetensors.1.partial", "job_unknown.safetensors"}
    for name in kept | swept:
        (root / name).write_bytes(b"x")
    collect_leftovers(workshop.database, workshop.store)
    assert {path.name for path in root.iterdir()} == kept | swept
    collect_leftovers(workshop.database, workshop.store, older_than=-1)
    assert {path.name for path in root.iterdir()} == kept
