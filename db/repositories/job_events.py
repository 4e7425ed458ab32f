"""The log of a job."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.job_state import TERMINAL
from db.repositories.webhook_deliveries import announce_end
from db.tables import JobEvent


def record_event(session: Session, job_id: str, type_: str, data: dict[str, Any]) -> None:
    """Append an event; call it after the job's row was written in this transaction (see JobEvent).

    One that says that the job ended brings its webhook's delivery with it: no end without one, whoever wrote it.
    """
    session.add(JobEvent(job_id=job_id, type=type_, data=data))
    session.flush()
    if type_ in TERMINAL:
        announce_end(session, job_id, type_)


def events_after(session: Session, job_id: str, last_id: int, limit: int = 1000) -> Sequence[JobEvent]:
    """Events of a job with ids above `last_id`, oldest first."""
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > last_id).order_by(JobEvent.id).limit(limit)
    return list(session.scalars(query))
