"""The shards of running jobs: rows of the same queue that only workers see."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from db.identifiers import new_id
from db.job_state import ACTIVE, TERMINAL, JobStatus
from db.repositories.job_events import record_event
from db.tables import Job
from db.types import now


@dataclass(frozen=True)
class RoundStanding:
    """How far a round is. `share`: of its work, between 0 and 1. `error`: of a shard that failed, if one did."""

    succeeded: int
    running: int
    queued: int
    share: float
    error: dict[str, Any] | None


class Shards:
    """The shards of one job."""

    def __init__(self, session: Session, parent_id: str) -> None:
        self.session = session
        self.parent_id = parent_id

    def open(self, attempt: int, name: str, count: int) -> list[str]:
        """Queue what is missing of a round: everything at first, and what failed or was cancelled before.

        Ids of the shards that wait now. None is queued where the claim of the job was lost or its end is asked for.
        """
        parent = self.session.scalar(
            select(Job)
            .where(Job.id == self.parent_id, Job.attempt == attempt, Job.status == JobStatus.RUNNING)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if parent is None or parent.cancel_requested_at is not None:
            return []
        ended = Job.status.in_((JobStatus.FAILED, JobStatus.CANCELLED))
        self.session.execute(delete(Job).where(*self._of_round(name), ended))
        there = set(self.session.scalars(select(Job.shard_index).where(*self._of_round(name))))
        # The last ones are taken first: widths ascend, and a costly shard should not be what all others wait for.
        for index in sorted(set(range(count)) - there, reverse=True):
            shard = Job(
                id=new_id("job"),
                owner=parent.owner,
                kind=parent.kind,
                spec=parent.spec,
                priority=parent.priority,
                max_attempts=parent.max_attempts,
                request_id=parent.request_id,
                parent_id=self.parent_id,
                shard_name=name,
                shard_index=index,
                shard_count=count,
            )
            self.session.add(shard)
            self.session.flush()
            record_event(self.session, shard.id, "queued", {})
        queued = select(Job.id).where(*self._of_round(name), Job.status == JobStatus.QUEUED)
        return list(self.session.scalars(queued.order_by(Job.id)))

    def standing(self, name: str) -> RoundStanding:
        """The round as it is now."""
        rows = self.session.execute(
            select(Job.status, Job.progress, Job.error, Job.shard_count)
            .where(*self._of_round(name))
            .order_by(Job.shard_index)
        ).all()
        by_status = {status: [row for row in rows if row.status == status] for status in JobStatus}
        share = 0.0
        for row in rows:
            part = 1 / (row.shard_count or len(rows))
            if row.status == JobStatus.SUCCEEDED:
                share += part
            elif row.progress and row.progress.get("fraction"):
                # A shard reports against the whole job.
                share += min(part, row.progress["fraction"])
        failed = by_status[JobStatus.FAILED]
        return RoundStanding(
            succeeded=len(by_status[JobStatus.SUCCEEDED]),
            running=len(by_status[JobStatus.RUNNING]),
            queued=len(by_status[JobStatus.QUEUED]),
            share=min(1.0, share),
            error=failed[0].error if failed else None,
        )

    def finished_rounds(self) -> dict[str, list[str]]:
        """URIs of the files of every round all of whose shards succeeded, in order."""
        rows = self.session.execute(
            select(Job.shard_name, Job.shard_count, Job.result)
            .where(Job.parent_id == self.parent_id, Job.status == JobStatus.SUCCEEDED)
            .order_by(Job.shard_name, Job.shard_index)
        ).all()
        found: dict[str, list[str]] = {}
        counts: dict[str, int] = {}
        for name, count, result in rows:
            found.setdefault(name, []).append(result["file"])
            counts[name] = count
        return {name: files for name, files in found.items() if len(files) == counts[name]}

    def ids(self) -> list[str]:
        """Of every shard that has a row."""
        return list(self.session.scalars(select(Job.id).where(Job.parent_id == self.parent_id)))

    def _of_round(self, name: str) -> tuple[Any, ...]:
        return Job.parent_id == self.parent_id, Job.shard_name == name


def stop_shards(session: Session, parent_id: str) -> None:
    """Running shards are asked to stop, waiting ones are forgotten."""
    of_parent = Job.parent_id == parent_id
    # In this order: what is claimed in between is running by the second statement.
    session.execute(delete(Job).where(of_parent, Job.status == JobStatus.QUEUED))
    session.execute(
        update(Job)
        .where(of_parent, Job.status == JobStatus.RUNNING, Job.cancel_requested_at.is_(None))
        .values(cancel_requested_at=now())
    )


def end_shards(session: Session, parent_id: str) -> None:
    """What becomes of the shards of a job that ended: running ones are asked to stop, the others are forgotten."""
    stop_shards(session, parent_id)
    session.execute(delete(Job).where(Job.parent_id == parent_id, Job.status != JobStatus.RUNNING))


def remove_orphaned_shards(session: Session) -> None:
    """Forget shards that ran when their job ended, once they have ended too."""
    parent = aliased(Job)
    needed = exists().where(parent.id == Job.parent_id, parent.status.in_(ACTIVE))
    session.execute(delete(Job).where(Job.parent_id.is_not(None), Job.status.in_(TERMINAL), ~needed))


def file_of_shard(session: Session, job_id: str) -> str | None:
    """The file that a succeeded shard left."""
    result = session.scalar(select(Job.result).where(Job.id == job_id, Job.parent_id.is_not(None)))
    return None if result is None else str(result["file"])


def running_shards(session: Session, parent_id: str) -> int:
    """How many shards of a job are at work now."""
    query = select(func.count()).select_from(Job).where(Job.parent_id == parent_id, Job.status == JobStatus.RUNNING)
    return session.scalar(query) or 0
