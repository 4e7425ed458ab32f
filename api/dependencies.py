"""What routes ask for. The services are built by the composition root and live in the app's state."""

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from api.authentication import Authenticator, Principal
from api.dataset_files.reading import FileReaders
from api.doorbell import Doorbell
from api.errors import Forbidden
from api.job_metrics import JobMetrics
from api.metrics import Metrics
from api.serving.capacity import PredictionCapacity
from api.serving.directory import ModelDirectory
from api.serving.sessions import ModelSessions
from api.serving.turns import SharedTurns
from api.settings import ApiSettings
from db.artefact_store import ArtefactStore
from db.engine import Database


@dataclass(frozen=True)
class Services:
    """Everything that outlives a request. `closing` is set when the server begins to stop: streams then end."""

    settings: ApiSettings
    database: Database
    store: ArtefactStore
    doorbell: Doorbell
    authenticator: Authenticator
    metrics: Metrics
    job_metrics: JobMetrics
    sessions: ModelSessions
    directory: ModelDirectory
    capacity: PredictionCapacity
    turns: SharedTurns
    readers: FileReaders
    closing: threading.Event


async def get_services(request: Request) -> Services:
    """The composition root's services. `async`, so that reading an attribute costs no hop to a worker thread."""
    services: Services = request.app.state.services
    return services


AppServices = Annotated[Services, Depends(get_services)]

_BEARER = HTTPBearer(auto_error=False, description="An API key. Not needed on loopback while no key exists.")


async def authenticated(services: Services, authorization: str | None, *scopes: str) -> Principal:
    """The principal of an Authorization header, who has one of the scopes.

    Raises:
        Unauthenticated: see `Authenticator.authenticate`.
        Forbidden: none of the scopes.
    """
    if services.authenticator.remembers(authorization):
        # A hop to a worker thread would cost a seventh of a one-row prediction.
        principal = services.authenticator.authenticate(authorization)
    else:
        principal = await run_in_threadpool(services.authenticator.authenticate, authorization)
    if not any(principal.may(scope) for scope in scopes):
        raise Forbidden(f"This key lacks the scope {' or '.join(map(repr, scopes))}.")
    return principal


def principal_with(*scopes: str) -> Callable[..., Awaitable[Principal]]:
    """A dependency that authenticates and demands one of the scopes."""

    async def authenticate(
        request: Request,
        services: AppServices,
        _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> Principal:
        return await authenticated(services, request.headers.get("authorization"), *scopes)

    # What a route checks before its body is read, and its description says.
    authenticate.scopes = scopes  # type: ignore[attr-defined]
    return authenticate


Reader = Annotated[Principal, Depends(principal_with("read"))]
Submitter = Annotated[Principal, Depends(principal_with("submit"))]
Predictor = Annotated[Principal, Depends(principal_with("predict"))]
Administrator = Annotated[Principal, Depends(principal_with("admin"))]


@dataclass(frozen=True)
class Paging:
    """The parameters of every list."""

    limit: int
    after: str | None
    order: Literal["asc", "desc"]


def paging_over(prefix: str) -> Callable[..., Paging]:
    """`?limit=&after=&order=` of a list whose ids have this prefix."""

    def paging(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[
            str | None,
            Query(pattern=f"^{prefix}_[0-9a-z]{{1,40}}$", description="The last id of the page before."),
        ] = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> Paging:
        return Paging(limit, after, order)

    return paging


DatasetPages = Annotated[Paging, Depends(paging_over("ds"))]
JobPages = Annotated[Paging, Depends(paging_over("job"))]
DecompositionPages = Annotated[Paging, Depends(paging_over("dec"))]
ModelPages = Annotated[Paging, Depends(paging_over("mdl"))]
DeliveryPages = Annotated[Paging, Depends(paging_over("msg"))]
KeyPages = Annotated[Paging, Depends(paging_over("key"))]
