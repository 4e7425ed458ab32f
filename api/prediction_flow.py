"""The way of every prediction, whatever its protocol: who asks, which model, where it is computed, what is counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.dependencies import Services, authenticated
from api.serving.capacity import Permit
from api.serving.compression import LEAST_BYTES, accepted_encoding, compressed, decompressed
from api.serving.inputs import ModelRows
from api.serving.sessions import ServedModel
from api.serving.statistics import Stopwatch

CLIENT_GONE = 499


@dataclass(frozen=True)
class Asked:
    """A request whose model is found. `body` is decompressed."""

    model: ServedModel
    body: bytes
    headers: Headers
    max_rows: int
    watch: Stopwatch
    permit: Permit

    def predict(self, rows: ModelRows) -> NDArray[np.float64]:
        """The model's outputs. Raises Abandoned where nobody waits for them any more."""
        self.watch.rows = len(rows)
        self.watch.lap("compute_input")
        self.permit.check()
        outputs = self.model.predict(rows, self.permit.check)
        self.watch.lap("compute_infer")
        return outputs


@dataclass(frozen=True)
class Answer:
    """What the protocol says in return."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


async def answer_prediction(request: Request, protocol: str, work: Callable[[Asked], Answer]) -> Response:
    """Authenticate, find the model, and compute: at once where that is quick, else in a thread that may be waited for.

    A hop to another thread costs as much as a small prediction itself, and a large one would hold up everyone else.

    Raises:
        Problem: any that authentication, the model's words, the room for predictions or `work` have.
    """
    services: Services = request.app.state.services
    headers = request.headers
    principal = await authenticated(services, headers.get("authorization"), "predict")
    name, version = request.path_params["name"], request.path_params.get("version")
    try:
        body = await request.body()
        watch = Stopwatch()
        model = services.directory.remembered(principal.owner, name, version)
        services.metrics.model_cache.labels("miss" if model is None else "hit").inc()
        if model is None:
            model = await services.directory.find(principal.owner, name, version)
        computation = _Computation(services, model, body, headers, protocol, work, watch)
        seconds = services.settings.prediction_timeout_seconds
        if len(body) <= model.quick_bytes and "content-encoding" not in headers:
            return services.capacity.run_at_once(computation.run, seconds)
        return await services.capacity.run(computation.run, request, seconds)
    except ClientDisconnect:
        # Nobody reads it; the log and the metrics do.
        return Response(status_code=CLIENT_GONE)


@dataclass(frozen=True)
class _Computation:
    services: Services
    model: ServedModel
    body: bytes
    headers: Headers
    protocol: str
    work: Callable[[Asked], Answer]
    watch: Stopwatch

    def run(self, permit: Permit) -> Response:
        """The whole of it, with the model's statistics; in whatever thread calls."""
        settings, watch = self.services.settings, self.watch
        watch.lap("queue")
        try:
            body = decompressed(self.body, self.headers.get("content-encoding", ""), settings.max_body_bytes)
            asked = Asked(self.model, body, self.headers, settings.max_prediction_rows, watch, permit)
            answer = self.work(asked)
            response = _response(answer, self.headers.get("accept-encoding", ""))
        except BaseException:
            self.model.statistics.failed(watch)
            raise
        watch.lap("compute_output")
        self.model.statistics.succeeded(watch)
        self.services.metrics.observe_prediction(self.protocol, watch.rows)
        return response


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
