"""Every error a client can see, as RFC 9457 problem+json.

Problem                     status
├── Malformed               400
├── Unauthenticated         401
├── Forbidden               403
├── NotFound                404
├── Conflict                409
├── TooLarge                413
├── UnsupportedMediaType    415
├── Unprocessable           422   names each bad field by JSON pointer
├── TooManyRequests         429   Retry-After
└── Unavailable             503   Retry-After
"""

from collections.abc import Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from api.field_errors import FieldError, field_errors, parameter_errors
from db.engine import UNREACHABLE

logger = structlog.get_logger(__name__)

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PROBLEM_MEDIA_TYPE = "application/problem+json"


class ProblemDocument(BaseModel):
    """The body of every error. `error` repeats the detail for Open Inference clients, who decode that member."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    error: str
    request_id: str
    errors: list[FieldError] = Field(default_factory=list)


class Problem(HTTPException):
    """Root of the tree. An HTTPException, because FastAPI turns every other one met while it reads a body into 400."""

    status = 500
    title = "Internal error"

    def __init__(
        self, detail: str, *, errors: Sequence[FieldError] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(self.status, detail, headers or {})
        self.errors = list(errors)


class Malformed(Problem):
    status, title = 400, "Malformed request"


class Unauthenticated(Problem):
    status, title = 401, "Authentication required"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    status, title = 403, "Forbidden"


class NotFound(Problem):
    status, title = 404, "Not found"


class Conflict(Problem):
    status, title = 409, "Conflict with the present state"


class TooLarge(Problem):
    status, title = 413, "Too large"


class UnsupportedMediaType(Problem):
    status, title = 415, "Unsupported media type"


class Unprocessable(Problem):
    status, title = 422, "The request cannot be processed"


class TooManyRequests(Problem):
    status, title = 429, "Too many requests"

    def __init__(self, detail: str, retry_after_seconds: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class Unavailable(Problem):
    status, title = 503, "Temporarily unavailable"

    def __init__(self, detail: str, retry_after_seconds: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


def field_problem(pointer: str, detail: str) -> Unprocessable:
    """One bad field."""
    return Unprocessable(detail, errors=[FieldError(pointer=pointer, detail=detail)])


def _respond(request: Request, problem: Problem) -> Response:
    document = ProblemDocument(
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        instance=request.url.path,
        error=problem.detail,
        request_id=getattr(request.state, "request_id", ""),
        errors=problem.errors,
    )
    return JSONResponse(
        document.model_dump(),
        status_code=problem.status,
        headers=dict(problem.headers or {}),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _from_request_validation(error: RequestValidationError) -> Problem:
    everything = error.errors()
    if any(item["type"] == "json_invalid" for item in everything):
        return Malformed("The body is not valid JSON.")
    in_body = [item for item in everything if item["loc"] and item["loc"][0] == "body"]
    # A form's fields are the members of a body, too.
    body = dict(error.body) if isinstance(error.body, FormData) else error.body
    errors = field_errors(in_body, body, ("body",))
    errors += parameter_errors([item for item in everything if not item["loc"] or item["loc"][0] != "body"])
    first = errors[0]
    return Unprocessable(f"{first.pointer or 'body'}: {first.detail}", errors=errors)


def _from_http_exception(request: Request, error: HTTPException) -> Problem:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The router names the methods of the first route that has this path; there may be several.
        headers["Allow"] = ", ".join(_methods_of_path(request))
    problem = Problem(str(error.detail), headers=headers)
    problem.status, problem.title = error.status_code, HTTPStatus(error.status_code).phrase
    return problem


def _methods_of_path(request: Request) -> list[str]:
    routes = request.app.routes
    # A copy each: matching leaves what it found in the scope.
    tried = ((method, {**request.scope, "method": method}) for method in _METHODS)
    return [method for method, scope in tried if any(route.matches(scope)[0] is Match.FULL for route in routes)]


def _problem_of(request: Request, error: Exception) -> Problem:
    """The one table: what is raised -> what the client reads."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _from_request_validation(error)
    if isinstance(error, HTTPException):
        return _from_http_exception(request, error)
    if isinstance(error, UNREACHABLE):
        logger.error("database_unavailable", exc_info=error)
        return Unavailable("The database does not answer; try again.")
    logger.error("unhandled_exception", path=request.url.path, exc_info=error)
    return Problem("Something went wrong on our side; the request id finds it in the logs.")


async def respond_to(request: Request, error: Exception) -> Response:
    """The answer to whatever was raised."""
    return _respond(request, _problem_of(request, error))


EXPECTED: tuple[type[Exception], ...] = (Problem, RequestValidationError, HTTPException, *UNREACHABLE)
"""What may be raised where no one is to blame here; anything else is a defect."""


def install_error_handlers(app: FastAPI) -> None:
    """Every error of the application is answered by the one table."""
    for kind in (*EXPECTED, Exception):
        app.add_exception_handler(kind, respond_to)
