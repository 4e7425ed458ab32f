"""A job from claim to end, in real processes, on both databases."""

import os
import signal
import time
from typing import Any

import psutil
from sqlalchemy import func, select

from db.job_state import JobStatus
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.tables import Decomposition, LearnedModel


def request_cancel(workshop: Any, job_id: str) -> None:
    with workshop.database.unit_of_work() as session:
        Jobs(session, "local").request_cancel(job_id)


def test_result_models_and_cells_land_in_one_transaction(workshop: Any) -> None:
    fit = workshop.accept(workshop.short)
    assert workshop.runner.run(fit)
    job = workshop.job(fit)
    assert job.status == JobStatus.SUCCEEDED, job.error
    with workshop.database.reading() as session:
        result = Jobs(session, "local").result(fit)
        model = session.scalars(select(LearnedModel)).one()
    assert job.model_ids == [model.id]
    assert result["models"] == [{"id": model.id, "name": "short", "version": 1}]
    assert model.job_id == fit
    for file in model.files.values():
        assert workshop.store.path(file["uri"]).stat().st_size == file["size_bytes"]
    assert workshop.events(fit) == ["queued", "running", "succeeded"]

    grid = workshop.accept(
        {
            "kind": "decompose_error",
            "data": workshop.short["data"],
            "hypothesis_space": {"kind": "random_features"},
            "learner": workshop.short["learner"],
            "widths": [2, 4],
            "sample_sizes": [16],
            "seeds": 2,
            "test_size": 100,
            "reference": {"effort": "quick"},
        }
    )
    assert workshop.runner.run(grid)
    assert workshop.job(grid).status == JobStatus.SUCCEEDED, workshop.job(grid).error
    with workshop.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Decomposition)) == 2


def test_bounds_of_a_stored_model_are_evaluated_by_a_later_job(workshop: Any) -> None:
    fit = workshop.accept(workshop.short)
    workshop.runner.run(fit)
    (model_id,) = workshop.job(fit).model_ids
    with workshop.database.reading() as session:
        assert session.get_one(LearnedModel, model_id).bounds == []
    evaluation = workshop.accept({"kind": "evaluate_bounds", "model_id": model_id})
    workshop.runner.run(evaluation)
    assert workshop.job(evaluation).status == JobStatus.SUCCEEDED, workshop.job(evaluation).error
    with workshop.database.reading() as session:
        assert session.get_one(LearnedModel, model_id).bounds != []


def test_bounds_of_a_model_of_a_table_find_the_table(workshop: Any) -> None:
    column = [(0.37 * row) % 1 for row in range(40)]
    workshop.store_table("ds_0", {"x": column, "y": [value**2 for value in column]})
    data = {"kind": "dataset", "dataset_id": "ds_0", "target_columns": ["y"]}
    fit = workshop.accept({**workshop.short, "data": data, "sample_size": None})
    workshop.runner.run(fit)
    assert workshop.job(fit).status == JobStatus.SUCCEEDED, workshop.job(fit).error
    (model_id,) = workshop.job(fit).model_ids
    evaluation = workshop.accept({"kind": "evaluate_bounds", "model_id": model_id})
    workshop.runner.run(evaluation)
    assert workshop.job(evaluation).status == JobStatus.SUCCEEDED, workshop.job(evaluation).error


def test_second_delivery_does_not_run_twice(workshop: Any) -> None:
    job_id = workshop.accept(workshop.short)
    assert workshop.runner.run(job_id)
    assert not workshop.runner.run(job_id)
    assert workshop.job(job_id).attempt == 1
    assert workshop.events(job_id) == ["queued", "running", "succeeded"]


def test_unknown_model_fails_with_the_code_of_the_mathematics(workshop: Any) -> None:
    job_id = workshop.accept({"kind": "evaluate_bounds", "model_id": "mdl_0"})
    workshop.runner.run(job_id)
    job = workshop.job(job_id)
    assert job.status == JobStatus.FAILED
    assert job.error["code"] == "invalid_data"
    assert "mdl_0" in job.error["message"]


def test_surprise_is_not_told_to_the_client(workshop: Any) -> None:
    job_id = workshop.accept({"kind": "a kind of a newer version"})
    workshop.runner.run(job_id)
    error = workshop.job(job_id).error
    assert error["code"] == "internal_error"
    assert "Traceback" not in error["message"]
    assert "newer version" not in error["message"]


