"""Every end of a job that names a webhook brings a delivery in the same transaction; senders never share an attempt."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.engine import Database
from db.job_state import JobStatus
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.repositories.shards import Shards
from db.repositories.webhook_deliveries import DELIVERED, PENDING, DueDelivery, WebhookDeliveries, WebhookQueue
from db.repositories.webhook_secrets import WebhookSecrets
from db.tables import Job, WebhookDelivery, WebhookSecret
from db.types import after

URL = "https://example.org/hook"


def accept(session: Session, url: str | None = URL, max_attempts: int = 1, owner: str = "local") -> str:
    job = Jobs(session, owner).accept(
        kind="fit", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=max_attempts, webhook_url=url
    )
    return job.id


def claim(session: Session, job_id: str) -> int:
    claimed = JobQueue(session).claim(job_id, "w", 60)
    assert claimed is not None
    return claimed.attempt


def end_by_finish(session: Session, job_id: str) -> None:
    assert JobQueue(session).finish(job_id, claim(session, job_id), JobStatus.SUCCEEDED, result={})


def end_by_failure(session: Session, job_id: str) -> None:
    assert JobQueue(session).finish(job_id, claim(session, job_id), JobStatus.FAILED, error={"code": "c"})


def end_by_loss(session: Session, job_id: str) -> None:
    assert JobQueue(session).lose(job_id, claim(session, job_id), "killed") == JobStatus.FAILED


def end_by_cancelling_the_queued(session: Session, job_id: str) -> None:
    Jobs(session, "local").request_cancel(job_id)


def end_by_losing_the_cancelled(session: Session, job_id: str) -> None:
    attempt = claim(session, job_id)
    Jobs(session, "local").request_cancel(job_id)
    assert JobQueue(session).lose(job_id, attempt, "killed") == JobStatus.CANCELLED


def deliveries(session: Session) -> list[WebhookDelivery]:
    return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (end_by_finish, "succeeded"),
        (end_by_failure, "failed"),
        (end_by_loss, "failed"),
        (end_by_cancelling_the_queued, "cancelled"),
        (end_by_losing_the_cancelled, "cancelled"),
    ],
)
def test_every_way_to_end_brings_one_delivery(database: Database, end: Callable[..., None], status: str) -> None:
    with database.unit_of_work() as session:
        job_id = accept(session)
        end(session, job_id)
        end(session, accept(session, url=None))
    with database.reading() as session:
        (delivery,) = deliveries(session)
        assert (delivery.job_id, delivery.job_status, delivery.url) == (job_id, status, URL)
        assert (delivery.status, delivery.attempts, delivery.owner) == ("pending", 0, "local")
        assert WebhookQueue(session).any_due()


def test_what_rolls_back_takes_the_delivery_with_it(database: Database) -> None:
    with database.unit_of_work() as session:
        job_id = accept(session)

    def fail() -> None:
        with database.unit_of_work() as session:
            end_by_finish(session, job_id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.reading() as session:
        assert deliveries(session) == []
        assert session.get_one(Job, job_id).status == "queued"


def test_going_on_brings_none_and_shards_bring_none(database: Database) -> None:
    with database.unit_of_work() as session:
        job_id = accept(session, max_attempts=3)
        queue = JobQueue(session)
        assert queue.lose(job_id, claim(session, job_id), "killed") == JobStatus.QUEUED
        assert queue.release(job_id, claim(session, job_id), "drain")
        attempt = claim(session, job_id)
        (shard_id,) = Shards(session, job_id).open(attempt, "training", 1)
        assert queue.finish(shard_id, claim(session, shard_id), JobStatus.SUCCEEDED, result={"file": "artefact:x"})
        assert deliveries(session) == []


def test_a_job_that_ends_again_is_told_again(database: Database) -> None:
    with database.unit_of_work() as session:
        job_id = accept(session)
        end_by_failure(session, job_id)
        assert Jobs(session, "local").retry(job_id, 1)
        end_by_finish(session, job_id)
        assert [delivery.job_status for delivery in deliveries(session)] == ["failed", "succeeded"]
        assert Jobs(session, "local").delete(job_id)
        assert deliveries(session) == []


def claim_due(database: Database, limit: int = 10) -> list[DueDelivery]:
    with database.unit_of_work() as session:
        return WebhookQueue(session).claim(limit, 60)


def settle(database: Database, due: DueDelivery, status: str, retry: float | None = None) -> bool:
    with database.unit_of_work() as session:
        return WebhookQueue(session).settle(
            due, status, response_status=500, error="http_status", retry_after_seconds=retry
        )


def let_leases_end(database: Database) -> None:
    with database.unit_of_work() as session:
        session.execute(update(WebhookDelivery).values(next_attempt_at=after(-1)))


def test_claimed_delivery_is_no_one_elses_until_its_lease_ends_and_the_late_one_is_fenced(database: Database) -> None:
    with database.unit_of_work() as session:
        for _ in range(3):
            end_by_finish(session, accept(session))
    first = claim_due(database, limit=2)
    assert [due.attempt for due in first] == [1, 1]
    assert len(claim_due(database)) == 1
    assert claim_due(database) == []
    let_leases_end(database)
    again = {due.id: due for due in claim_due(database)}
    assert {due.attempt for due in again.values()} == {2}
    assert not settle(database, first[0], DELIVERED)
    assert settle(database, again[first[0].id], PENDING, retry=3600)
    with database.reading() as session:
        assert not WebhookQueue(session).any_due()


def test_owners_take_turns_however_many_deliveries_one_has(database: Database) -> None:
    with database.unit_of_work() as session:
        for owner in ("many",) * 5 + ("few",):
            end_by_finish(session, accept(session, owner=owner))
    with database.unit_of_work() as session:
        queue = WebhookQueue(session)
        assert [due.owner for due in queue.claim(1, 60)] == ["many"]
        # One of "many" is under way already.
        assert [due.owner for due in queue.claim(1, 60, {"many": 1})] == ["few"]
        first, second = queue.claim(2, 60, {"many": 2, "few": 1})
        assert first.id < second.id
        assert len(queue.claim(10, 60, {"many": 3})) == 2


def test_redelivery_is_due_at_once_with_every_attempt_before_it(database: Database) -> None:
    with database.unit_of_work() as session:
        job_id = accept(session)
        end_by_finish(session, job_id)
    (due,) = claim_due(database)
    assert settle(database, due, "failed")
    with database.unit_of_work() as session:
        mine = WebhookDeliveries(session, "local")
        assert WebhookDeliveries(session, "other").redeliver(job_id, due.id) is None
        assert mine.redeliver("job_other", due.id) is None
        row = mine.redeliver(job_id, due.id)
        assert row is not None
        assert (row.status, row.attempts) == ("pending", 1)
    (again,) = claim_due(database)
    assert (again.id, again.attempt, again.tries) == (due.id, 2, 1)


def test_secrets_are_of_their_owner_and_overlap_for_a_day_after_a_rotation(database: Database) -> None:
    def live(owner: str = "local", under: bytes = b"s" * 32) -> list[str]:
        with database.reading() as session:
            return WebhookSecrets(session, owner, under).live()

    def rotate() -> None:
        with database.unit_of_work() as session:
            WebhookSecrets(session, "local", b"s" * 32).rotate()

    (first,) = live()
    assert first.startswith("whsec_")
    assert live() == [first]
    assert live("other") != [first] != live(under=b"t" * 32)
    rotate()
    second, previous = live()
    assert previous == first != second
    rotate()
    third, previous = live()
    assert (previous, third not in (first, second)) == (second, True)
    with database.unit_of_work() as session:
        session.execute(update(WebhookSecret).values(rotated_at=after(-86_401)))
    assert live() == [third]


def test_secret_is_not_in_the_database(database: Database) -> None:
    with database.unit_of_work() as session:
        secrets: Any = WebhookSecrets(session, "local", b"s" * 32)
        secrets.rotate()
        live = secrets.live()
        (row,) = session.execute(select(WebhookSecret)).scalars()
        stored = repr({column.name: getattr(row, column.name) for column in WebhookSecret.__table__.columns})
    assert not any(secret.removeprefix("whsec_") in stored for secret in live)
