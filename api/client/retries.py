"""When a request is sent again, and after how long."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from api.client.errors import ServiceUnreachable, refusal

_LATER = frozenset({429, 502, 503, 504})
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class RetryPolicy:
    """At most `retries` further tries. The k-th waits between half and all of first * 2^k seconds, at most `longest`.

    Where the service names a time (Retry-After), that time is waited first; one above `longest_asked_seconds` is the
    caller's to wait, and the refusal is raised at once.
    """

    retries: int = 4
    first_seconds: float = 0.25
    longest_seconds: float = 8.0
    longest_asked_seconds: float = 60.0

    def delay_seconds(self, tries: int, asked: float | None = None) -> float | None:
        """How long to wait after so many failed tries; None: not again."""
        if tries > self.retries or (asked or 0.0) > self.longest_asked_seconds:
            return None
        full = min(self.longest_seconds, self.first_seconds * 2.0 ** (tries - 1))
        # Half of it is chance, so that clients who failed together do not come back together.
        return (asked or 0.0) + full * (1 + random.random()) / 2  # noqa: S311  nothing secret


class Tries:
    """The tries of one request so far."""

    def __init__(self, policy: RetryPolicy, method: str, repeatable: bool) -> None:
        self._policy = policy
        self._method = method
        self._repeatable = repeatable
        self._count = 0
        self._perhaps_done = False

    def delay_after_loss(self, error: httpx.TransportError, address: str) -> float:
        """Seconds until the next try, after one without an answer.

        Raises:
            ServiceUnreachable: it was the last, or the service may have done what must not be done twice.
        """
        self._count += 1
        never_sent = isinstance(error, _NEVER_SENT)
        self._perhaps_done = self._perhaps_done or not never_sent
        delay = self._policy.delay_seconds(self._count) if self._repeatable or never_sent else None
        if delay is None or isinstance(error, httpx.UnsupportedProtocol):
            words = str(error) or type(error).__name__
            raise ServiceUnreachable(f"{address} does not answer: {words}") from error
        return delay

    def done_before(self, response: httpx.Response) -> bool:
        """Whether there is nothing to delete because a try whose answer was lost has deleted it."""
        return self._method == "DELETE" and response.status_code == 404 and self._perhaps_done

    def delay_after_refusal(self, response: httpx.Response) -> float:
        """Seconds until the next try, after an answer that says no.

        Raises:
            ServiceRefusal: it was the last, or the answer would be the same again.
        """
        self._count += 1
        status, asked = response.status_code, asked_seconds(response.headers.get("Retry-After"))
        # 429 is said before anything is done; a conflict may be with the lost try, still at work.
        again = status == 429 or (self._repeatable and (status in _LATER or (status == 409 and self._perhaps_done)))
        self._perhaps_done = self._perhaps_done or status in (502, 504)
        delay = self._policy.delay_seconds(self._count, asked) if again else None
        if delay is None:
            raise refusal(status, _problem(response), asked)
        return delay


def asked_seconds(retry_after: str | None) -> float | None:
    """A Retry-After header as seconds from now: a number or an HTTP date; None where there is none that can be read."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The problem document; a proxy's own page has only its words."""
    try:
        document = response.json()
    except ValueError:
        return {"detail": response.text[:500].strip()}
    return document if isinstance(document, dict) else {}
