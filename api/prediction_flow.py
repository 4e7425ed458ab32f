"""The way of every prediction, whatever its protocol: who asks, which model, where it is computed, what is counted."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.dependencies import Services, authenticated
from api.serving.capacity import Permit, late
from api.serving.compression import LEAST_BYTES, accepted_encoding, compressed, decompressed
from api.serving.inputs import ModelRows
from api.serving.sessions import ServedModel
from api.serving.statistics import Stopwatch
from api.serving.turns import MOST_ROWS

CLIENT_GONE = 499


@dataclass(frozen=True)
class Asked:
    """A request whose model is found. `body` is decompressed."""

    model: ServedModel
    body: bytes
    headers: Headers
    max_rows: int
    permit: Permit


@dataclass(frozen=True)
class Answer:
    """What the protocol says in return."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Protocol = Callable[[Asked], Generator[ModelRows, NDArray[np.float64], Answer]]
"""Reads the body and yields its rows, is sent their outputs, and returns the answer."""


async def answer_prediction(request: Request, name_of_protocol: str, protocol: Protocol) -> Response:
    """Authenticate, find the model, and compute: at once where that is quick, else in a thread that may be waited for.

    A hop to another thread costs as much as a small prediction itself, and a large one would hold up everyone else.

    Raises:
        Problem: any that authentication, the model's words, the room for predictions or `protocol` have.
    """
    services: Services = request.app.state.services
    headers = request.headers
    principal = await authenticated(services, headers.get("authorization"), "predict")
    name, version = request.path_params["name"], request.path_params.get("version")
    try:
        body = await _whole_body(request)
        watch = Stopwatch()
        model = services.directory.remembered(principal.owner, name, version)
        services.metrics.model_cache.labels("miss" if model is None else "hit").inc()
        if model is None:
            model = await services.directory.find(principal.owner, name, version)
        computation = _Computation(services, model, body, headers, protocol, watch)
        seconds = services.settings.prediction_timeout_seconds
        if len(body) <= model.quick_bytes and "content-encoding" not in headers:
            response = await computation.run_here(Permit(seconds))
        else:
            response = await services.capacity.run(computation.run, request, seconds)
    except ClientDisconnect:
        # Nobody reads it; the log and the metrics do.
        return Response(status_code=CLIENT_GONE)
    services.metrics.observe_prediction(name_of_protocol, watch.rows)
    return response


async def _whole_body(request: Request) -> bytes:
    pieces = [piece async for piece in request.stream() if piece]
    # One piece is not copied, as Request.body would.
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@dataclass(frozen=True)
class _Computation:
    services: Services
    model: ServedModel
    body: bytes
    headers: Headers
    protocol: Protocol
    watch: Stopwatch

    def run(self, permit: Permit) -> Response:
        """The whole of it, in the caller's thread; Abandoned where nobody waits any more."""
        with self._counted():
            work, rows = self._read(permit)
            permit.check()
            outputs = self.model.predict(rows, permit.check)
            return self._write(work, outputs)

    async def run_here(self, permit: Permit) -> Response:
        """The whole of it, on the event loop: one row, or a few, together with those of other requests."""
        with self._counted():
            work, rows = self._read(permit)
            if permit.seconds_left <= 0:
                raise late()
            if len(rows) <= MOST_ROWS:
                outputs = await self.services.turns.predict(self.model, rows)
            else:
                outputs = self.model.predict(rows)
            return self._write(work, outputs)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.watch.lap("queue")
        try:
            yield
        except BaseException:
            self.model.statistics.failed(self.watch)
            raise
        self.watch.lap("compute_output")
        self.model.statistics.succeeded(self.watch)

    def _read(self, permit: Permit) -> tuple[Generator[ModelRows, NDArray[np.float64], Answer], ModelRows]:
        settings = self.services.settings
        body = decompressed(self.body, self.headers.get("content-encoding", ""), settings.max_body_bytes)
        work = self.protocol(Asked(self.model, body, self.headers, settings.max_prediction_rows, permit))
        rows = next(work)
        self.watch.rows = len(rows)
        self.watch.lap("compute_input")
        return work, rows

    def _write(self, work: Generator[ModelRows, NDArray[np.float64], Answer], outputs: NDArray[np.float64]) -> Response:
        self.watch.lap("compute_infer")
        try:
            work.send(outputs)
        except StopIteration as end:
            answer: Answer = end.value
            return _response(answer, self.headers.get("accept-encoding", ""))
        raise RuntimeError("a protocol asks the model once")


def _response(answer: Answer, accept_encoding: str) -> Response:
    headers = dict(answer.headers)
    content = answer.body
    if len(content) >= LEAST_BYTES and accept_encoding:
        encoding = accepted_encoding(accept_encoding)
        if encoding is not None:
            content = compressed(content, encoding)
            headers["Content-Encoding"] = encoding
        headers["Vary"] = "Accept-Encoding"
    return Response(content, media_type=answer.media_type, headers=headers)
