"""The life cycle of a job in the database, on SQLite and on PostgreSQL."""

import threading

import pytest

from db.engine import Database
from db.job_state import JobStatus
from db.repositories.job_events import events_after
from db.repositories.job_queue import Claim, JobQueue
from db.repositories.jobs import Jobs
from db.tables import Job


def accept(database: Database, max_attempts: int = 3, priority: int = 0) -> str:
    with database.unit_of_work() as session:
        job = Jobs(session, "local").accept(
            kind="fit",
            spec={"kind": "fit"},
            metadata={"team": "blue"},
            priority=priority,
            dataset_ids=["ds_1"],
            max_attempts=max_attempts,
        )
        return job.id


def claim(database: Database, job_id: str | None = None, lease_seconds: float = 60) -> Claim | None:
    with database.unit_of_work() as session:
        return JobQueue(session).claim(job_id, "worker-1", lease_seconds)


def status(database: Database, job_id: str) -> str:
    with database.reading() as session:
        job = Jobs(session, "local").get(job_id)
        assert job is not None
        return job.status


def event_types(database: Database, job_id: str) -> list[str]:
    with database.reading() as session:
        return [event.type for event in events_after(session, job_id, 0)]


def test_second_claim_of_a_job_finds_nothing(database: Database) -> None:
    job_id = accept(database)
    first = claim(database, job_id)
    assert first is not None
    assert first.attempt == 1
    assert claim(database, job_id) is None


def test_ring_for_a_taken_job_takes_the_oldest_queued_one(database: Database) -> None:
    taken, oldest = accept(database), accept(database)
    claim(database, taken)
    other = claim(database, taken)
    assert other is not None
    assert other.job_id == oldest


def test_higher_priority_goes_first(database: Database) -> None:
    accept(database)
    urgent = accept(database, priority=5)
    got = claim(database)
    assert got is not None
    assert got.job_id == urgent


