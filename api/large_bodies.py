"""Large bodies of predictions straight from the socket into one buffer.

uvicorn's protocol hands a body on in pieces: a body of two megabytes is copied five times, and wakes the route a dozen
times, before anyone reads it. A prediction is computed from the whole body, whose length is known beforehand.
"""

import asyncio
from typing import Any

import httptools
import numpy as np
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LEAST_BYTES = 2**16
"""Shorter bodies come in one piece or two."""

LAST_WORDS = ("/predict", "/infer")
_SCRATCH_BYTES = 2**16


class LargeBodies(HttpToolsProtocol):
    """uvicorn's protocol, but for bodies of predictions of a declared length from `LEAST_BYTES` to `max_bytes`.

    While such a body comes in, the transport writes into its buffer; uvicorn sees the whole of it at once. Everything
    else is as it was: other routes, chunked bodies, requests that wait behind another one, bodies above the cap.
    """

    max_bytes = 0
    _incoming: "IncomingBody | None" = None

    def on_headers_complete(self) -> None:
        """The headers are there; the route begins."""
        super().on_headers_complete()
        length = self._length()
        # A request that waits behind another one is rare, and uvicorn then reads no further.
        if LEAST_BYTES <= length <= self.max_bytes and not self.pipeline:
            self._incoming = IncomingBody(self, length)

    def on_body(self, body: bytes) -> None:
        """A piece of the body that came with its headers, or of one that comes in pieces."""
        if self._incoming is None:
            super().on_body(body)
        else:
            self._incoming.append(body)

    def on_message_complete(self) -> None:
        """The body is whole."""
        if self._incoming is not None:
            # uvicorn makes bytes of it.
            self.cycle.body = self._incoming.buffer  # type: ignore[assignment]
            self._incoming = None
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes from the socket; what is missing of a large body will not come this way."""
        super().data_received(data)
        if self._incoming is not None and not self.transport.is_closing():
            self.transport.set_protocol(self._incoming)

    def bytes_arrived(self) -> None:
        """Somebody is still there."""
        self._unset_keepalive_if_required()

    def body_arrived(self) -> None:
        """The transport has written the last byte of the body: the next one begins a request."""
        self.transport.set_protocol(self)
        self.on_message_complete()
        # The old one waits for the body.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _length(self) -> int:
        scope = self.scope
        if scope["method"] != "POST" or not scope["path"].endswith(LAST_WORDS) or self.parser.should_upgrade():
            return 0
        headers = dict(self.headers)
        declared = headers.get(b"content-length", b"")
        if b"transfer-encoding" in headers or not declared.isdigit() or len(declared) > 18:
            return 0
        return int(declared)


class IncomingBody(asyncio.BufferedProtocol):
    """The transport's protocol while the rest of a body comes in: never more of it than is missing."""

    def __init__(self, http: LargeBodies, length: int) -> None:
        self._http = http
        self._length = length
        self._arrived = 0
        self._discards = False
        self.buffer = _room(length)

    def append(self, piece: bytes) -> None:
        """What the HTTP parser had already."""
        end = self._arrived + len(piece)
        self.buffer[self._arrived : end] = piece
        self._arrived = end

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        if not self._discards and self._http.cycle.response_complete:
            # The route has answered without reading it: a refusal holds no memory.
            self._discards, self.buffer = True, _room(_SCRATCH_BYTES)
        start = 0 if self._discards else self._arrived
        return self.buffer[start : start + self._length - self._arrived]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes came."""
        self._arrived += nbytes
        self._http.bytes_arrived()
        if self._arrived == self._length:
            self._http.body_arrived()

    def eof_received(self) -> None:
        """The client sends no more."""
        self._http.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone."""
        self._http.connection_lost(error)

    def pause_writing(self) -> None:
        """The client reads slowly."""
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._http.resume_writing()


def _room(length: int) -> memoryview:
    """Bytes that nobody has set: a bytearray would write zeros first."""
    return np.empty(length, dtype=np.uint8).data


def large_bodies(max_bytes: int) -> type[LargeBodies]:
    """The protocol for uvicorn's setting `http`; longer bodies than `max_bytes` are refused by who reads them."""
    attributes: dict[str, Any] = {"max_bytes": max_bytes}
    return type("LargeBodies", (LargeBodies,), attributes)
