"""Error decompositions: one row a cell of a grid, with the columns that queries filter and order by."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now


class Decomposition(Base):
    """`cell` is the whole answer; the scalar columns repeat what is searched. A risk may be infinite."""

    __tablename__ = "decompositions"
    __table_args__ = (
        Index("ix_decompositions_owner_id", "owner", "id"),
        Index("ix_decompositions_owner_space_target", "owner", "hypothesis_space", "target", "width", "sample_size"),
        Index("ix_decompositions_owner_dataset", "owner", "dataset_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    owner: Mapped[str]
    hypothesis_space: Mapped[str]
    target: Mapped[str | None]
    dataset_id: Mapped[str | None]
    dimension: Mapped[int]
    width: Mapped[int]
    sample_size: Mapped[int]
    seeds: Mapped[int]
    trained_risk: Mapped[float]
    approximation: Mapped[float]
    estimation: Mapped[float]
    optimization: Mapped[float]
    cell: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now())
