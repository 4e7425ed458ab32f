"""The client of one service."""

import os
from collections.abc import Mapping
from time import sleep
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from api.client.connection import Connection
from api.client.datasets import Datasets
from api.client.decompositions import Decompositions
from api.client.inference import InferenceProtocol
from api.client.jobs import Job, Jobs
from api.client.learned_models import LearnedModels
from api.client.platform import ApiKeys, Service
from api.client.retries import RetryPolicy
from api.client.theory import Bounds, Catalogue
from api.client.webhooks import Webhooks

DEFAULT_URL = "http://127.0.0.1:8000"


class RiskscopeClient:
    """Everything that the service answers, as methods with typed values.

    `base_url` and `api_key` are by default those of the environment, RISKSCOPE_URL and RISKSCOPE_API_KEY, and else this
    machine's port 8000 and no key. `timeout_seconds` is for one answer. Requests are sent again after a lost connection
    and after 429, 502, 503 and 504, `retries` times at most; what creates something carries an Idempotency-Key, so that
    it is created once.

    `http_client`: an httpx.Client of your own, with the service as its base URL; it stays open when this one is closed.

    May be used by several threads. A context manager, which closes its connections.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 60.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        self._owned: httpx.Client | None = None
        if http_client is None:
            timeout = httpx.Timeout(timeout_seconds, connect=min(10.0, timeout_seconds))
            http_client = self._owned = httpx.Client(base_url=_address(base_url), timeout=timeout, transport=transport)
        key = api_key or os.environ.get("RISKSCOPE_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection = Connection(http_client, headers, RetryPolicy(retries=retries), sleep)
        self.base_url = connection.base_url
        self.jobs = Jobs(connection)
        self.datasets = Datasets(connection)
        self.decompositions = Decompositions(connection)
        self.models = LearnedModels(connection)
        self.catalogue = Catalogue(connection)
        self.bounds = Bounds(connection)
        self.webhooks = Webhooks(connection)
        self.keys = ApiKeys(connection)
        self.service = Service(connection)
        self.inference = InferenceProtocol(connection)

    def submit(
        self,
        spec: Mapping[str, Any],
        *,
        metadata: Mapping[str, str] | None = None,
        priority: int = 0,
        webhook: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """The same as `client.jobs.submit`."""
        return self.jobs.submit(
            spec, metadata=metadata, priority=priority, webhook=webhook, idempotency_key=idempotency_key
        )

    def close(self) -> None:
        """Close the connections."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RiskscopeClient of {self.base_url}>"


def _address(base_url: str | None) -> str:
    """Where the service is.

    Raises:
        ValueError: this is no address of HTTP.
    """
    address = base_url or os.environ.get("RISKSCOPE_URL") or DEFAULT_URL
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{address!r} is no address of a service: it begins with http:// or https://.")
    return address
