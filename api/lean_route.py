"""A route that FastAPI documents and does not answer: its dependencies cost more than a small prediction."""

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import Receive, Scope, Send


class LeanRoute(APIRoute):
    """Calls its endpoint with the bare request: `async (Request) -> Response`.

    Dependencies and parameters are only documented; the endpoint authenticates by itself. An exception is answered by
    the application's handlers as everywhere. It is to be put into the application's own list of routes: the search
    through an included router takes longer than the rest of the request.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or 405 for another method."""
        if self.methods is not None and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
