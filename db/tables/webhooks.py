"""Webhooks: what is to be told to whom, and the generation of each owner's signing secret."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now


class WebhookDelivery(Base):
    """That a job ended, for one URL. `id` is the message's `webhook-id`, the same in every attempt.

    `attempts` is the fencing token of an attempt; `earlier_attempts` of them came before the last redelivery was asked
    for. `next_attempt_at`, while an attempt is under way: when it counts as lost. `error`: a word for what went wrong.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index(
            "ix_webhook_deliveries_due",
            "next_attempt_at",
            postgresql_where=text("status = 'pending'"),
            sqlite_where=text("status = 'pending'"),
        ),
        Index("ix_webhook_deliveries_job_id_id", "job_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    owner: Mapped[str]
    url: Mapped[str]
    job_status: Mapped[str]
    status: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    earlier_attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant, default=now())
    last_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    response_status: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now())


class WebhookSecret(Base):
    """The generation of an owner's secret, which is not kept but derived; an owner without a row has generation 0."""

    __tablename__ = "webhook_secrets"

    owner: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(Integer)
    rotated_at: Mapped[datetime] = mapped_column(Instant, default=now(), onupdate=now())
