"""Idempotency keys: the first answer to a creating request, kept in the transaction that created."""

from datetime import datetime
from typing import Any

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.types import Instant, now


class IdempotencyKey(Base):
    """`request_sha256` is of method, path and body; the same key with another request is a client's error."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    response_status: Mapped[int] = mapped_column(Integer)
    response_headers: Mapped[dict[str, Any]]
    response_body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now(), index=True)
