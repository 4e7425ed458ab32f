"""Everything that can go wrong between a program and the service.

RiskscopeError
├── ServiceUnreachable          no answer, after every try
├── ServiceRefusal              an answer of 4xx or 5xx, with the service's own words
│   ├── Malformed               400
│   ├── Unauthenticated         401
│   ├── Forbidden               403
│   ├── NotFound                404
│   ├── Conflict                409
│   ├── TooLarge                413
│   ├── UnsupportedMediaType    415
│   ├── Unprocessable           422
│   ├── TooManyRequests         429
│   └── ServiceFailure          500 and above
├── DamagedFile                 a download is not what its digest says
├── WaitTimeout                 the job was not finished in time; it goes on
└── JobNotSucceeded
    ├── JobFailed
    └── JobCancelled
"""

from dataclasses import dataclass
from typing import Any

from api.client.documents.jobs import JobDocument


class RiskscopeError(Exception):
    """Root of the tree."""


class ServiceUnreachable(RiskscopeError):
    """No answer came; whether the service saw the request is unknown."""


@dataclass(frozen=True)
class RefusedField:
    """A bad field: where it stands in the body, as JSON pointer, or a parameter's name; and what is wrong."""

    pointer: str
    detail: str


class ServiceRefusal(RiskscopeError):
    """The service's problem document (RFC 9457).

    `problem` is the whole body, empty where something else than the service answered. `request_id` finds the request in
    the service's logs. `retry_after_seconds` is what the service asked to wait, None where it did not say.
    """

    def __init__(self, status: int, problem: dict[str, Any], *, retry_after_seconds: float | None = None) -> None:
        self.status = status
        self.problem = problem
        self.title = str(problem.get("title") or f"HTTP {status}")
        self.detail = str(problem.get("detail") or self.title)
        self.request_id = str(problem.get("request_id") or "")
        self.retry_after_seconds = retry_after_seconds
        fields = problem.get("errors") or []
        self.field_errors = tuple(RefusedField(str(each["pointer"]), str(each["detail"])) for each in fields)
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        told = f"{self.status} {self.title}: {self.detail}"
        others = [error for error in self.field_errors if error.detail not in self.detail]
        return told + "".join(f"\n  {error.pointer}: {error.detail}" for error in others)


class Malformed(ServiceRefusal):
    """400."""


class Unauthenticated(ServiceRefusal):
    """401."""


class Forbidden(ServiceRefusal):
    """403."""


class NotFound(ServiceRefusal):
    """404."""


class Conflict(ServiceRefusal):
    """409."""


class TooLarge(ServiceRefusal):
    """413."""


class UnsupportedMediaType(ServiceRefusal):
    """415."""


class Unprocessable(ServiceRefusal):
    """422."""


class TooManyRequests(ServiceRefusal):
    """429."""


class ServiceFailure(ServiceRefusal):
    """500 and above."""


_BY_STATUS: dict[int, type[ServiceRefusal]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMediaType,
    422: Unprocessable,
    429: TooManyRequests,
}


def refusal(status: int, problem: dict[str, Any], retry_after_seconds: float | None = None) -> ServiceRefusal:
    """The exception of a status."""
    kind = ServiceFailure if status >= 500 else _BY_STATUS.get(status, ServiceRefusal)
    return kind(status, problem, retry_after_seconds=retry_after_seconds)


class DamagedFile(RiskscopeError):
    """The bytes that came are not those whose digest was announced."""


class WaitTimeout(RiskscopeError, TimeoutError):
    """The job was not finished in time; it goes on. `job` is as it was last seen."""

    def __init__(self, job: JobDocument, seconds: float) -> None:
        self.job = job
        super().__init__(f"Job {job.id} is {job.status} after {seconds:g} s; it goes on.")


class JobNotSucceeded(RiskscopeError):
    """A job ended without a result."""

    def __init__(self, job: JobDocument, message: str) -> None:
        self.job = job
        super().__init__(message)


class JobFailed(JobNotSucceeded):
    """`job.error` says why; `code`, `message`, and `param` where one field is to blame."""


class JobCancelled(JobNotSucceeded):
    """Somebody asked for its end."""
