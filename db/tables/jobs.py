"""Jobs, their events, and the datasets they use."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Json
from db.job_state import JobStatus
from db.types import Instant, now


class Job(Base):
    """A job and its place in the life cycle. A queued row is its own outbox: it is rung for until it is claimed.

    `attempt` counts claims and is the fencing token: whoever writes for a claim names its attempt.
    `ring_at`: when the sweeper should ring again; `rings`: how often it did, for the backoff.
    `queued_at`: since when it waits, this time.
    `cancel_requested_at` is a request; the status says cancelled only when the work has stopped.

    A shard of a job is a row of its own with the job as `parent_id`, claimed and leased like any other and seen by
    workers only: number `shard_index` of `shard_count` in the round `shard_name`. Its result names one file.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status_is_known"),
        Index(
            "ix_jobs_queue",
            "priority",
            "id",
            "parent_id",
            postgresql_where=text("status = 'queued'"),
            sqlite_where=text("status = 'queued'"),
        ),
        Index(
            "ix_jobs_leases",
            "lease_expires_at",
            postgresql_where=text("status = 'running'"),
            sqlite_where=text("status = 'running'"),
        ),
        Index("ix_jobs_owner_id", "owner", "id"),
        Index("ix_jobs_shards", "parent_id", "shard_name", "shard_index", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default=JobStatus.QUEUED)
    spec: Mapped[dict[str, Any]]
    user_metadata: Mapped[dict[str, Any]] = mapped_column(default=dict)
    priority: Mapped[int] = mapped_column(Integer, default=0)
    request_id: Mapped[str | None]
    webhook_url: Mapped[str | None]

    # No foreign key: SQLite would have to copy the table, and dropping the old one deletes what hangs on it.
    parent_id: Mapped[str | None]
    shard_name: Mapped[str | None]
    shard_index: Mapped[int | None] = mapped_column(Integer)
    shard_count: Mapped[int | None] = mapped_column(Integer)

    attempt: Mapped[int] = mapped_column(Integer, default=0)
    max_attempts: Mapped[int] = mapped_column(Integer, default=3)
    worker: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None] = mapped_column(Instant)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(Instant)
    ring_at: Mapped[datetime] = mapped_column(Instant, default=now())
    rings: Mapped[int] = mapped_column(Integer, default=0)

    progress: Mapped[dict[str, Any] | None] = mapped_column(Json)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json, deferred=True)
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    model_ids: Mapped[list[Any]] = mapped_column(default=list)

    created_at: Mapped[datetime] = mapped_column(Instant, default=now())
    queued_at: Mapped[datetime] = mapped_column(Instant, default=now())
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class JobEvent(Base):
    """What happened to a job, in order. Written after the job's row in the same transaction: the row's lock makes
    ids of one job ascend in the order of commit, so that a reader who remembers the last id misses nothing."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_job_id_id", "job_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    type: Mapped[str]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now())


class JobDataset(Base):
    """Which job uses which dataset, so that a dataset in use is not deleted."""

    __tablename__ = "job_datasets"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(primary_key=True, index=True)
