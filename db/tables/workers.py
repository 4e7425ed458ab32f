"""Workers that are alive, for readiness and for people."""

from datetime import datetime

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now


class Worker(Base):
    """One worker process; `seen_at` is renewed by its heartbeat."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str]
    slots: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(Instant, default=now())
    seen_at: Mapped[datetime] = mapped_column(Instant, default=now())
