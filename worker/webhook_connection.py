"""One call to a webhook: a name becomes an address once, the address is checked, and the connection goes there."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import httpcore

from db.webhook_urls import Network, may_be_called, parse_webhook_url

Resolve = Callable[[str, int], list[str]]

ADDRESSES = 4
"""How many addresses of a name are tried."""


class AddressRefusedError(Exception):
    """A name led to an address that is not public."""


class TlsFailedError(Exception):
    """The peer has no certificate for the name, or speaks no TLS."""


class NameNotResolvedError(Exception):
    """A name led nowhere."""


@dataclass(frozen=True)
class Answer:
    """How a call ended: with a status, or with a word for what went wrong."""

    response_status: int | None
    error: str | None


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, in the order of preference; the machine's resolver decides how long it takes.

    Raises:
        NameNotResolvedError: there is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise NameNotResolvedError from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _TimedStream(httpcore.NetworkStream):
    """A connection under one deadline: a peer that answers byte by byte does not get more time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come; within the deadline."""
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send; within the deadline."""
        self._stream.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        """End the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same under TLS, the certificate checked for the name and not for the address."""
        left = _left(self._deadline, httpcore.ConnectTimeout)
        try:
            return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)
        except httpcore.ConnectError as error:
            raise TlsFailedError from error

    def get_extra_info(self, info: str) -> Any:
        """Of the connection itself."""
        return self._stream.get_extra_info(info)


class PinnedBackend(httpcore.NetworkBackend):
    """Makes connections to addresses that it has checked. One for each call, with its deadline (monotonic clock)."""

    def __init__(self, allowed: Sequence[Network], deadline: float, lookup: Resolve) -> None:
        self._allowed = allowed
        self._deadline = deadline
        self._lookup = lookup
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that takes it.

        Raises:
            AddressRefusedError: one of the name's addresses is not public: then none is tried.
        """
        addresses = self._lookup(host, port)
        if not all(may_be_called(ip_address(address), self._allowed) for address in addresses):
            raise AddressRefusedError
        failure: Exception = NameNotResolvedError()
        for address in addresses[:ADDRESSES]:
            left = _left(self._deadline, httpcore.ConnectTimeout)
            try:
                stream = self._sockets.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _TimedStream(stream, self._deadline)
        raise failure


def _left(deadline: float, over: type[Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise over
    return left


def call(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Sequence[Network],
    tls: ssl.SSLContext,
    timeout_seconds: float,
    lookup: Resolve = resolve,
) -> Answer:
    """POST once, following nothing and reading no more than the status; never raises for what the network does."""
    try:
        parts = parse_webhook_url(url)
    except ValueError:
        return Answer(None, "url_refused")
    backend = PinnedBackend(allowed, time.monotonic() + timeout_seconds, lookup)
    target = httpcore.URL(scheme="https", host=parts.host, port=parts.port, target=parts.target)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls, network_backend=backend, max_connections=1) as pool,
            pool.stream("POST", target, headers=list(headers.items()), content=content) as response,
        ):
            return Answer(response.status, _error_of_status(response.status))
    except AddressRefusedError:
        return Answer(None, "address_refused")
    except NameNotResolvedError:
        return Answer(None, "name_not_resolved")
    except httpcore.TimeoutException:
        return Answer(None, "timeout")
    except TlsFailedError:
        return Answer(None, "tls_failed")
    except httpcore.ConnectError:
        return Answer(None, "connection_failed")
    except (httpcore.NetworkError, httpcore.ProtocolError):
        return Answer(None, "connection_lost")


def _error_of_status(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return "redirect_refused" if 300 <= status < 400 else "http_status"
