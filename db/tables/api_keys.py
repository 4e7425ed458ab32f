"""API keys: only a hash of the secret is kept."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now


class ApiKey(Base):
    """The secret has 256 random bits, so that one SHA-256 is enough: there is nothing to guess."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    secret_sha256: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now())
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
