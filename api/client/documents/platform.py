"""Keys, probes, version."""

from datetime import datetime
from typing import Literal

from api.client.documents.base import Document


class ApiKey(Document):
    """A live key without its secret."""

    id: str
    object: Literal["api_key"]
    name: str
    owner: str
    scopes: list[str]
    created_at: datetime


class CreatedApiKey(ApiKey):
    """A new key. `secret` is shown once: None in an answer that is given again."""

    secret: str | None


class Check(Document):
    """One thing that a ready service needs."""

    ok: bool
    detail: str


class Readiness(Document):
    """Every check by name; "ready" means that all of them pass."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, Check]


class Version(Document):
    """What runs there."""

    name: str
    version: str
    api: str
