"""Requests per second of each key: a token bucket a key, in this process."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.authentication import Authenticator
from api.errors import TooManyRequests
from api.middleware import PROBES, refuse

MOST_BUCKETS = 100_000


@dataclass
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True)
class Draw:
    """`remaining`: whole tokens left. `wait_seconds`: until one is there again, 0 where one was taken."""

    remaining: int
    wait_seconds: float


class TokenBuckets:
    """`burst` tokens at first, `per_second` more each second up to that. The least recently used are forgotten."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second = per_second
        self.burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def draw(self, client: str) -> Draw:
        """Take one token of this client, if there is one."""
        with self._lock:
            now = self._clock()
            bucket = self._buckets.pop(client, None) or _Bucket(self.burst, now)
            self._buckets[client] = bucket
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
            bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.at) * self.per_second)
            bucket.at = now
            if bucket.tokens < 1:
                return Draw(0, (1 - bucket.tokens) / self.per_second)
            bucket.tokens -= 1
            return Draw(int(bucket.tokens), 0.0)


class RateLimit:
    """Answers 429 before anything else is done. A client is its key, or its address while no valid key is known of it.

    So whoever tries keys shares one bucket, and a key's first request in two seconds is counted to its address.
    """

    def __init__(self, app: ASGIApp, buckets: TokenBuckets) -> None:
        self.app = app
        self.buckets = buckets
        window = math.ceil(buckets.burst / buckets.per_second)
        self.policy = f'"requests";q={buckets.burst};w={window}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Draw a token; tell what is left."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        draw = self.buckets.draw(_client(scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = self.policy
                headers["RateLimit"] = f'"requests";r={draw.remaining};t={math.ceil(draw.wait_seconds)}'
            await send(message)

        if draw.wait_seconds > 0:
            detail = f"More than {self.buckets.per_second:g} requests a second, after a burst of {self.buckets.burst}."
            await refuse(scope, send_with_headers, TooManyRequests(detail, math.ceil(draw.wait_seconds)))
        else:
            await self.app(scope, receive, send_with_headers)


def _client(scope: Scope) -> str:
    authenticator: Authenticator = scope["app"].state.services.authenticator
    sent = dict(scope["headers"]).get(b"authorization")
    key = authenticator.key_of(None if sent is None else sent.decode("latin-1"))
    address = scope["client"][0] if scope.get("client") else ""
    return f"key {key}" if key is not None else f"address {address}"
