"""Native prediction: a table in, a table out."""

from collections.abc import Generator

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from numpy.typing import NDArray

from api.dependencies import principal_with
from api.errors import Unprocessable
from api.lean_route import LeanRoute
from api.prediction_flow import Answer, Asked, answer_prediction
from api.resolution import ModelName, VersionOrAlias
from api.schemas.predictions import PredictionDocument, answer_documents, request_body_document
from api.serving.inputs import ModelRows
from api.serving.rows import check_finite_predictions
from api.serving.table_answers import ENCODERS, JSON, Predictions, answer_media_type
from api.serving.table_bodies import decode_rows


def named(name: ModelName) -> None:
    """Documents the path; the flow reads it."""


def named_version(name: ModelName, version: VersionOrAlias) -> None:
    """Documents the path; the flow reads it."""


router = APIRouter(
    tags=["predictions"],
    route_class=LeanRoute,
    dependencies=[Depends(principal_with("predict"))],
    generate_unique_id_function=lambda route: route.name,
)


@router.post(
    "/v1/models/{name}/predict",
    summary="Predict with the newest version of a model",
    dependencies=[Depends(named)],
    response_model=PredictionDocument,
    responses=answer_documents(),
    openapi_extra=request_body_document(),
)
async def predict_with_newest(request: Request) -> Response:
    """One prediction for each row of the body; what Accept asks for, JSON where it asks for nothing."""
    return await answer_prediction(request, "native", _predict)


@router.post(
    "/v1/models/{name}/versions/{version}/predict",
    summary="Predict with a version of a model, or with what an alias points at",
    dependencies=[Depends(named_version)],
    response_model=PredictionDocument,
    responses=answer_documents(),
    openapi_extra=request_body_document(),
)
async def predict_with_version(request: Request) -> Response:
    """One prediction for each row of the body; what Accept asks for, JSON where it asks for nothing."""
    return await answer_prediction(request, "native", _predict)


def _predict(asked: Asked) -> Generator[ModelRows, NDArray[np.float64], Answer]:
    # Before anything is computed for a client that cannot read it.
    media_type = answer_media_type(asked.headers.get("accept", ""))
    model = asked.model
    outputs = yield decode_rows(asked.body, asked.headers.get("content-type"), model.inputs, asked.max_rows)
    check_finite_predictions(outputs, Unprocessable)
    body = ENCODERS[media_type](Predictions(model, outputs, model.labels(outputs)))
    # JSON says it in the body.
    told = {} if media_type == JSON else {"X-Model-Name": model.name, "X-Model-Version": str(model.version)}
    return Answer(body, media_type, told)
