"""Error decompositions: one row a cell of a grid, with the columns that queries filter and order by."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now

_FILTERED = ("hypothesis_space", "target", "dimension", "width", "sample_size")
_ORDERED = ("trained_risk", "approximation", "estimation", "optimization")


def _index(name: str, leading: tuple[str, ...], covered: tuple[str, ...]) -> Index:
    # A search reads ids from an index alone: a cell is wide, and fetching 10^5 of them to refuse most takes 200 ms.
    return Index(f"ix_decompositions_{name}", *dict.fromkeys((*leading, "id", *covered)))


class Decomposition(Base):
    """`cell` is the whole answer; the scalar columns repeat what is searched. A risk may be infinite.

    An index for every order, which also holds what few-valued filters compare; one each for the two filters that
    select few rows among many, which also holds what their rows are ordered by. Jobs come first in theirs, so that
    it finds the rows of a deleted job, too.
    """

    __tablename__ = "decompositions"
    __table_args__ = (
        _index("owner_id", ("owner",), _FILTERED),
        _index("owner_trained_risk", ("owner", "trained_risk"), _FILTERED),
        _index("owner_approximation", ("owner", "approximation"), _FILTERED),
        _index("owner_estimation", ("owner", "estimation"), _FILTERED),
        _index("owner_optimization", ("owner", "optimization"), _FILTERED),
        _index("owner_width", ("owner", "width"), _FILTERED),
        _index("owner_sample_size", ("owner", "sample_size"), _FILTERED),
        _index("job_id_owner", ("job_id", "owner"), _FILTERED + _ORDERED),
        _index("owner_dataset_id", ("owner", "dataset_id"), _FILTERED + _ORDERED),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
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
