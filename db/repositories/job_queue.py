"""The worker's side of a job: claim, heartbeat, finish, release, sweep. Every transition is one conditional UPDATE.

A claim raises `attempt`, the fencing token. Whoever holds a claim names (job, attempt) in every later statement; no
row changed means that the claim was lost, and whatever was computed must not be written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, func, or_, select, true, type_coerce, update
from sqlalchemy.orm import Session

from db.job_state import TERMINAL, JobStatus
from db.repositories.changes import changed
from db.repositories.job_events import record_event
from db.repositories.shards import end_shards
from db.tables import Job
from db.types import after, now, seconds

LONGEST_RING_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class ShardPlace:
    """Number `index` of `count` shards in the round `name` of the job `parent_id`."""

    parent_id: str
    name: str
    index: int
    count: int


@dataclass(frozen=True)
class Claim:
    """A running job, or the shard of one, in the hands of one worker."""

    job_id: str
    attempt: int
    owner: str
    kind: str
    spec: dict[str, Any]
    max_attempts: int
    request_id: str | None
    priority: int
    shard: ShardPlace | None


@dataclass(frozen=True)
class Heartbeat:
    """What a heartbeat learns: whether the claim still holds and whether the client wants it to end."""

    held: bool
    cancel_requested: bool


def _held(job_id: str, attempt: int) -> ColumnElement[bool]:
    return and_(Job.id == job_id, Job.attempt == attempt, Job.status == JobStatus.RUNNING)


class JobQueue:
    """The queue as workers see it, over every owner."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def claim(self, job_id: str | None, worker: str, lease_seconds: float) -> Claim | None:
        """Take the named job if it is queued, else the first queued one by priority and age, else None.

        A ring that comes late or twice thus still does useful work, and never the same work twice.
        """
        named = self._claim_where(Job.id == job_id, worker, lease_seconds) if job_id is not None else None
        return named or self._claim_where(true(), worker, lease_seconds)

    def claim_shard(self, parent_id: str, worker: str, lease_seconds: float) -> Claim | None:
        """Take a queued shard of this job, else None."""
        return self._claim_where(Job.parent_id == parent_id, worker, lease_seconds)

    def _claim_where(self, condition: ColumnElement[bool], worker: str, lease_seconds: float) -> Claim | None:
        wanted = select(Job.id).where(Job.status == JobStatus.QUEUED, condition)
        identifier = self.session.scalar(
            wanted.order_by(Job.priority.desc(), Job.id).limit(1).with_for_update(skip_locked=True)
        )
        if identifier is None:
            return None
        row = self.session.scalars(
            update(Job)
            .where(Job.id == identifier, Job.status == JobStatus.QUEUED)
            .values(
                status=JobStatus.RUNNING,
                attempt=Job.attempt + 1,
                worker=worker,
                lease_expires_at=after(lease_seconds),
                started_at=func.coalesce(Job.started_at, now()),
                progress=None,
            )
            .returning(Job)
        ).one_or_none()
        if row is None:
            return None
        record_event(self.session, row.id, "running", {"attempt": row.attempt})
        place = None
        if row.parent_id is not None and row.shard_name is not None:
            place = ShardPlace(row.parent_id, row.shard_name, row.shard_index or 0, row.shard_count or 1)
        return Claim(
            row.id, row.attempt, row.owner, row.kind, row.spec, row.max_attempts, row.request_id, row.priority, place
        )

    def heartbeat(
        self, job_id: str, attempt: int, lease_seconds: float, progress: dict[str, Any] | None = None
    ) -> Heartbeat:
        """Renew the lease; with `progress`, also store it and log it."""
        values: dict[str, Any] = {"lease_expires_at": after(lease_seconds)}
        if progress is not None:
            values["progress"] = progress
        row = self.session.execute(
            update(Job).where(_held(job_id, attempt)).values(values).returning(Job.cancel_requested_at)
        ).one_or_none()
        if row is None:
            return Heartbeat(held=False, cancel_requested=False)
        if progress is not None:
            record_event(self.session, job_id, "progress", progress)
        return Heartbeat(held=True, cancel_requested=row.cancel_requested_at is not None)

    def record_resumed(self, job_id: str, attempt: int, lease_seconds: float, place: dict[str, Any]) -> bool:
        """Log that this attempt goes on from a checkpoint: at which phase, step and total. False where it was lost."""
        held = self.heartbeat(job_id, attempt, lease_seconds).held
        if held:
            record_event(self.session, job_id, "resumed", {"attempt": attempt, **place})
        return held

    def standing(self, job_id: str, attempt: int) -> Heartbeat:
        """What a heartbeat would learn, without writing."""
        row = self.session.execute(select(Job.cancel_requested_at).where(_held(job_id, attempt))).one_or_none()
        return Heartbeat(held=row is not None, cancel_requested=row is not None and row.cancel_requested_at is not None)

    def held_claims(self) -> list[tuple[str, int, str]]:
        """(job, attempt, worker) of every running job, for a worker that can see that another's process has ended."""
        rows = self.session.execute(select(Job.id, Job.attempt, Job.worker).where(Job.status == JobStatus.RUNNING))
        return [(job_id, attempt, worker) for job_id, attempt, worker in rows if worker is not None]

    def finish(
        self,
        job_id: str,
        attempt: int,
        status: JobStatus,
        *,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
        model_ids: Sequence[str] = (),
    ) -> bool:
        """End the claim with a terminal status. False where the claim was lost: roll everything back."""
        held = changed(
            self.session,
            update(Job)
            .where(_held(job_id, attempt))
            .values(
                status=status,
                result=result,
                error=error,
                model_ids=list(model_ids),
                finished_at=now(),
                lease_expires_at=None,
            ),
        )
        if held:
            data: dict[str, Any] = {"attempt": attempt}
            if error is not None:
                data["error"] = error
            record_event(self.session, job_id, status.value, data)
            end_shards(self.session, job_id)
        return held

    def release(self, job_id: str, attempt: int, reason: str) -> bool:
        """Hand a job back unharmed: queued again at once, and this attempt does not count against the maximum."""
        held = changed(
            self.session,
            update(Job)
            .where(_held(job_id, attempt))
            .values(
                status=JobStatus.QUEUED,
                max_attempts=Job.max_attempts + 1,
                lease_expires_at=None,
                worker=None,
                progress=None,
                rings=0,
                queued_at=now(),
                ring_at=now(),
            ),
        )
        if held:
            record_event(self.session, job_id, "queued", {"handed_back": reason, "attempt": attempt})
        return held

    def lose(self, job_id: str, attempt: int, cause: str) -> JobStatus | None:
        """The run died under its claim: queue it again, or fail it as `worker_lost` after the last attempt.

        A job whose cancellation was asked for is cancelled instead: what it did has certainly stopped.
        Returns the new status, or None where the claim was lost already.
        """
        return self._lose_where(_held(job_id, attempt), cause)

    def _lose_where(self, condition: ColumnElement[bool], cause: str) -> JobStatus | None:
        exhausted = Job.attempt >= Job.max_attempts
        cancelled = Job.cancel_requested_at.is_not(None)
        ends = cancelled | exhausted
        row = self.session.execute(
            update(Job)
            .where(condition)
            .values(
                status=case(
                    (cancelled, JobStatus.CANCELLED.value),
                    (exhausted, JobStatus.FAILED.value),
                    else_=JobStatus.QUEUED.value,
                ),
                finished_at=case((ends, now()), else_=None),
                lease_expires_at=None,
                worker=None,
                rings=0,
                queued_at=now(),
                ring_at=now(),
            )
            .returning(Job.id, Job.status, Job.attempt)
        ).one_or_none()
        if row is None:
            return None
        status = JobStatus(row.status)
        data: dict[str, Any] = {"attempt": row.attempt, "cause": cause}
        if status is JobStatus.FAILED:
            error = {
                "code": "worker_lost",
                "message": f"The run ended without an answer in attempt {row.attempt}, the last allowed: {cause}.",
                "param": None,
            }
            self.session.execute(update(Job).where(Job.id == row.id).values(error=error))
            data["error"] = error
        record_event(self.session, row.id, status.value, data)
        if status in TERMINAL:
            end_shards(self.session, row.id)
        return status

    def requeue_expired(self, limit: int = 20) -> list[str]:
        """End the claims whose lease ran out (see `lose`); ids of the jobs touched."""
        expired = list(
            self.session.scalars(
                select(Job.id)
                .where(Job.status == JobStatus.RUNNING, Job.lease_expires_at < now())
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
        )
        for job_id in expired:
            self._lose_where(
                and_(Job.id == job_id, Job.status == JobStatus.RUNNING, Job.lease_expires_at < now()),
                "its worker stopped renewing the lease",
            )
        return expired

    def due_rings(self, limit: int = 2) -> list[str]:
        """The oldest queued jobs that should be rung for now; each waits twice as long for its next ring, to 60 s.

        Few at a time: a free worker takes the oldest queued job whatever it was rung for. A turn that is further off
        than any pause was set before the database's clock was put back.
        """
        turn = or_(Job.ring_at <= now(), Job.ring_at > after(LONGEST_RING_PAUSE_SECONDS))
        due = list(
            self.session.execute(
                select(Job.id, Job.rings)
                .where(Job.status == JobStatus.QUEUED, turn)
                .order_by(Job.priority.desc(), Job.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
        )
        for job_id, rings in due:
            wait = min(LONGEST_RING_PAUSE_SECONDS, 2.0 ** (rings + 1))
            self.session.execute(update(Job).where(Job.id == job_id).values(rings=rings + 1, ring_at=after(wait)))
        return [job_id for job_id, _ in due]

    def clock_seconds(self) -> float:
        """The database's clock, by which leases end."""
        return float(self.session.scalar(select(type_coerce(now(), BigInteger))) or 0) / seconds(1)

    def oldest_queued_seconds(self) -> float | None:
        """How long the job that has waited longest is waiting, for the watchdog; None: nothing is queued."""
        waiting = self.session.scalar(
            select(func.max(type_coerce(now(), BigInteger) - type_coerce(Job.queued_at, BigInteger))).where(
                Job.status == JobStatus.QUEUED
            )
        )
        return None if waiting is None else waiting / seconds(1)