def test_parallel_claims_take_each_job_once(database: Database) -> None:
    jobs = {accept(database) for _ in range(12)}
    taken: list[str] = []

    def work() -> None:
        while (got := claim(database)) is not None:
            taken.append(got.job_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(jobs)


def test_lost_claim_can_write_nothing(database: Database) -> None:
    job_id = accept(database)
    stale = claim(database, job_id, lease_seconds=-1)
    assert stale is not None
    with database.unit_of_work() as session:
        assert JobQueue(session).requeue_expired() == [job_id]
    fresh = claim(database, job_id)
    assert fresh is not None
    assert fresh.attempt == 2
    with database.unit_of_work() as session:
        queue = JobQueue(session)
        assert not queue.heartbeat(job_id, stale.attempt, 60).held
        assert not queue.finish(job_id, stale.attempt, JobStatus.SUCCEEDED, result={"from": "the dead"})
        assert queue.finish(job_id, fresh.attempt, JobStatus.SUCCEEDED, result={"from": "the living"})
    with database.reading() as session:
        assert Jobs(session, "local").result(job_id) == {"from": "the living"}


def test_last_lost_attempt_fails_as_worker_lost(database: Database) -> None:
    job_id = accept(database, max_attempts=1)
    got = claim(database, job_id)
    assert got is not None
    with database.unit_of_work() as session:
        assert JobQueue(session).lose(job_id, got.attempt, "killed by signal 9") is JobStatus.FAILED
    with database.reading() as session:
        job = session.get_one(Job, job_id)
        assert job.error is not None
        assert job.error["code"] == "worker_lost"
        assert "signal 9" in job.error["message"]
        assert job.finished_at is not None


def test_handing_back_does_not_use_up_an_attempt(database: Database) -> None:
    job_id = accept(database, max_attempts=1)
    for expected in (1, 2, 3):
        got = claim(database, job_id)
        assert got is not None
        assert got.attempt == expected
        with database.unit_of_work() as session:
            assert JobQueue(session).release(job_id, got.attempt, "shutting down")
    assert status(database, job_id) == JobStatus.QUEUED


def test_queued_job_is_cancelled_at_once(database: Database) -> None:
    job_id = accept(database)
    with database.unit_of_work() as session:
        assert Jobs(session, "local").request_cancel(job_id) == JobStatus.QUEUED
    assert status(database, job_id) == JobStatus.CANCELLED
    assert claim(database, job_id) is None


def test_running_job_stays_running_until_it_stopped(database: Database) -> None:
    job_id = accept(database)
    got = claim(database, job_id)
    assert got is not None
    with database.unit_of_work() as session:
        assert Jobs(session, "local").request_cancel(job_id) == JobStatus.RUNNING
    assert status(database, job_id) == JobStatus.RUNNING
    with database.unit_of_work() as session:
        beat = JobQueue(session).heartbeat(job_id, got.attempt, 60)
    assert beat.held
    assert beat.cancel_requested
    with database.unit_of_work() as session:
        assert JobQueue(session).lose(job_id, got.attempt, "killed") is JobStatus.CANCELLED
    assert event_types(database, job_id) == ["queued", "running", "cancel_requested", "cancelled"]


def test_retry_is_a_new_attempt_of_the_same_job(database: Database) -> None:
    job_id = accept(database, max_attempts=1)
    got = claim(database, job_id)
    assert got is not None
    with database.unit_of_work() as session:
        assert not Jobs(session, "local").retry(job_id, 1)
        JobQueue(session).finish(job_id, got.attempt, JobStatus.FAILED, error={"code": "x", "message": "y"})
    with database.unit_of_work() as session:
        assert Jobs(session, "local").retry(job_id, 1)
    again = claim(database, job_id)
    assert again is not None
    assert again.attempt == 2


def test_sweeper_rings_for_few_and_backs_off(database: Database) -> None:
    jobs = [accept(database) for _ in range(5)]
    with database.unit_of_work() as session:
        assert JobQueue(session).due_rings() == []
        for job_id in jobs:
            session.get_one(Job, job_id).ring_at = session.get_one(Job, job_id).created_at
    with database.unit_of_work() as session:
        assert JobQueue(session).due_rings() == jobs[:2]
        assert JobQueue(session).due_rings() == jobs[2:4]


def test_progress_is_stored_and_logged(database: Database) -> None:
    job_id = accept(database)
    got = claim(database, job_id)
    assert got is not None
    with database.unit_of_work() as session:
        JobQueue(session).heartbeat(job_id, got.attempt, 60, {"phase": "training", "step": 1, "total": 2})
    with database.reading() as session:
        job = session.get_one(Job, job_id)
        assert job.progress == {"phase": "training", "step": 1, "total": 2}
        ids = [event.id for event in events_after(session, job_id, 0)]
        assert ids == sorted(ids)
        assert [event.type for event in events_after(session, job_id, ids[1])] == ["progress"]


def test_another_owner_sees_nothing(database: Database) -> None:
    job_id = accept(database)
    with database.unit_of_work() as session:
        stranger = Jobs(session, "stranger")
        assert stranger.get(job_id) is None
        assert stranger.request_cancel(job_id) is None
        assert not stranger.delete(job_id)
        assert list(stranger.page(limit=10, after=None, order="desc").items) == []


def test_pages_follow_each_other_without_gap(database: Database) -> None:
    jobs = [accept(database) for _ in range(5)]
    seen: list[str] = []
    after = None
    with database.reading() as session:
        while True:
            page = Jobs(session, "local").page(limit=2, after=after, order="asc", metadata={"team": "blue"})
            seen += [job.id for job in page.items]
            if not page.has_more:
                break
            after = seen[-1]
        assert seen == jobs
        assert not Jobs(session, "local").page(limit=2, after=None, order="asc", metadata={"team": "red"}).items
        assert Jobs(session, "local").page(limit=9, after=None, order="asc", dataset_id="ds_1").items


def test_active_job_cannot_be_deleted(database: Database) -> None:
    job_id = accept(database)
    with database.unit_of_work() as session:
        assert not Jobs(session, "local").delete(job_id)
        assert Jobs(session, "local").active_with_dataset("ds_1") == [job_id]
        Jobs(session, "local").request_cancel(job_id)
        assert Jobs(session, "local").delete(job_id)
        assert Jobs(session, "local").active_with_dataset("ds_1") == []


def test_oldest_wait_is_measured_by_the_database(database: Database) -> None:
    with database.reading() as session:
        assert JobQueue(session).oldest_queued_seconds() is None
    accept(database)
    with database.reading() as session:
        waited = JobQueue(session).oldest_queued_seconds()
    assert waited is not None
    assert waited == pytest.approx(0, abs=5)
