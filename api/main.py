"""The API's composition root."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from api.authentication import Authenticator
from api.cross_origin import cors_options
from api.dataset_files.caps import ReadingLimits
from api.dataset_files.reading import FileReaders
from api.dependencies import Services
from api.doorbell import Doorbell
from api.errors import install_error_handlers
from api.job_metrics import JobMetrics
from api.lean_route import Application, LeanRoute, Shortcut
from api.metrics import Metrics
from api.middleware import BodyCap, RefuseNul, RequestEnvelope
from api.openapi import openapi_document
from api.rate_limits import RateLimit, TokenBuckets
from api.routes import (
    api_keys,
    bounds,
    catalogue,
    datasets,
    decompositions,
    health,
    inference,
    inference_protocol,
    job_files,
    jobs,
    learned_models,
    pages,
    predictions,
    report,
    webhooks,
)
from api.serving.capacity import PredictionCapacity
from api.serving.directory import ModelDirectory
from api.serving.sessions import ModelSessions
from api.serving.turns import SharedTurns
from api.settings import ApiSettings
from db.artefact_store import ArtefactStore
from db.engine import Database

ROUTERS = (
    datasets.router,
    catalogue.router,
    bounds.router,
    jobs.router,
    job_files.router,
    report.router,
    webhooks.router,
    decompositions.router,
    learned_models.router,
    inference_protocol.router,
    api_keys.router,
    health.router,
    pages.router,
)

LEAN_ROUTERS = (predictions.router, inference.router)


def create_app(settings: ApiSettings, doorbell: Doorbell | None = None) -> FastAPI:
    """The application over one database, one store and one broker; they are opened and closed with its lifespan.

    `doorbell`: None makes the one that rings over the settings' broker. Whoever runs the server sets
    `app.state.closing` when it is told to stop, so that open streams end before the connections are waited for.
    """
    metrics = Metrics()
    closing = threading.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings)
        store = ArtefactStore(settings.artefact_directory)
        sessions = ModelSessions(store, settings.model_cache_bytes)
        metrics.cached_models.set_function(lambda: len(sessions))
        limits = ReadingLimits(
            seconds=settings.max_reading_seconds,
            memory_bytes=settings.max_reading_memory_bytes,
            parallel=settings.max_parallel_readings,
        )
        services = Services(
            settings=settings,
            database=database,
            store=store,
            doorbell=doorbell or Doorbell(settings.broker_url),
            authenticator=Authenticator(settings, database),
            metrics=metrics,
            job_metrics=JobMetrics(metrics, database, settings.fresh_worker_seconds),
            closing=closing,
            sessions=sessions,
            directory=ModelDirectory(database, sessions),
            capacity=PredictionCapacity(settings.prediction_threads, settings.max_waiting_predictions),
            turns=SharedTurns(),
            readers=FileReaders(limits, spare=settings.spare_reading_process),
        )
        app.state.services = services
        services.readers.warm()
        await run_in_threadpool(services.job_metrics.begin)
        try:
            yield
        finally:
            closing.set()
            services.capacity.close()
            services.readers.close()
            services.sessions.close()
            services.doorbell.close()
            database.close()

    app = Application(
        title="riskscope",
        version=version("riskscope"),
        summary="Supervised learning with its error explained: approximation, estimation, optimization, and bounds.",
        lifespan=lifespan,
        # Not its log records: an exception's text may hold a client's data.
        telemetry={
            "auto_configure": settings.telemetry,
            "tracing": settings.telemetry,
            "metrics": settings.telemetry,
            "logs": False,
        },
        # api/routes/pages.py serves /docs from this installation instead of a content delivery network.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.closing = closing
    app.add_middleware(
        BodyCap,
        max_body_bytes=settings.max_body_bytes,
        max_upload_bytes=settings.max_upload_bytes,
        upload_path="/v1/datasets",
    )
    app.add_middleware(RefuseNul)
    if settings.requests_per_second is not None:
        buckets = TokenBuckets(settings.requests_per_second, settings.request_burst)
        app.add_middleware(RateLimit, buckets=buckets)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, **cors_options(settings.cors_origins))
    app.add_middleware(RequestEnvelope, metrics=metrics)
    install_error_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    lean = [route for router in LEAN_ROUTERS for route in router.routes if isinstance(route, LeanRoute)]
    app.router.routes[:0] = lean
    app.shortcut = Shortcut(lean, metrics, settings.max_body_bytes)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    return app
