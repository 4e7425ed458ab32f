"""What every request passes: an id, a cap on the body, security headers, a log line and the metrics."""

import logging
import re
import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import PROBLEM_MEDIA_TYPE, NotFound, Problem, ProblemDocument, TooLarge, Unprocessable
from api.metrics import Metrics

PROBES = ("/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready")

logger = structlog.get_logger("api.access")
_level = logging.getLogger("api.access")

MULTIPART_ALLOWANCE_BYTES = 64 * 2**10
"""What an upload may have around its file: boundaries, part headers, the name."""

SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""On every answer that does not say otherwise; pages bring a policy of their own."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}")


class RequestEnvelope:
    """Pure ASGI, so that streams stay streams and an exception keeps its trace."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Echo or make the request id; log and count the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else "req_" + secrets.token_hex(12)
        scope.setdefault("state", {})["request_id"] = request_id
        # Whatever this request logs, in whatever thread, is found by its id.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *(header for header in SAFE_HEADERS if header[0] not in present),
                ]
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            elapsed = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.observe_request(scope["method"], route, status, elapsed)
            # Probes ask every few seconds, predictions are many: what is well with them is in the metrics.
            counted = status < 400 and getattr(scope.get("route"), "counted_not_logged", False)
            quiet = counted or scope["path"] in PROBES
            if not quiet or _level.isEnabledFor(logging.DEBUG):
                log = logger.debug if quiet else logger.info
                log(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    seconds=round(elapsed, 6),
                )


class RefuseNul:
    """No id and no filter holds NUL, which PostgreSQL refuses to compare: a path with one names nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the path and at the query."""
        if scope["type"] == "http" and "\x00" in scope["path"]:
            await refuse(scope, send, NotFound("There is nothing here."))
        elif scope["type"] == "http" and b"%00" in scope["query_string"]:
            await refuse(scope, send, Unprocessable("A query parameter must not hold NUL."))
        else:
            await self.app(scope, receive, send)


class BodyCap:
    """Refuses a body above its cap: by Content-Length before a byte is read, else as soon as the bytes exceed it.

    Uploads have a cap of their own. The message names the number.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, max_upload_bytes: int, upload_path: str) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.max_upload_bytes = max_upload_bytes
        self.upload_path = upload_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        uploads = scope["path"] == self.upload_path
        cap = self.max_upload_bytes + MULTIPART_ALLOWANCE_BYTES if uploads else self.max_body_bytes
        too_large = TooLarge(f"The body is larger than {cap} bytes.")
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > cap):
            await refuse(scope, send, too_large)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > cap:
                    raise too_large
            return message

        await self.app(scope, counted, send)


async def refuse(scope: Scope, send: Send, problem: Problem) -> None:
    """Answer from outside the application, whose handlers answer for what is inside."""
    document = ProblemDocument(
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        instance=scope["path"],
        error=problem.detail,
        request_id=scope.get("state", {}).get("request_id", ""),
    )
    body = document.model_dump_json().encode()
    headers = [
        (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *((name.lower().encode(), value.encode()) for name, value in (problem.headers or {}).items()),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
