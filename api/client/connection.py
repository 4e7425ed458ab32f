"""One HTTP client for every resource: requests that are sent again, refusals as exceptions, lists as iterators."""

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from api.client.errors import ServiceUnreachable
from api.client.retries import RetryPolicy, Tries

IDEMPOTENCY_KEY = "Idempotency-Key"
PAGE_ITEMS = 100

_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})


class Connection:
    """Sends requests to one service with one key.

    A GET, PUT or DELETE may be sent twice. A POST may where the caller says that it changes nothing, or where it
    carries an Idempotency-Key; any other is sent again only where it surely did nothing.
    """

    def __init__(
        self,
        http: httpx.Client,
        headers: Mapping[str, str],
        policy: RetryPolicy,
        sleep: Callable[[float], None],
    ) -> None:
        self._http = http
        self._headers = dict(headers)
        self.policy = policy
        self.sleep = sleep

    @property
    def base_url(self) -> str:
        """Where the service is."""
        return str(self._http.base_url).rstrip("/")

    def get(self, path: str, params: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """The JSON of an answer."""
        return self._json(self.send("GET", path, params=params, **options))

    def post(self, path: str, *, repeatable: bool = False, **options: Any) -> Any:
        """The JSON of an answer. `repeatable`: nothing changes by sending it twice."""
        return self._json(self.send("POST", path, repeatable=repeatable, **options))

    def create(self, path: str, *, key: str | None = None, **options: Any) -> Any:
        """POST what must be made once, however often it is sent."""
        headers = {IDEMPOTENCY_KEY: key or uuid.uuid4().hex}
        return self._json(self.send("POST", path, repeatable=True, headers=headers, **options))

    def pages(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """The items of a list, page after page, asked for as they are used."""
        asked = {"limit": PAGE_ITEMS, **(params or {})}
        while True:
            page = self.get(path, asked)
            yield from page["data"]
            if not page["has_more"]:
                return
            asked["after"] = page["last_id"]

    @contextlib.contextmanager
    def streamed(self, path: str, **options: Any) -> Iterator[httpx.Response]:
        """An answer of GET whose body is read by the caller; it is closed afterwards."""
        response = self.send("GET", path, stream=True, **options)
        try:
            yield response
        finally:
            response.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool | None = None,
        accepted: frozenset[int] = frozenset(),
        stream: bool = False,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Mapping[str, Any]] | None = None,
        **content: Any,
    ) -> httpx.Response:
        """An answer below 300, or with one of the `accepted` statuses.

        `body` makes what has to be made anew for every try, such as a file that is read.

        Raises:
            ServiceRefusal: the service says no, after every try where it says "later".
            ServiceUnreachable: no answer came, after every try.
        """
        tries = Tries(self.policy, method, method in _REPEATABLE if repeatable is None else repeatable)
        known = {name: value for name, value in (params or {}).items() if value is not None}
        while True:
            made = {**content, **(body() if body is not None else {})}
            request = self._http.build_request(
                method, path, params=known, headers={**self._headers, **(headers or {})}, **made
            )
            try:
                response = self._http.send(request, stream=stream)
                if response.is_success or response.status_code in accepted:
                    return response
                response.read()
            except httpx.TransportError as error:
                delay = tries.delay_after_loss(error, self.base_url)
            else:
                if tries.done_before(response):
                    return response
                delay = tries.delay_after_refusal(response)
            self.sleep(delay)

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            message = f"{self.base_url} does not answer in JSON: it may be another service."
            raise ServiceUnreachable(message) from error


def place(template: str, *words: object) -> str:
    """A path whose `{}` are filled with quoted words."""
    return template.format(*(quote(str(word), safe="") for word in words))
