"""API keys and the state of the service."""

from collections.abc import Iterator, Sequence
from typing import Literal

from api.client.connection import Connection, place
from api.client.documents.platform import ApiKey, CreatedApiKey, Readiness, Version

_NOT_READY = frozenset({503})


class ApiKeys:
    """Every owner's keys; for administrators."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        name: str,
        *,
        owner: str | None = None,
        scopes: Sequence[Literal["read", "submit", "predict", "admin"]] = ("read", "submit", "predict"),
        idempotency_key: str | None = None,
    ) -> CreatedApiKey:
        """A key; `owner` None is that of the key that asks. Its `secret` is in this answer and nowhere else.

        Where the first answer was lost, `secret` is None: revoke the key and make another.
        """
        body = {"name": name, "owner": owner, "scopes": list(scopes)}
        found = self._connection.create("/v1/api-keys", key=idempotency_key, json=body)
        return CreatedApiKey.model_validate(found)

    def revoke(self, key_id: str) -> None:
        """It is dead two seconds later in every process."""
        self._connection.send("DELETE", place("/v1/api-keys/{}", key_id))

    def list(self, *, order: Literal["asc", "desc"] = "desc") -> Iterator[ApiKey]:
        """Live keys, without their secrets."""
        pages = self._connection.pages("/v1/api-keys", {"order": order})
        return (ApiKey.model_validate(item) for item in pages)


class Service:
    """Whether it lives, whether it is ready, what it counts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def is_alive(self) -> bool:
        """Whether the process answers; ServiceUnreachable where nothing does."""
        return bool(self._connection.get("/livez")["status"] == "alive")

    def readiness(self) -> Readiness:
        """Database, broker, a worker seen lately, storage; asked once, not until it is ready."""
        return Readiness.model_validate(self._connection.get("/readyz", accepted=_NOT_READY))

    def version(self) -> Version:
        """What runs there."""
        return Version.model_validate(self._connection.get("/version"))

    def metrics(self) -> str:
        """Prometheus' text exposition."""
        return self._connection.send("GET", "/metrics").text
