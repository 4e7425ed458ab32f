"""Who asks: a key's owner and scopes, or the machine's own user where no key exists."""

import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from api.errors import Unauthenticated
from api.settings import ApiSettings
from db.engine import Database
from db.key_secret import key_digest, key_secret
from db.repositories.api_keys import SCOPES, ApiKeys

LOCAL_OWNER = "local"
_TRUST_SECONDS = 2.0


@dataclass(frozen=True)
class Principal:
    """An authenticated client. `key_id`: of the key that it sent, or a word for the one that has none."""

    owner: str
    scopes: frozenset[str]
    key_id: str

    def may(self, scope: str) -> bool:
        """Whether a route with this scope is open; administrators may do everything."""
        return scope in self.scopes or "admin" in self.scopes


_EVERYTHING = frozenset(SCOPES)


class Authenticator:
    """Reads bearer secrets. What the database said holds for two seconds, so that a prediction costs no query; a
    revoked key is thus dead two seconds later in every process."""

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        # Secrets are compared and remembered by their hash only.
        self._under = key_secret(settings)
        self._admin = key_digest(settings.admin_key.get_secret_value(), self._under) if settings.admin_key else None
        self._loopback = settings.bound_to_loopback
        self._database = database
        self._known: dict[str, tuple[float, Principal | None]] = {}
        self._lock = threading.Lock()

    def authenticate(self, authorization: str | None) -> Principal:
        """The principal of an Authorization header.

        Raises:
            Unauthenticated: the secret is unknown or revoked, or none is given where keys exist.
        """
        if authorization is None:
            principal = self._remembered("", self._without_key)
            if principal is None:
                raise Unauthenticated("Send an API key: 'Authorization: Bearer <key>'.")
            return principal
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("The Authorization header must be 'Bearer <key>'.")
        digest = key_digest(secret, self._under)
        if self._admin is not None and hmac.compare_digest(digest, self._admin):
            return Principal(LOCAL_OWNER, _EVERYTHING, "admin_key")
        principal = self._remembered(digest, lambda: self._of_key(secret))
        if principal is None:
            raise Unauthenticated("This API key is unknown or revoked.")
        return principal

    def remembers(self, authorization: str | None) -> bool:
        """Whether `authenticate` will answer from memory; else it asks the database, off the event loop please."""
        known = self._known.get(self._digest(authorization))
        return known is not None and known[0] >= time.monotonic()

    def key_of(self, authorization: str | None) -> str | None:
        """The id of a key that was valid when it was last looked at; None: nothing is known in its favour."""
        digest = self._digest(authorization)
        if digest and digest == self._admin:
            return "admin_key"
        known = self._known.get(digest)
        return None if known is None or known[1] is None else known[1].key_id

    def _digest(self, authorization: str | None) -> str:
        return "" if authorization is None else key_digest(authorization.partition(" ")[2], self._under)

    @property
    def key_secret(self) -> bytes:
        """What new keys are hashed under."""
        return self._under

    def open_to_everyone(self) -> bool:
        """Whether a request without a key is served: only on loopback and while no key exists."""
        return self._without_key() is not None

    def _remembered(self, digest: str, look: Callable[[], Principal | None]) -> Principal | None:
        now = time.monotonic()
        known = self._known.get(digest)
        if known is None or known[0] < now:
            known = (now + _TRUST_SECONDS, look())
            with self._lock:
                if len(self._known) > 10_000:
                    self._known.clear()
                self._known[digest] = known
        return known[1]

    def _without_key(self) -> Principal | None:
        if not self._loopback or self._admin is not None:
            return None
        with self._database.reading() as session:
            return None if ApiKeys(session).any_live() else Principal(LOCAL_OWNER, _EVERYTHING, "no_key")

    def _of_key(self, secret: str) -> Principal | None:
        with self._database.reading() as session:
            key = ApiKeys(session).authenticate(secret, self._under)
            return None if key is None else Principal(key.owner, frozenset(key.scopes), key.id)