def test_cancelled_only_after_the_process_is_gone(workshop: Any) -> None:
    job_id = workshop.accept(workshop.long)
    thread = workshop.start(job_id)
    workshop.until_running(job_id)
    busy = set(workshop.processes())
    request_cancel(workshop, job_id)
    while workshop.job(job_id).status == JobStatus.RUNNING:
        time.sleep(0.01)
    assert workshop.job(job_id).status == JobStatus.CANCELLED
    gone = [process for process in busy if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE]
    assert len(gone) == 1
    thread.join(timeout=5)
    assert workshop.events(job_id) == ["queued", "running", "cancel_requested", "cancelled"]
    assert not workshop.store.attempt_directory(job_id, 1).exists()


def test_frozen_job_is_killed_after_the_grace_time(workshop: Any) -> None:
    job_id = workshop.accept(workshop.long)
    workshop.start(job_id)
    workshop.until_running(job_id)
    for process in workshop.processes():
        process.suspend()
    started = time.monotonic()
    request_cancel(workshop, job_id)
    workshop.until(lambda: workshop.job(job_id).status == JobStatus.CANCELLED, seconds=6)
    assert time.monotonic() - started >= workshop.settings.cancel_grace_seconds


def test_killed_child_fails_one_job_not_the_worker(workshop: Any) -> None:
    job_id = workshop.accept(workshop.long, max_attempts=1)
    thread = workshop.start(job_id)
    workshop.until_running(job_id)
    # The waiting ones too: the next job must get over a dead child in its place.
    for process in workshop.processes():
        os.kill(process.pid, signal.SIGKILL)
    thread.join(timeout=10)
    job = workshop.job(job_id)
    assert job.status == JobStatus.FAILED
    assert job.error["code"] == "worker_lost"
    assert "killed by signal 9" in job.error["message"]

    after = workshop.accept(workshop.short, max_attempts=1)
    assert workshop.runner.run(after)
    assert workshop.job(after).status == JobStatus.SUCCEEDED


def test_job_of_a_killed_child_is_tried_again(workshop: Any) -> None:
    job_id = workshop.accept(workshop.long)
    thread = workshop.start(job_id)
    workshop.until_running(job_id)
    for process in workshop.processes():
        os.kill(process.pid, signal.SIGKILL)
    thread.join(timeout=10)
    assert workshop.job(job_id).status == JobStatus.QUEUED
    assert workshop.events(job_id) == ["queued", "running", "queued"]


def test_drain_hands_the_job_back(workshop: Any) -> None:
    job_id = workshop.accept(workshop.long, max_attempts=1)
    thread = workshop.start(job_id)
    workshop.until_running(job_id)
    started = time.monotonic()
    workshop.draining.set()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert time.monotonic() - started < 3
    job = workshop.job(job_id)
    assert job.status == JobStatus.QUEUED
    assert job.max_attempts == 2
    assert not workshop.runner.run(job_id)


def test_fenced_runner_writes_nothing(workshop: Any) -> None:
    job_id = workshop.accept(workshop.long)
    thread = workshop.start(job_id)
    workshop.until_running(job_id)
    with workshop.database.unit_of_work() as session:
        assert JobQueue(session).lose(job_id, 1, "taken away") is JobStatus.QUEUED
    second = workshop.claim(job_id)
    assert second.attempt == 2
    thread.join(timeout=5)
    assert not thread.is_alive()
    job = workshop.job(job_id)
    assert (job.status, job.attempt, job.worker) == (JobStatus.RUNNING, 2, "another")
    assert workshop.events(job_id) == ["queued", "running", "queued", "running"]
    assert not workshop.store.attempt_directory(job_id, 1).exists()


def test_one_process_runs_short_jobs_in_turn(workshop: Any) -> None:
    jobs = [workshop.accept(workshop.short) for _ in range(3)]
    for job_id in jobs:
        workshop.runner.run(job_id)
    with workshop.database.reading() as session:
        versions = session.scalars(select(LearnedModel.version).order_by(LearnedModel.id)).all()
    assert versions == [1, 2, 3]
    assert len(workshop.processes()) <= 2
