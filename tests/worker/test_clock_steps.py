"""Clocks that are set while jobs run, and a machine that slept: no living worker loses its claim by it."""

import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from db.job_state import JobStatus
from db.repositories.job_queue import JobQueue
from db.tables import Job
from db.types import seconds
from worker.identity import has_ended, worker_id
from worker.sweeper import Sweeper

HOUR = 3600.0
LEASE_SECONDS = 1.0


@pytest.fixture
def sweeper(workshop: Any) -> Sweeper:
    settings = workshop.settings.model_copy(update={"lease_seconds": LEASE_SECONDS, "stall_seconds": 1e6})
    others = (workshop.runner, workshop.children, lambda job_id: None, workshop.draining)
    return Sweeper(workshop.database, workshop.store, settings, "this-worker", *others)


@pytest.fixture
def step(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the database's clock: what it wrote before then lies as much earlier, or later, by it."""
    clock_seconds = JobQueue.clock_seconds

    def by(duration: float) -> None:
        monkeypatch.setattr(JobQueue, "clock_seconds", lambda queue: clock_seconds(queue) + duration)
        with workshop.database.unit_of_work() as session:
            for job in session.query(Job):
                for name in ("lease_expires_at", "ring_at", "queued_at"):
                    # An integer is microseconds; a claim has a lease, a queued job has none.
                    if getattr(job, name) is not None:
                        setattr(job, name, getattr(Job, name) - seconds(duration))

    return by


def claim(workshop: Any, job_id: str) -> None:
    with workshop.database.unit_of_work() as session:
        assert JobQueue(session).claim(job_id, "another machine's", 60) is not None


def renew(workshop: Any, job_id: str) -> None:
    with workshop.database.unit_of_work() as session:
        assert JobQueue(session).heartbeat(job_id, 1, 60).held


def test_clock_put_ahead_ends_no_claim_that_is_still_renewed(
    workshop: Any, sweeper: Sweeper, step: Callable[[float], None]
) -> None:
    renewed, left = workshop.accept(workshop.short), workshop.accept(workshop.short)
    for job_id in (renewed, left):
        claim(workshop, job_id)
    sweeper.sweep()
    step(HOUR)
    sweeper.sweep()
    assert workshop.job(renewed).status == workshop.job(left).status == JobStatus.RUNNING
    renew(workshop, renewed)
    time.sleep(LEASE_SECONDS)
    sweeper.sweep()
    assert workshop.job(renewed).status == JobStatus.RUNNING
    assert workshop.job(left).status == JobStatus.QUEUED


def test_slow_answer_is_no_step_of_the_clock(workshop: Any, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = workshop.accept(workshop.short)
    claim(workshop, job_id)
    clock_seconds = JobQueue.clock_seconds

    def slowly(queue: JobQueue) -> float:
        reading = clock_seconds(queue)
        time.sleep(3)
        return reading

    with monkeypatch.context() as patched:
        patched.setattr(JobQueue, "clock_seconds", slowly)
        sweeper.sweep()
    with workshop.database.unit_of_work() as session:
        session.get_one(Job, job_id).lease_expires_at = Job.created_at
    sweeper.sweep()
    assert workshop.job(job_id).status == JobStatus.QUEUED


def test_clock_put_back_keeps_no_queued_job_from_being_rung_for(workshop: Any, step: Callable[[float], None]) -> None:
    job_id = workshop.accept(workshop.short)
    step(-HOUR)
    with workshop.database.unit_of_work() as session:
        assert JobQueue(session).due_rings() == [job_id]
        assert JobQueue(session).due_rings() == []


def test_neighbour_is_known_by_the_same_number_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    me = worker_id()
    started_at = psutil.Process().create_time()
    # psutil counts from the start of the machine, which the kernel reckons back from the clock.
    boot_time = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot_time + HOUR)
    assert psutil.Process().create_time() == pytest.approx(started_at + HOUR, abs=5)
    assert worker_id() == me
    assert not has_ended(me)
