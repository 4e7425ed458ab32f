"""API keys."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.identifiers import new_id
from db.key_secret import key_digest
from db.repositories.pages import Order, Page, page_by_id
from db.tables import ApiKey
from db.types import now

SCOPES = ("read", "submit", "predict", "admin")


class ApiKeys:
    """Every owner's keys; only administrators and the authentication see them."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def create(self, owner: str, name: str, scopes: Sequence[str], under: bytes) -> tuple[ApiKey, str]:
        """A new key and its secret, which is not kept and cannot be shown again. `under`: see `key_secret`."""
        secret = "rsk_" + secrets.token_urlsafe(32)
        key = ApiKey(
            id=new_id("key"),
            owner=owner,
            name=name,
            secret_sha256=key_digest(secret, under),
            scopes=sorted(set(scopes)),
        )
        self.session.add(key)
        self.session.flush()
        self.session.refresh(key)
        return key, secret

    def authenticate(self, secret: str, under: bytes) -> ApiKey | None:
        """The live key of this secret, found by its hash, or None."""
        digests = (key_digest(secret, under), _unkeyed_digest(secret))
        found = self.session.scalar(
            select(ApiKey).where(ApiKey.secret_sha256.in_(digests), ApiKey.revoked_at.is_(None))
        )
        # The index compares as fast as it can; what it found is compared in constant time.
        if found is None or not any(hmac.compare_digest(found.secret_sha256, digest) for digest in digests):
            return None
        return found

    def live(self) -> Sequence[ApiKey]:
        """Keys that are not revoked, oldest first."""
        return list(self.session.scalars(select(ApiKey).where(ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)))

    def page(self, *, limit: int, after: str | None, order: Order) -> Page[ApiKey]:
        """Live keys by creation."""
        query = select(ApiKey).where(ApiKey.revoked_at.is_(None))
        return page_by_id(self.session, query, ApiKey.id, limit, after, order)

    def any_live(self) -> bool:
        """Whether any key works."""
        return bool(self.session.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.revoked_at.is_(None))))

    def revoke(self, key_id: str) -> bool:
        """End a key at once; False where no live key has this id."""
        key = self.session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)))
        if key is not None:
            key.revoked_at = now()
            self.session.flush()
        return key is not None


def _unkeyed_digest(secret: str) -> str:
    """As keys were hashed before there was a server's secret; they keep working."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
