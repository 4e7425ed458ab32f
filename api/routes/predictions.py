"""Native prediction.

The routes are `def`: the alias must be looked up in the database for every request (about 300 µs, more where the
database is remote), which may not hold up the event loop. One hop to a worker thread (about 100 µs) then covers the
parsing and the run as well; for the run of one row alone (about 10 µs) it would not be worth it.
"""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response

from api.dependencies import AppServices, Predictor, Services
from api.errors import Unprocessable, UnsupportedMediaType
from api.resolution import ModelName, VersionOrAlias, served_model
from api.schemas.predictions import PredictionDocument, request_body_document
from api.serving.rows import check_finite_predictions
from api.serving.table_bodies import decode_rows

router = APIRouter(tags=["predictions"])


async def raw_body(request: Request) -> bytes:
    """The bytes of the body, which must not be compressed."""
    if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise UnsupportedMediaType("A compressed body (Content-Encoding) is not read here.")
    return await request.body()


RawBody = Annotated[bytes, Depends(raw_body)]


@router.post(
    "/v1/models/{name}/predict",
    summary="Predict with the newest version of a model",
    response_model=PredictionDocument,
    openapi_extra=request_body_document(),
)
def predict_with_newest(
    request: Request, services: AppServices, principal: Predictor, name: ModelName, body: RawBody
) -> Response:
    """One prediction for each row of the body."""
    return _predict(services, principal.owner, name, None, body, request.headers.get("content-type"))


@router.post(
    "/v1/models/{name}/versions/{version}/predict",
    summary="Predict with a version of a model, or with what an alias points at",
    response_model=PredictionDocument,
    openapi_extra=request_body_document(),
)
def predict_with_version(
    request: Request,
    services: AppServices,
    principal: Predictor,
    name: ModelName,
    version: VersionOrAlias,
    body: RawBody,
) -> Response:
    """One prediction for each row of the body."""
    return _predict(services, principal.owner, name, version, body, request.headers.get("content-type"))


def _predict(
    services: Services, owner: str, name: str, version: str | None, body: bytes, content_type: str | None
) -> Response:
    model = served_model(services, owner, name, version)
    rows = decode_rows(body, content_type, model.inputs, services.settings.max_prediction_rows)
    predictions = model.predict(rows)
    check_finite_predictions(predictions, Unprocessable)
    services.metrics.predictions.labels("native").inc(len(rows))
    document: dict[str, Any] = {
        "predictions": predictions,
        "outputs": model.output_names,
        "model": {"name": model.name, "version": model.version},
    }
    labels = model.labels(predictions)
    if labels is not None:
        document["labels"] = labels
    return Response(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
