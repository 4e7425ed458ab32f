"""Webhook deliveries: written with the end of a job, claimed by whoever sends them, shown to the owner."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, func, select, update
from sqlalchemy.orm import Session

from db.identifiers import new_id
from db.repositories.changes import changed
from db.repositories.pages import Order, Page, page_by_id
from db.tables import Job, WebhookDelivery
from db.types import after as instant_after
from db.types import now

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"


@dataclass(frozen=True)
class DueDelivery:
    """A claimed delivery. `attempt`: the fencing token; `tries`: attempts since it was asked for, this one included."""

    id: str
    attempt: int
    tries: int
    job_id: str
    owner: str
    url: str
    job_status: str
    created_at: datetime


def announce_end(session: Session, job_id: str, job_status: str) -> None:
    """Where the job names a webhook, a delivery of this status; in the transaction that writes it."""
    row = session.execute(select(Job.owner, Job.webhook_url).where(Job.id == job_id)).one_or_none()
    if row is None or row.webhook_url is None:
        return
    session.add(
        WebhookDelivery(id=new_id("msg"), job_id=job_id, owner=row.owner, url=row.webhook_url, job_status=job_status)
    )
    session.flush()


class WebhookQueue:
    """Deliveries as senders see them, over every owner."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def any_due(self) -> bool:
        """Whether there is something to claim; a look that takes no lock."""
        due = exists().where(WebhookDelivery.status == PENDING, WebhookDelivery.next_attempt_at <= now())
        return bool(self.session.scalar(select(due)))

    def claim(self, limit: int, lease_seconds: float, busy: Mapping[str, int] | None = None) -> list[DueDelivery]:
        """Due deliveries; each is due again after the lease, should nothing come of it.

        The owners take turns, those later who keep senders `busy` already (how many): an owner whose receivers hang
        does not hold up the others. Of one owner, what has been due longest comes first.
        """
        is_due = (WebhookDelivery.status == PENDING, WebhookDelivery.next_attempt_at <= now())
        turn: ColumnElement[int] = func.row_number().over(
            partition_by=WebhookDelivery.owner, order_by=(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
        )
        if busy:
            turn = turn + case(dict(busy), value=WebhookDelivery.owner, else_=0)
        wanted = select(WebhookDelivery.id).where(*is_due).order_by(turn, WebhookDelivery.next_attempt_at).limit(limit)
        # In two statements: rows that are counted cannot be locked.
        due = self.session.scalars(
            select(WebhookDelivery)
            .where(WebhookDelivery.id.in_(self.session.scalars(wanted).all()), *is_due)
            .with_for_update(skip_locked=True)
        ).all()
        claimed = []
        for row in due:
            row.attempts += 1
            row.last_attempt_at = now()
            row.next_attempt_at = instant_after(lease_seconds)
            tries = row.attempts - row.earlier_attempts
            claimed.append(
                DueDelivery(row.id, row.attempts, tries, row.job_id, row.owner, row.url, row.job_status, row.created_at)
            )
        self.session.flush()
        return claimed

    def settle(
        self,
        delivery: DueDelivery,
        status: str,
        *,
        response_status: int | None,
        error: str | None,
        retry_after_seconds: float | None,
    ) -> bool:
        """Write how an attempt ended. False where another attempt has begun since: then nothing is written."""
        statement = (
            update(WebhookDelivery)
            .where(WebhookDelivery.id == delivery.id, WebhookDelivery.attempts == delivery.attempt)
            .values(
                status=status,
                response_status=response_status,
                error=error,
                next_attempt_at=None if retry_after_seconds is None else instant_after(retry_after_seconds),
            )
        )
        return changed(self.session, statement)


class WebhookDeliveries:
    """Deliveries of one owner's jobs."""

    def __init__(self, session: Session, owner: str) -> None:
        self.session = session
        self.owner = owner

    def page(self, job_id: str, *, limit: int, after: str | None, order: Order) -> Page[WebhookDelivery]:
        """Deliveries of a job by creation."""
        query = select(WebhookDelivery).where(WebhookDelivery.job_id == job_id, WebhookDelivery.owner == self.owner)
        return page_by_id(self.session, query, WebhookDelivery.id, limit, after, order)

    def redeliver(self, job_id: str, delivery_id: str) -> WebhookDelivery | None:
        """Due now, with every attempt before it again; None where there is no such delivery."""
        row = self.session.scalar(
            select(WebhookDelivery)
            .where(
                WebhookDelivery.id == delivery_id,
                WebhookDelivery.job_id == job_id,
                WebhookDelivery.owner == self.owner,
            )
            .with_for_update()
        )
        if row is None:
            return None
        row.status = PENDING
        row.earlier_attempts = row.attempts
        row.next_attempt_at = now()
        self.session.flush()
        self.session.refresh(row)
        return row
