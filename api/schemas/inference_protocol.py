"""Bodies of the Open Inference Protocol (v2)."""

from typing import Any, Literal

from pydantic import BaseModel, Field

Datatype = Literal["FP32", "FP64", "INT32", "INT64", "BYTES"]


class ServerMetadata(BaseModel):
    """Who answers."""

    name: str
    version: str
    extensions: list[str]


class Readiness(BaseModel):
    """The status code says it; the member repeats it."""

    live: bool | None = None
    ready: bool | None = None
    name: str | None = None


class ModelNames(BaseModel):
    """Names of the models that can be asked."""

    models: list[str]


class TensorMetadata(BaseModel):
    """A tensor of a model; -1 is any number of rows. `parameters.columns` names the columns in order."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: dict[str, list[str]]


class ModelMetadata(BaseModel):
    """A model as the protocol describes it."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class RequestTensor(BaseModel):
    """An input: numbers, or categories as BYTES where a model has text columns.

    `data` flat in row-major order or nested, or absent where `parameters.binary_data_size` is given.
    """

    name: Literal["inputs", "categories"]
    shape: list[int] = Field(min_length=2, max_length=2)
    datatype: Datatype
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class RequestedOutput(BaseModel):
    """An output to answer with; `parameters.binary_data` asks for raw bytes."""

    name: Literal["outputs"]
    parameters: dict[str, Any] | None = None


class InferenceRequestDocument(BaseModel):
    """The request, or its JSON header where Inference-Header-Content-Length is sent."""

    id: str | None = None
    parameters: dict[str, Any] | None = None
    inputs: list[RequestTensor] = Field(min_length=1, max_length=2)
    outputs: list[RequestedOutput] | None = None


class AnswerTensor(BaseModel):
    """An output, flat in row-major order; the datatype is the input's, FP64 for integers."""

    name: str
    datatype: Literal["FP32", "FP64"]
    shape: list[int]
    data: list[float]


class InferenceAnswerDocument(BaseModel):
    """`parameters` carry the certificate: risk_upper_bound, loss_cap, confidence, sample_size."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, float | int | str] | None = None
    outputs: list[AnswerTensor]


def inference_body_document() -> dict[str, Any]:
    """The OpenAPI request body and header; the route reads the bytes itself."""
    schema = InferenceRequestDocument.model_json_schema()
    definitions = schema.pop("$defs")
    for property_schema, inner in (("inputs", "RequestTensor"), ("outputs", "RequestedOutput")):
        place = schema["properties"][property_schema]
        (place if "items" in place else place["anyOf"][0])["items"] = definitions[inner]
    example = {"inputs": [{"name": "inputs", "shape": [1, 2], "datatype": "FP64", "data": [0.1, 0.2]}]}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": example},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
    }
