"""API keys: only a hash of the secret is kept."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now


class ApiKey(Base):
    """`secret_sha256`: HMAC-SHA-256 of the secret under the server's own (db/key_secret.py)."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    secret_sha256: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now())
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
