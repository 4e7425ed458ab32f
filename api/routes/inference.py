"""Inference of the Open Inference Protocol (v2), with Triton's binary tensors, classification and compression."""

from collections.abc import Generator
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Header, Request, Response
from numpy.typing import NDArray

from api.dependencies import principal_with
from api.lean_route import LeanRoute
from api.prediction_flow import Answer, Asked, answer_prediction
from api.routes.predictions import named, named_version
from api.schemas.inference_protocol import InferenceAnswerDocument, inference_body_document
from api.serving.inference_answer import HEADER_LENGTH, write_answer
from api.serving.inference_request import read_request
from api.serving.inputs import ModelRows


def header_length(
    length: Annotated[
        str | None,
        Header(alias=HEADER_LENGTH, description="Length of the JSON header where binary tensors follow it."),
    ] = None,
) -> None:
    """Documents the header; the route reads it itself."""


router = APIRouter(
    prefix="/v2/models",
    tags=["inference protocol"],
    route_class=LeanRoute,
    dependencies=[Depends(principal_with("predict")), Depends(header_length)],
    generate_unique_id_function=lambda route: route.name,
)

_BINARY = {200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}


@router.post(
    "/{name}/infer",
    summary="Infer with the newest version",
    dependencies=[Depends(named)],
    response_model=InferenceAnswerDocument,
    responses=_BINARY,  # type: ignore[arg-type]
    openapi_extra=inference_body_document(),
)
async def infer_with_newest(request: Request) -> Response:
    """Tensors in, tensors out."""
    return await answer_prediction(request, "open_inference", _infer)


@router.post(
    "/{name}/versions/{version}/infer",
    summary="Infer with a version, or with what an alias points at",
    dependencies=[Depends(named_version)],
    response_model=InferenceAnswerDocument,
    responses=_BINARY,  # type: ignore[arg-type]
    openapi_extra=inference_body_document(),
)
async def infer_with_version(request: Request) -> Response:
    """Tensors in, tensors out."""
    return await answer_prediction(request, "open_inference", _infer)


def _infer(asked: Asked) -> Generator[ModelRows, NDArray[np.float64], Answer]:
    request = read_request(asked.body, asked.headers.get(HEADER_LENGTH), asked.model.inputs, asked.max_rows)
    if request.timeout_seconds is not None:
        asked.permit.limit(request.timeout_seconds)
    outputs = yield request.rows
    answer = write_answer(request, asked.model, outputs)
    return Answer(answer.body, answer.media_type, answer.headers)
