"""The service from Python: `from api.client import RiskscopeClient`. Needs httpx and pydantic, and nothing of the
service's own packages."""

from api.client.client import RiskscopeClient
from api.client.errors import (
    Conflict,
    DamagedFile,
    Forbidden,
    JobCancelled,
    JobFailed,
    JobNotSucceeded,
    Malformed,
    NotFound,
    RefusedField,
    RiskscopeError,
    ServiceFailure,
    ServiceRefusal,
    ServiceUnreachable,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unprocessable,
    UnsupportedMediaType,
    WaitTimeout,
)
from api.client.jobs import Job

__all__ = [
    "Conflict",
    "DamagedFile",
    "Forbidden",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobNotSucceeded",
    "Malformed",
    "NotFound",
    "RefusedField",
    "RiskscopeClient",
    "RiskscopeError",
    "ServiceFailure",
    "ServiceRefusal",
    "ServiceUnreachable",
    "TooLarge",
    "TooManyRequests",
    "Unauthenticated",
    "Unprocessable",
    "UnsupportedMediaType",
    "WaitTimeout",
]
