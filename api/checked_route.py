"""What a route checks before FastAPI reads the body: who asks, the media type, and that the JSON can be stored."""

import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn

from fastapi import Request, Response, params
from fastapi.routing import APIRoute

from api.dependencies import authenticated
from api.errors import Malformed, UnsupportedMediaType, field_problem
from api.field_errors import escaped


def parse_json(raw: bytes, max_nesting: int) -> Any:
    """The body, where it is JSON in the strict sense.

    Raises:
        Malformed: not JSON, not UTF-8, a NaN or Infinity literal, or nested too deeply.
        Unprocessable: a string holds a NUL or half a surrogate pair, which no database stores; names the field.
    """
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
        # Only what could hold such a thing is walked.
        may_nest = raw.count(b"[") + raw.count(b"{") > max_nesting
        if may_nest or b"\\u" in raw:
            for pointer, text in _strings(value, "", max_nesting):
                if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
                    raise field_problem(pointer, "A string must not hold NUL or a lone surrogate.")
    except RecursionError as error:
        raise Malformed(f"The body is nested deeper than {max_nesting} levels.") from error
    except ValueError as error:
        raise Malformed("The body is not valid JSON in UTF-8.") from error
    return value


def _refuse_constant(constant: str) -> NoReturn:
    raise Malformed(f"{constant} is not JSON.")


def _strings(value: Any, pointer: str, levels: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield pointer, value
        return
    if isinstance(value, dict | list) and levels == 0:
        raise RecursionError
    if isinstance(value, dict):
        for key, item in value.items():
            yield pointer, key
            yield from _strings(item, pointer + escaped(key), levels - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, str | dict | list):
                yield from _strings(item, pointer + escaped(index), levels - 1)


class _StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body(), self.app.state.services.settings.max_json_nesting)
        return self._json


class CheckedRoute(APIRoute):
    """The route class of every native router that takes a body.

    A client without a valid key of the route's scope is refused before a byte of its body is read.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the checks."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle
        form = isinstance(self.body_field.field_info, params.Form)
        wanted = "multipart/form-data" if form else "application/json"

        scopes = [scope for known in self.dependant.dependencies for scope in getattr(known.call, "scopes", ())]

        async def checked(request: Request) -> Response:
            await authenticated(request.app.state.services, request.headers.get("authorization"), *scopes)
            sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if sent != wanted:
                raise UnsupportedMediaType(f"Send {wanted} as Content-Type.")
            return await handle(_StrictRequest(request.scope, request.receive))

        return checked
