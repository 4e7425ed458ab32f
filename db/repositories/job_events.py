"""The log of a job."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import JobEvent


def record_event(session: Session, job_id: str, type_: str, data: dict[str, Any]) -> None:
    """Append an event; call it after the job's row was written in this transaction (see JobEvent)."""
    session.add(JobEvent(job_id=job_id, type=type_, data=data))
    session.flush()


def events_after(session: Session, job_id: str, last_id: int, limit: int = 1000) -> Sequence[JobEvent]:
    """Events of a job with ids above `last_id`, oldest first."""
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > last_id).order_by(JobEvent.id).limit(limit)
    return list(session.scalars(query))
