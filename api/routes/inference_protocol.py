"""The Open Inference Protocol (v2) with Triton's binary tensors."""

from importlib.metadata import version as distribution_version
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from sqlalchemy import literal, select

from api.authentication import Principal
from api.dependencies import AppServices, Predictor, Services, principal_with
from api.resolution import ModelName, VersionOrAlias, learned_model, served_model
from api.routes.predictions import RawBody
from api.schemas.inference_protocol import (
    Datatype,
    InferenceAnswerDocument,
    ModelMetadata,
    ModelNames,
    Readiness,
    ServerMetadata,
    TensorMetadata,
    inference_body_document,
)
from api.serving.inference_answer import HEADER_LENGTH, write_answer
from api.serving.inference_request import read_request
from api.serving.inputs import TEXTS, input_schema
from api.serving.sessions import OUTPUT
from db.repositories.learned_models import LearnedModels

router = APIRouter(prefix="/v2", tags=["inference protocol"])

PLATFORM = "onnxruntime_onnx"
_LONGEST_PAGE = 1000

Asker = Annotated[Principal, Depends(principal_with("predict", "read"))]
HeaderLength = Annotated[
    str | None,
    Header(alias=HEADER_LENGTH, description="Length of the JSON header where binary tensors follow it."),
]


@router.get("", summary="Server metadata")
def server_metadata() -> ServerMetadata:
    """Name, version and extensions."""
    return ServerMetadata(
        name="riskscope", version=distribution_version("riskscope"), extensions=["binary_tensor_data"]
    )


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
    """Opens the model, so that the next prediction does not wait for it."""
    return Readiness(name=served_model(services, principal.owner, name).name, ready=True)


@router.get(
    "/models/{name}/versions/{version}/ready",
    summary="Whether a version can be asked",
    response_model_exclude_none=True,
)
def version_ready(services: AppServices, principal: Asker, name: ModelName, version: VersionOrAlias) -> Readiness:
    """Opens the version, so that the next prediction does not wait for it."""
    return Readiness(name=served_model(services, principal.owner, name, version).name, ready=True)


_BINARY = {200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}


@router.post(
    "/models/{name}/infer",
    summary="Infer with the newest version",
    response_model=InferenceAnswerDocument,
    responses=_BINARY,  # type: ignore[arg-type]
    openapi_extra=inference_body_document(),
)
def infer_with_newest(
    services: AppServices,
    principal: Predictor,
    name: ModelName,
    body: RawBody,
    header_length: HeaderLength = None,
) -> Response:
    """Tensors in, tensors out."""
    return _infer(services, principal.owner, name, None, body, header_length)


@router.post(
    "/models/{name}/versions/{version}/infer",
    summary="Infer with a version, or with what an alias points at",
    response_model=InferenceAnswerDocument,
    responses=_BINARY,  # type: ignore[arg-type]
    openapi_extra=inference_body_document(),
)
def infer_with_version(
    services: AppServices,
    principal: Predictor,
    name: ModelName,
    version: VersionOrAlias,
    body: RawBody,
    header_length: HeaderLength = None,
) -> Response:
    """Tensors in, tensors out."""
    return _infer(services, principal.owner, name, version, body, header_length)


def _infer(
    services: Services, owner: str, name: str, version: str | None, body: bytes, header_length: str | None
) -> Response:
    model = served_model(services, owner, name, version)
    request = read_request(body, header_length, model.inputs, services.settings.max_prediction_rows)
    answer = write_answer(request, model, model.predict(request.rows))
    services.metrics.predictions.labels("open_inference").inc(len(request.rows))
    return Response(answer.body, media_type=answer.media_type, headers=answer.headers)


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
