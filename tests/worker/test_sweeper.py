"""What the sweeper repairs: lost rings, dead workers, a broker that is away, files of dead attempts."""

import os
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from kombu.exceptions import OperationalError as BrokerUnreachable

from db.job_state import JobStatus
from db.repositories.job_queue import JobQueue
from db.repositories.workers import Workers
from db.tables import Job
from worker.identity import worker_id
from worker.leftovers import collect_leftovers
from worker.settings import WorkerSettings
from worker.sweeper import Sweeper


@pytest.fixture
def sweeper_of(workshop: Any) -> Callable[..., Sweeper]:
    def make(ring: Callable[[str], None], **changes: Any) -> Sweeper:
        settings: WorkerSettings = workshop.settings.model_copy(update=changes)
        return Sweeper(
            workshop.database,
            workshop.store,
            settings,
            "this-worker",
            workshop.runner,
            workshop.children,
            ring,
            workshop.draining,
        )

    return make


def make_due(workshop: Any, job_id: str) -> None:
    with workshop.database.unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.ring_at = job.created_at


def unreachable(job_id: str) -> None:
    raise BrokerUnreachable("nobody listens")


def test_lost_ring_is_sent_again(workshop: Any, sweeper_of: Callable[..., Sweeper]) -> None:
    job_id = workshop.accept(workshop.short)
    make_due(workshop, job_id)
    rung: list[str] = []
    sweeper = sweeper_of(rung.append)
    sweeper.sweep()
    sweeper.sweep()
    assert rung == [job_id]


def test_dead_broker_does_not_keep_a_job_waiting(workshop: Any, sweeper_of: Callable[..., Sweeper]) -> None:
    job_id = workshop.accept(workshop.short)
    make_due(workshop, job_id)
    sweeper = sweeper_of(unreachable, stall_seconds=0.001)
    sweeper.sweep()
    workshop.until(lambda: workshop.job(job_id).status == JobStatus.SUCCEEDED)
    assert workshop.events(job_id) == ["queued", "running", "succeeded"]


def test_job_of_a_dead_neighbour_is_queued_without_waiting_for_its_lease(
    workshop: Any, sweeper_of: Callable[..., Sweeper]
) -> None:
    machine, _, started = worker_id().split("/")
    dead, alive = workshop.accept(workshop.short), workshop.accept(workshop.short)
    ended = next(number for number in range(2**22, 0, -1) if not psutil.pid_exists(number))
    workshop.claim(dead, f"{machine}/{ended}/{started}")
    workshop.claim(alive, f"{machine}/{os.getpid()}/{started}")
    sweeper_of(lambda _: None).sweep()
    assert workshop.job(dead).status == JobStatus.QUEUED
    assert workshop.job(alive).status == JobStatus.RUNNING


def test_worker_counts_as_present_once_a_job_could_start(workshop: Any, sweeper_of: Callable[..., Sweeper]) -> None:
    sweeper = sweeper_of(lambda _: None)

    def present() -> int:
        with workshop.database.reading() as session:
            return Workers(session).fresh(30)

    sweeper.sweep()
    assert present() == 0
    workshop.children.start()
    workshop.until(lambda: sweeper.sweep() is None and present() == 1)
    workshop.draining.set()
    sweeper.start()
    sweeper.stop()
    assert present() == 0


def test_files_of_dead_attempts_are_collected_and_those_of_models_stay(workshop: Any) -> None:
    job_id = workshop.accept(workshop.short)
    workshop.runner.run(job_id)
    running = workshop.accept(workshop.short)
    workshop.claim(running)
    homes = [workshop.store.attempt_directory(job, attempt) for job, attempt in ((job_id, 1), (running, 1))]
    dead = workshop.store.attempt_directory(job_id, 7)
    for directory in (homes[1], dead):
        directory.mkdir(parents=True)
        (directory / "half.bin").write_bytes(b"half")
    assert collect_leftovers(workshop.database, workshop.store) == 0
    assert collect_leftovers(workshop.database, workshop.store, older_than=-1) == 1
    assert not dead.exists()
    assert all(directory.exists() for directory in homes)
    with workshop.database.unit_of_work() as session:
        JobQueue(session).finish(running, 1, JobStatus.CANCELLED)
    assert collect_leftovers(workshop.database, workshop.store, older_than=-1) == 1
