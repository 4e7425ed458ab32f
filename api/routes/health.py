"""Probes, version and metrics; open to everyone who can connect."""

from importlib.metadata import version
from tempfile import TemporaryFile

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response

from api.dependencies import AppServices, Services
from api.schemas.health import Check, Liveness, ReadinessDocument, VersionDocument
from db.migrate import schema_is_current
from db.repositories.workers import Workers

router = APIRouter(tags=["platform"])

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/livez", summary="Whether the process answers")
async def livez() -> Liveness:
    """Looks at nothing else: a database that is down is no reason to restart this process."""
    return Liveness()


@router.get(
    "/readyz",
    summary="Whether jobs and predictions can be served",
    responses={
        200: {"model": ReadinessDocument},
        503: {"model": ReadinessDocument, "description": "Some check fails."},
    },
)
def readyz(services: AppServices) -> Response:
    """The database at the current schema, the broker, a worker seen lately, and a directory that can be written."""
    checks = {
        "database": _database(services),
        "broker": _broker(services),
        "worker": _worker(services),
        "storage": _storage(services),
    }
    ready = all(check.ok for check in checks.values())
    document = ReadinessDocument(status="ready" if ready else "not_ready", checks=checks)
    return JSONResponse(document.model_dump(), status_code=200 if ready else 503)


@router.get("/version", summary="What runs here")
async def version_of_this() -> VersionDocument:
    """Name and version."""
    return VersionDocument(version=version("riskscope"))


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
def metrics(services: AppServices) -> Response:
    """Text exposition; jobs and workers are counted at the scrape, and left as they were where the database is down."""
    services.job_metrics.update()
    return Response(services.metrics.render(), media_type=METRICS_MEDIA_TYPE)


def _database(services: Services) -> Check:
    try:
        current = schema_is_current(services.database)
    except SQLAlchemyError as error:
        return Check(ok=False, detail=f"unreachable: {type(error).__name__}")
    return Check(ok=current, detail="at the current schema" if current else "not migrated to the current schema")


def _broker(services: Services) -> Check:
    reachable = services.doorbell.reachable()
    return Check(ok=reachable, detail="answers" if reachable else "unreachable; queued jobs are kept and wait")


def _worker(services: Services) -> Check:
    seconds = services.settings.fresh_worker_seconds
    try:
        with services.database.reading() as session:
            fresh = Workers(session).fresh(seconds)
    except SQLAlchemyError as error:
        return Check(ok=False, detail=f"unknown: {type(error).__name__}")
    return Check(ok=fresh > 0, detail=f"{fresh} seen within {seconds:g} s")


def _storage(services: Services) -> Check:
    try:
        with TemporaryFile(dir=services.store.staging_directory()) as probe:
            probe.write(b"x")
    except OSError as error:
        return Check(ok=False, detail=f"cannot be written: {type(error).__name__}")
    return Check(ok=True, detail="can be written")
