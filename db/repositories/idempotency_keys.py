"""Idempotency keys: look before, keep with the creation."""

from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from db.tables import IdempotencyKey
from db.types import after


class IdempotencyKeys:
    """Keys of one owner. Two twins at once: the primary key lets one pass; the other must read the first's answer."""

    def __init__(self, session: Session, owner: str) -> None:
        self.session = session
        self.owner = owner

    def get(self, key: str) -> IdempotencyKey | None:
        """The first answer under this key, or None."""
        return self.session.get(IdempotencyKey, (self.owner, key))

    def keep(
        self,
        key: str,
        request_sha256: str,
        *,
        status: int,
        headers: dict[str, str],
        body: dict[str, Any],
    ) -> None:
        """Keep the answer. Raises SQLAlchemy's IntegrityError where a twin was faster."""
        self.session.add(
            IdempotencyKey(
                owner=self.owner,
                key=key,
                request_sha256=request_sha256,
                response_status=status,
                response_headers=headers,
                response_body=body,
            )
        )
        self.session.flush()


def forget_old_keys(session: Session, older_than_seconds: float) -> None:
    """Drop keys past their time."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < after(-older_than_seconds)))
