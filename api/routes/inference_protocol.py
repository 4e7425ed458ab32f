"""The Open Inference Protocol (v2) but for inference itself: health, metadata, statistics, repository."""

from collections.abc import Iterator
from importlib.metadata import version as distribution_version
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from api.authentication import Principal
from api.dependencies import AppServices, Services, principal_with
from api.resolution import ModelName, VersionOrAlias, learned_model
from api.schemas.inference_protocol import (
    Datatype,
    ModelMetadata,
    ModelNames,
    Readiness,
    RepositoryEntry,
    RepositoryIndexRequest,
    ServerMetadata,
    StatisticsDocument,
    TensorMetadata,
)
from api.serving.inputs import TEXTS, input_schema
from api.serving.sessions import OUTPUT
from db.repositories.learned_models import LearnedModels
from db.tables import LearnedModel

router = APIRouter(prefix="/v2", tags=["inference protocol"])

PLATFORM = "onnxruntime_onnx"
EXTENSIONS = ["binary_tensor_data", "classification", "statistics"]
_LONGEST_PAGE = 1000

Asker = Annotated[Principal, Depends(principal_with("predict", "read"))]


@router.get("", summary="Server metadata")
def server_metadata() -> ServerMetadata:
    """Name, version and extensions."""
    return ServerMetadata(name="riskscope", version=distribution_version("riskscope"), extensions=EXTENSIONS)


@router.get("/health/live", summary="Whether the process lives", response_model_exclude_none=True)
def live() -> Readiness:
    """Always, where it answers."""
    return Readiness(live=True)


@router.get("/health/ready", summary="Whether predictions can be asked", response_model_exclude_none=True)
def ready(services: AppServices) -> Readiness:
    """The database answers, which is all that a prediction needs besides files; 503 where it does not."""
    with services.database.reading() as session:
        session.execute(select(literal(1)))
    return Readiness(ready=True)


@router.get("/models", summary="Names of the models")
def model_names(services: AppServices, principal: Asker) -> ModelNames:
    """Every model of this owner."""
    names: list[str] = []
    after: str | None = None
    with services.database.reading() as session:
        while True:
            page = LearnedModels(session, principal.owner).newest_page(limit=_LONGEST_PAGE, after=after, order="asc")
            names += [model.name for model in page.items]
            if not page.has_more:
                return ModelNames(models=names)
            after = page.items[-1].id


@router.get("/models/stats", summary="Statistics of every model that this process served")
def all_statistics(services: AppServices, principal: Asker) -> StatisticsDocument:
    """Since the process began; versions that it has not served are left out."""
    with services.database.reading() as session:
        models = [model for model in _versions(session, principal.owner) if services.sessions.is_known(model.id)]
    return _statistics(services, models)


@router.get("/models/{name}", summary="Metadata of a model")
def newest_metadata(services: AppServices, principal: Asker, name: ModelName) -> ModelMetadata:
    """Tensors of the newest version, and every version."""
    return _metadata(services, principal.owner, name, None)


@router.get("/models/{name}/versions/{version}", summary="Metadata of a version")
def version_metadata(
    services: AppServices, principal: Asker, name: ModelName, version: VersionOrAlias
) -> ModelMetadata:
    """Tensors of a version."""
    return _metadata(services, principal.owner, name, version)


@router.get("/models/{name}/ready", summary="Whether a model can be asked", response_model_exclude_none=True)
def newest_ready(services: AppServices, principal: Asker, name: ModelName) -> Readiness:
    """Opens and warms the model; the answer comes when that is done."""
    return Readiness(name=services.directory.look(principal.owner, name).name, ready=True)


@router.get(
    "/models/{name}/versions/{version}/ready",
    summary="Whether a version can be asked",
    response_model_exclude_none=True,
)
def version_ready(services: AppServices, principal: Asker, name: ModelName, version: VersionOrAlias) -> Readiness:
    """Opens and warms the version; the answer comes when that is done."""
    return Readiness(name=services.directory.look(principal.owner, name, version).name, ready=True)


@router.get("/models/{name}/stats", summary="Statistics of every version of a model")
def model_statistics(services: AppServices, principal: Asker, name: ModelName) -> StatisticsDocument:
    """What this process did since it began."""
    with services.database.reading() as session:
        learned_model(session, principal.owner, name)
        models = list(_versions(session, principal.owner, name))
    return _statistics(services, models)


@router.get("/models/{name}/versions/{version}/stats", summary="Statistics of a version")
def version_statistics(
    services: AppServices, principal: Asker, name: ModelName, version: VersionOrAlias
) -> StatisticsDocument:
    """What this process did since it began."""
    with services.database.reading() as session:
        model = learned_model(session, principal.owner, name, version)
    return _statistics(services, [model])


@router.post("/repository/index", summary="Every version of every model, and whether it is warm")
def repository_index(
    services: AppServices, principal: Asker, wanted: RepositoryIndexRequest | None = None
) -> list[RepositoryEntry]:
    """READY is open and warm in this process; the others are opened by their first request, or by asking `/ready`."""
    with services.database.reading() as session:
        models = list(_versions(session, principal.owner))
    entries = [_entry(model, services.sessions.is_open(model.id)) for model in models]
    only_ready = wanted is not None and wanted.ready
    return [entry for entry in entries if entry.state == "READY" or not only_ready]


def _versions(session: Session, owner: str, name: str | None = None) -> Iterator[LearnedModel]:
    models = LearnedModels(session, owner)
    after: str | None = None
    while True:
        page = models.every_version_page(name=name, limit=_LONGEST_PAGE, after=after)
        yield from page.items
        if not page.has_more:
            return
        after = page.items[-1].id


def _statistics(services: Services, models: list[LearnedModel]) -> StatisticsDocument:
    entries = [services.sessions.statistics(model.id).document(model.name, model.version) for model in models]
    return StatisticsDocument.model_validate({"model_stats": entries})


def _entry(model: LearnedModel, is_open: bool) -> RepositoryEntry:
    reason = "" if is_open else "not open in this process; its first request opens it"
    return RepositoryEntry(
        name=model.name, version=str(model.version), state="READY" if is_open else "UNAVAILABLE", reason=reason
    )


def _metadata(services: Services, owner: str, name: str, version: str | None) -> ModelMetadata:
    with services.database.reading() as session:
        model = learned_model(session, owner, name, version)
        versions = [model.version]
        if version is None:
            page = LearnedModels(session, owner).versions_page(name, limit=_LONGEST_PAGE, after=None, order="desc")
            versions = [row.version for row in page.items]
    manifest = model.manifest
    return ModelMetadata(
        name=model.name,
        versions=[str(number) for number in versions],
        platform=PLATFORM,
        inputs=[
            _tensor(tensor, "BYTES" if tensor == TEXTS else manifest["dtype"], [column.name for column in columns])
            for tensor, columns in input_schema(manifest).tensors.items()
        ],
        outputs=[_tensor(OUTPUT, manifest["dtype"], manifest["output_names"])],
    )


def _tensor(name: str, datatype: Datatype, columns: list[str]) -> TensorMetadata:
    return TensorMetadata(name=name, datatype=datatype, shape=[-1, len(columns)], parameters={"columns": columns})
