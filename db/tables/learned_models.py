"""Learned models by name and version, and the aliases that point at versions."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now


class LearnedModel(Base):
    """An immutable version. `files`: {role: {"uri", "sha256", "size_bytes"}}; only `bounds` may be recomputed."""

    __tablename__ = "learned_models"
    __table_args__ = (UniqueConstraint("owner", "name", "version"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    job_id: Mapped[str | None] = mapped_column(index=True)
    digest: Mapped[str]
    manifest: Mapped[dict[str, Any]]
    risks: Mapped[dict[str, Any]]
    bounds: Mapped[list[Any]]
    files: Mapped[dict[str, Any]]
    dataset_ids: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now())


class ModelAlias(Base):
    """A name for a version that can be moved; a version with an alias cannot be deleted."""

    __tablename__ = "model_aliases"
    __table_args__ = (
        ForeignKeyConstraint(
            ["owner", "name", "version"], ["learned_models.owner", "learned_models.name", "learned_models.version"]
        ),
    )

    owner: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(Instant, default=now(), onupdate=now())
