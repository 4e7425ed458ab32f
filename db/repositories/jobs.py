"""Jobs as their owner sees them: accept, look, cancel, retry, delete. The worker's side is job_queue.py."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.orm import Session

from db.identifiers import new_id
from db.job_state import ACTIVE, TERMINAL, JobStatus
from db.repositories.changes import changed
from db.repositories.job_events import record_event
from db.repositories.pages import Order, Page, page_by_id
from db.repositories.shards import end_shards, running_shards, stop_shards
from db.tables import Job, JobDataset
from db.types import after as instant_after
from db.types import now


class Jobs:
    """Jobs of one owner; another owner's job does not exist here, and neither do shards."""

    def __init__(self, session: Session, owner: str) -> None:
        self.session = session
        self.owner = owner

    def accept(
        self,
        *,
        kind: str,
        spec: dict[str, Any],
        metadata: dict[str, str],
        priority: int,
        dataset_ids: Iterable[str],
        max_attempts: int,
        request_id: str | None = None,
        webhook_url: str | None = None,
    ) -> Job:
        """A new queued job. The sweeper rings for it from two seconds on, should the first ring get lost."""
        job = Job(
            id=new_id("job"),
            owner=self.owner,
            kind=kind,
            spec=spec,
            user_metadata=metadata,
            priority=priority,
            max_attempts=max_attempts,
            request_id=request_id,
            webhook_url=webhook_url,
            ring_at=instant_after(2),
        )
        self.session.add(job)
        self.session.flush()
        self.session.add_all(JobDataset(job_id=job.id, dataset_id=dataset_id) for dataset_id in set(dataset_ids))
        record_event(self.session, job.id, "queued", {})
        self.session.refresh(job)
        return job

    def get(self, job_id: str) -> Job | None:
        """The job, or None."""
        return self.session.scalar(select(Job).where(Job.id == job_id, *self._own()))

    def _own(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return Job.owner == self.owner, Job.parent_id.is_(None)

    def result(self, job_id: str) -> dict[str, Any] | None:
        """The result of a succeeded job; it is not loaded with the row."""
        return self.session.scalar(select(Job.result).where(Job.id == job_id, *self._own()))

    def dataset_ids(self, job_id: str) -> Sequence[str]:
        """Ids of the datasets that a job uses, in order; some may be deleted."""
        query = select(JobDataset.dataset_id).join(Job, Job.id == JobDataset.job_id)
        query = query.where(Job.id == job_id, *self._own()).order_by(JobDataset.dataset_id)
        return list(self.session.scalars(query))

    def page(
        self,
        *,
        limit: int,
        after: str | None,
        order: Order,
        status: str | None = None,
        kind: str | None = None,
        dataset_id: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Page[Job]:
        """Jobs by creation, filtered by equality; `metadata` entries must all be there."""
        query = select(Job).where(*self._own())
        if status is not None:
            query = query.where(Job.status == status)
        if kind is not None:
            query = query.where(Job.kind == kind)
        if dataset_id is not None:
            query = query.where(exists().where(JobDataset.job_id == Job.id, JobDataset.dataset_id == dataset_id))
        for key, value in (metadata or {}).items():
            query = query.where(Job.user_metadata[key].as_string() == value)
        return page_by_id(self.session, query, Job.id, limit, after, order)

    def request_cancel(self, job_id: str) -> str | None:
        """Ask for an end. A queued job is cancelled at once, nothing of it runs; a running one is flagged.

        Returns the status before the request, or None where there is no such job. A finished job is left alone.
        """
        job = self.session.scalar(
            select(Job)
            .where(Job.id == job_id, *self._own())
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if job is None:
            return None
        before = job.status
        # Handed back by one worker, it may have shards at work in others; the next to claim it waits for their end.
        if before == JobStatus.QUEUED and not running_shards(self.session, job_id):
            job.status = JobStatus.CANCELLED
            job.cancel_requested_at = job.finished_at = now()
            self.session.flush()
            record_event(self.session, job.id, "cancelled", {})
            end_shards(self.session, job_id)
        elif before not in TERMINAL and job.cancel_requested_at is None:
            job.cancel_requested_at = now()
            self.session.flush()
            stop_shards(self.session, job_id)
            record_event(self.session, job.id, "cancel_requested", {})
        self.session.refresh(job)
        return before

    def retry(self, job_id: str, extra_attempts: int) -> bool:
        """Queue a failed or cancelled job again, as a new attempt. False where its status does not allow it."""
        queued = changed(
            self.session,
            update(Job)
            .where(
                Job.id == job_id,
                *self._own(),
                Job.status.in_((JobStatus.FAILED, JobStatus.CANCELLED)),
            )
            .values(
                status=JobStatus.QUEUED,
                max_attempts=Job.attempt + extra_attempts,
                cancel_requested_at=None,
                finished_at=None,
                error=None,
                progress=None,
                rings=0,
                queued_at=now(),
                ring_at=instant_after(2),
            ),
        )
        if queued:
            record_event(self.session, job_id, "queued", {"retry": True})
        return queued

    def delete(self, job_id: str) -> bool:
        """Remove a finished job with its events and decompositions; its models stay. False while it is active."""
        statement = delete(Job).where(Job.id == job_id, *self._own(), Job.status.in_(TERMINAL))
        return changed(self.session, statement)

    def active_with_dataset(self, dataset_id: str) -> Sequence[str]:
        """Ids of unfinished jobs that use a dataset."""
        query = (
            select(Job.id)
            .join(JobDataset, JobDataset.job_id == Job.id)
            .where(JobDataset.dataset_id == dataset_id, Job.status.in_(ACTIVE))
        )
        return list(self.session.scalars(query))


def count_queued(session: Session, owner: str | None = None) -> int:
    """Jobs that wait, of one owner or of all, shards apart; read from the queue's own index: every submission asks."""
    query = select(func.count()).select_from(Job).where(Job.status == JobStatus.QUEUED, Job.parent_id.is_(None))
    return session.scalar(query if owner is None else query.where(Job.owner == owner)) or 0


def count_by_status(session: Session) -> dict[str, int]:
    """Jobs of every owner by status, for the metrics and the queue's cap."""
    rows = session.execute(select(Job.status, func.count()).where(Job.parent_id.is_(None)).group_by(Job.status)).all()
    return {status: jobs for status, jobs in rows}  # noqa: C416  a row is not a pair to a type checker


def result_files(session: Session, job_id: str) -> list[str]:
    """URIs of the files to download that a job left, whoever its owner is."""
    result = session.scalar(select(Job.result).where(Job.id == job_id)) or {}
    return [file["uri"] for file in result.get("files", {}).values()]


def active_jobs(session: Session, job_ids: Iterable[str]) -> set[str]:
    """Those of these jobs that are queued or running, whoever their owners are."""
    return set(session.scalars(select(Job.id).where(Job.id.in_(list(job_ids)), Job.status.in_(ACTIVE))))
