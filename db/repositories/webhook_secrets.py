"""The secrets under which an owner's webhooks are signed: derived from the server's own, never stored."""

import base64
import hashlib
import hmac

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import WebhookSecret
from db.types import after

OVERLAP_SECONDS = 86_400.0
"""After a rotation, so long both secrets sign: time to tell the receiver."""


class WebhookSecrets:
    """Secrets of one owner. `under`: see `key_secret`."""

    def __init__(self, session: Session, owner: str, under: bytes) -> None:
        self.session = session
        self.owner = owner
        self._under = under

    def live(self) -> list[str]:
        """The secrets that sign now, in the form of Standard Webhooks, the newest first."""
        row = self.session.get(WebhookSecret, self.owner)
        if row is None:
            return [self._secret(0)]
        recent = select(WebhookSecret.owner).where(
            WebhookSecret.owner == self.owner, WebhookSecret.rotated_at > after(-OVERLAP_SECONDS)
        )
        overlap = self.session.scalar(recent) is not None
        return [self._secret(generation) for generation in (row.generation, *([row.generation - 1] if overlap else []))]

    def rotate(self) -> None:
        """A new secret; the one before it signs on for a day.

        Raises SQLAlchemy's IntegrityError where the first rotation met its twin: run the transaction again.
        """
        row = self.session.get(WebhookSecret, self.owner, with_for_update=True)
        if row is None:
            self.session.add(WebhookSecret(owner=self.owner, generation=1))
        else:
            row.generation += 1
        self.session.flush()

    def _secret(self, generation: int) -> str:
        message = f"webhook-secret\0{self.owner}\0{generation}".encode()
        return "whsec_" + base64.b64encode(hmac.digest(self._under, message, hashlib.sha256)).decode()
