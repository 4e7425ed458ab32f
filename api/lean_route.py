"""Routes that FastAPI documents and does not answer: its way to a route costs more than a small prediction."""

from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import EXPECTED, respond_to
from api.metrics import Metrics
from api.middleware import BodyCap, RequestEnvelope


class LeanRoute(APIRoute):
    """Calls its endpoint with the bare request: `async (Request) -> Response`.

    Dependencies and parameters are only documented; the endpoint authenticates by itself. Successes are counted in the
    metrics and not logged: the line would cost an eighth of the request.
    """

    counted_not_logged = True

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or 405 for another method."""
        if self.methods is not None and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


class Shortcut:
    """The lean routes behind the same envelope and the same cap as every other, without the framework between.

    Each route is `/{first}/models/{name}/.../{last}`, and told by its first and last word and its number of words.
    """

    def __init__(self, routes: Sequence[LeanRoute], metrics: Metrics, max_body_bytes: int) -> None:
        self._routes = {_key(route.path): route for route in routes}
        self._answer: ASGIApp = RequestEnvelope(BodyCap(_answered, max_body_bytes, 0, upload_path=""), metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer where a lean route is asked; False: nothing was done."""
        words = scope["path"].split("/")
        route = self._routes.get((words[1], words[-1], len(words))) if len(words) > 4 else None
        if route is None or words[2] != "models" or (len(words) == 7 and words[4] != "versions"):
            return False
        scope["route"] = route
        scope["path_params"] = {"name": words[3]} if len(words) == 5 else {"name": words[3], "version": words[5]}
        await self._answer(scope, receive, send)
        return True


def _key(path: str) -> tuple[str, str, int]:
    words = path.split("/")
    return words[1], words[-1], len(words)


async def _answered(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await scope["route"].handle(scope, receive, send)
    except Exception as error:
        response = await respond_to(Request(scope), error)
        await response(scope, receive, send)
        if not isinstance(error, EXPECTED):
            # As Starlette does: a defect is also the server's, or the test's, to see.
            raise


class Application(FastAPI):
    """FastAPI with a shortcut; without one, or past it, everything is FastAPI's own."""

    shortcut: Shortcut | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self.shortcut is not None and scope["type"] == "http" and scope["method"] == "POST":
            scope["app"] = self
            if await self.shortcut(scope, receive, send):
                return
        await super().__call__(scope, receive, send)
