"""A job whose grid is split into shards: the same numbers, whoever computes them, and nothing left behind."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kept_children import ReusedChildren
from sqlalchemy import func, select

from db.job_state import JobStatus
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.tables import Job
from worker.runner import Runner
from worker.settings import WorkerSettings

GRID = {
    "kind": "decompose_error",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
    "hypothesis_space": [{"kind": "random_features"}, {"kind": "two_layer"}],
    "learner": [{"kind": "ridge", "penalty": 0.01}, {"kind": "adam", "steps": 60, "validation_fraction": 0.0}],
    "widths": [2, 4],
    "sample_sizes": [16],
    "seeds": 2,
    "test_size": 200,
    "reference": {"effort": "quick"},
}
OF_TABLE = GRID | {
    "data": {"kind": "dataset", "dataset_id": "ds_0", "target_columns": ["y"]},
    "widths": [4, 2],
    "sample_sizes": [8, 16, 24],
    "folds": 3,
}
STEP_BY_STEP = GRID | {
    "learner": [
        {"kind": "ridge", "penalty": 0.01},
        {"kind": "stochastic_gradient_descent", "steps": 2_500, "validation_fraction": 0.0},
    ],
}
"""Shards of a second on any machine: one small step after the other."""

LONG_GRID = GRID | {"learner": [{"kind": "ridge"}, {"kind": "stochastic_gradient_descent", "steps": 1_000_000}]}


@pytest.fixture
def worker_settings(worker_settings: WorkerSettings) -> WorkerSettings:
    """Every grid is worth splitting."""
    return worker_settings.model_copy(update={"shard_seconds": 1e-6})


@pytest.fixture
def second(workshop: Any) -> Iterator[Runner]:
    """Another worker on the same rows and files."""
    children = ReusedChildren(workshop.settings, workshop.kept_children)
    yield Runner(
        workshop.database,
        workshop.store,
        workshop.settings,
        "second-worker",
        children,
        workshop.draining,
        lambda job_id: None,
    )
    workshop.draining.set()
    children.close()


def result_of(workshop: Any, job_id: str) -> dict[str, Any]:
    job = workshop.job(job_id)
    assert job.status == JobStatus.SUCCEEDED, job.error
    with workshop.database.reading() as session:
        return Jobs(session, "local").result(job_id)


def shards_of(workshop: Any, job_id: str) -> list[Job]:
    with workshop.database.reading() as session:
        return list(session.scalars(select(Job).where(Job.parent_id == job_id).order_by(Job.shard_index)))


_UNDIVIDED: dict[str, dict[str, Any]] = {}


def whole(workshop: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """The same job by a worker that splits nothing; computed once, for whichever database comes first."""
    named = json.dumps(spec, sort_keys=True)
    if named not in _UNDIVIDED:
        _UNDIVIDED[named] = _computed_whole(workshop, spec)
    return _UNDIVIDED[named]


def _computed_whole(workshop: Any, spec: dict[str, Any]) -> dict[str, Any]:
    settings = workshop.settings.model_copy(update={"shard_seconds": 1e6})
    children = ReusedChildren(settings, workshop.kept_children)
    try:
        alone = Runner(
            workshop.database, workshop.store, settings, "undivided", children, threading.Event(), lambda job_id: None
        )
        job_id = workshop.accept(spec)
        assert alone.run(job_id)
        return result_of(workshop, job_id)
    finally:
        children.close()


def work_until_done(runner: Runner, done: threading.Event) -> None:
    while not done.is_set():
        if not runner.run(None, wait_for_slot=False):
            time.sleep(0.02)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("spec", [GRID, OF_TABLE], ids=["target", "table"])
def test_results_are_those_of_an_undivided_run_to_the_bit(workshop: Any, second: Runner, spec: dict[str, Any]) -> None:
    inputs = [(0.37 * row) % 1 for row in range(40)]
    workshop.store_table("ds_0", {"x": inputs, "y": [value**2 for value in inputs]})
    expected = whole(workshop, spec)
    alone = workshop.accept(spec)
    assert workshop.runner.run(alone)
    assert result_of(workshop, alone) == expected

    shared, done, helpers = workshop.accept(spec), threading.Event(), []
    thread = workshop.start(shared)
    workshop.until(lambda: len(shards_of(workshop, shared)) > 0)
    helper = threading.Thread(target=work_until_done, args=(second, done), daemon=True)
    helper.start()
    deadline = time.monotonic() + 240
    while thread.is_alive() and time.monotonic() < deadline:
        helpers += [shard.worker for shard in shards_of(workshop, shared)]
        time.sleep(0.02)
    done.set()
    helper.join(timeout=120)
    assert result_of(workshop, shared) == expected
    assert {"this-worker", "second-worker"} <= set(helpers)
    with workshop.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job).where(Job.parent_id.is_not(None))) == 0
    kept = {path.name for path in (workshop.store.root / "jobs").iterdir()}
    assert kept <= {alone, shared} | {row.id for row in _all_jobs(workshop)}


def _all_jobs(workshop: Any) -> list[Job]:
    with workshop.database.reading() as session:
        return list(session.scalars(select(Job)))


def test_shards_are_no_jobs_of_their_owner(workshop: Any) -> None:
    job_id = workshop.accept(LONG_GRID)
    workshop.start(job_id)
    workshop.until(lambda: any(shard.status == JobStatus.RUNNING for shard in shards_of(workshop, job_id)))
    shard = shards_of(workshop, job_id)[0]
    with workshop.database.reading() as session:
        jobs = Jobs(session, "local")
        assert [job.id for job in jobs.page(limit=10, after=None, order="desc").items] == [job_id]
        assert jobs.get(shard.id) is None


def test_progress_of_the_job_moves_while_its_own_slot_runs_a_shard(workshop: Any) -> None:
    job_id = workshop.accept(LONG_GRID)
    workshop.start(job_id)

    def running() -> list[Job]:
        return [shard for shard in shards_of(workshop, job_id) if shard.status == JobStatus.RUNNING]

    workshop.until(lambda: any(shard.progress for shard in running()))
    (shard,) = running()
    before = (workshop.job(job_id).progress or {}).get("step", 0)
    with workshop.database.unit_of_work() as session:
        # What the shard's process would report with some of its functions trained.
        progress = {"phase": "training", "step": 1, "total": 20, "fraction": 0.05, "eta_seconds": None}
        assert JobQueue(session).heartbeat(shard.id, shard.attempt, 60, progress).held
    workshop.until(lambda: (workshop.job(job_id).progress or {}).get("step", 0) == before + 50)
    assert [one.id for one in running()] == [shard.id]


def test_cancelling_the_job_stops_its_shards_and_forgets_them(workshop: Any, second: Runner) -> None:
    job_id = workshop.accept(LONG_GRID)
    thread = workshop.start(job_id)
    helper = threading.Thread(target=second.run, args=(None,), daemon=True)

    def running() -> list[Job]:
        return [shard for shard in shards_of(workshop, job_id) if shard.status == JobStatus.RUNNING]

    # The quick shards of the linear space come first.
    workshop.until(lambda: any(shard.progress for shard in running()))
    helper.start()
    workshop.until(lambda: len(running()) == 2)
    with workshop.database.unit_of_work() as session:
        Jobs(session, "local").request_cancel(job_id)
    thread.join(timeout=120)
    assert workshop.job(job_id).status == JobStatus.CANCELLED
    assert running() == []
    helper.join(timeout=120)
    assert shards_of(workshop, job_id) == []


def test_failing_shard_fails_the_job_with_its_reason(workshop: Any) -> None:
    diverging = {"kind": "gradient_descent", "steps": 2000, "step_size": 1e9}
    job_id = workshop.accept(GRID | {"hypothesis_space": {"kind": "two_layer"}, "learner": diverging})
    workshop.runner.run(job_id)
    job = workshop.job(job_id)
    assert job.status == JobStatus.FAILED
    assert job.error["code"] == "training_diverged"
    assert shards_of(workshop, job_id) == []


def test_finished_shards_survive_the_loss_of_the_worker(workshop: Any, second: Runner) -> None:
    expected = whole(workshop, STEP_BY_STEP)
    job_id = workshop.accept(STEP_BY_STEP)
    thread = workshop.start(job_id)
    workshop.until(lambda: any(shard.status == JobStatus.SUCCEEDED for shard in shards_of(workshop, job_id)))
    with workshop.database.unit_of_work() as session:
        # As the sweeper does when the worker's lease has run out.
        assert JobQueue(session).lose(job_id, 1, "its worker's process ended") == JobStatus.QUEUED
    thread.join(timeout=120)
    done = {shard.id: shard.attempt for shard in shards_of(workshop, job_id) if shard.status == JobStatus.SUCCEEDED}
    assert done
    attempts = dict[str, int]()

    def watch() -> None:
        while second_thread.is_alive():
            attempts.update({shard.id: shard.attempt for shard in shards_of(workshop, job_id)})
            time.sleep(0.01)

    second_thread = threading.Thread(target=second.run, args=(job_id,), daemon=True)
    second_thread.start()
    watch()
    assert result_of(workshop, job_id) == expected
    assert workshop.job(job_id).attempt == 2
    assert {shard: attempts[shard] for shard in done} == done


def test_killed_shard_is_tried_again(workshop: Any) -> None:
    expected = whole(workshop, STEP_BY_STEP)
    job_id = workshop.accept(STEP_BY_STEP)
    thread = workshop.start(job_id)
    workshop.until(lambda: any(shard.progress for shard in shards_of(workshop, job_id)))
    for process in workshop.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    thread.join(timeout=120)
    assert result_of(workshop, job_id) == expected
