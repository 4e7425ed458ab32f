"""Uploaded tables: the row describes the canonical file in the artefact store."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now


class Dataset(Base):
    """`sha256` is of the bytes as uploaded: the same bytes of one owner are one dataset.

    `columns`: [{"name", "type": "number"|"text", "nulls", "non_finite"}] in file order. `uri`: the canonical Parquet.
    """

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("owner", "sha256"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    sha256: Mapped[str]
    format: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    columns: Mapped[list[Any]]
    uri: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now())
