"""What every request passes: an id, a cap on the body, security headers, a log line and the metrics."""

import re
import secrets
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ProblemDocument, TooLarge
from api.metrics import Metrics

logger = structlog.get_logger("api.access")

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
        started, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            elapsed = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.observe_request(scope["method"], route, status, elapsed)
            logger.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=round(elapsed, 6),
            )


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
        cap = self.max_upload_bytes if scope["path"] == self.upload_path else self.max_body_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > cap:
            await self._refuse(scope, send, cap)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > cap:
                    raise TooLarge(f"The body is larger than {cap} bytes.")
            return message

        await self.app(scope, counted, send)

    async def _refuse(self, scope: Scope, send: Send, cap: int) -> None:
        detail = f"The body is larger than {cap} bytes."
        document = ProblemDocument(
            title=TooLarge.title,
            status=413,
            detail=detail,
            instance=scope["path"],
            error=detail,
            request_id=scope.get("state", {}).get("request_id", ""),
        )
        headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": document.model_dump_json().encode()})
