"""What became of jobs, read from their events: every process can count what any worker did."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from db.job_state import TERMINAL
from db.tables import Job, JobEvent
from db.types import now, seconds

SETTLED_SECONDS = 5.0
"""Ids are drawn before their transactions commit: what is older than this has no unseen neighbour below it."""


@dataclass(frozen=True)
class RunEvent:
    """An event that ends a run. `outcome`: the job's terminal status, None where the job goes on, and of a shard.

    `lost`: the run's worker or process was lost. `seconds`: from the job's first start to this event.
    """

    id: int
    kind: str
    outcome: str | None
    lost: bool
    seconds: float


def newest_event_id(session: Session) -> int:
    """The id from which a process that starts now has to count; 0 without events."""
    return session.scalar(select(func.max(JobEvent.id))) or 0


def run_events_after(session: Session, last_id: int, limit: int = 10_000) -> list[RunEvent]:
    """Ends of runs with ids above `last_id` that have settled, oldest first. Those of deleted jobs are gone."""
    age = type_coerce(now(), BigInteger) - type_coerce(JobEvent.created_at, BigInteger)
    rows = session.execute(
        select(JobEvent.id, JobEvent.type, JobEvent.data, JobEvent.created_at, Job.kind, Job.started_at, Job.parent_id)
        .join(Job, Job.id == JobEvent.job_id)
        .where(
            JobEvent.id > last_id,
            JobEvent.type.in_([*TERMINAL, "queued"]),
            age >= seconds(SETTLED_SECONDS),
        )
        .order_by(JobEvent.id)
        .limit(limit)
    )
    return [
        RunEvent(
            id=identifier,
            kind=kind,
            outcome=type_ if type_ in TERMINAL and parent_id is None else None,
            lost="cause" in data,
            seconds=0.0 if started_at is None else max(0.0, (at - started_at).total_seconds()),
        )
        for identifier, type_, data, at, kind, started_at, parent_id in rows
    ]
