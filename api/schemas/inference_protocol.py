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


class DurationStatistic(BaseModel):
    """So many requests, so many nanoseconds of all of them."""

    count: int
    ns: int


class InferenceStatistics(BaseModel):
    """By outcome, and for what succeeded by phase: waiting, reading the body, the model's run, writing the answer."""

    success: DurationStatistic
    fail: DurationStatistic
    queue: DurationStatistic
    compute_input: DurationStatistic
    compute_infer: DurationStatistic
    compute_output: DurationStatistic


class BatchStatistic(BaseModel):
    """Requests of at most `batch_size` rows, a power of two, and of more than half of it."""

    batch_size: int
    compute_input: DurationStatistic
    compute_infer: DurationStatistic
    compute_output: DurationStatistic


class ModelStatisticsEntry(BaseModel):
    """A version since this process began. `last_inference`: milliseconds since 1970; `inference_count`: rows."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferenceStatistics
    batch_stats: list[BatchStatistic]


class StatisticsDocument(BaseModel):
    """One entry for each version."""

    model_stats: list[ModelStatisticsEntry]


class RepositoryIndexRequest(BaseModel):
    """`ready` true: only what is open and warm."""

    ready: bool = False


class RepositoryEntry(BaseModel):
    """A stored version."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str


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
    """An output to answer with; `parameters.binary_data` asks for raw bytes, `classification` for the n largest."""

    name: Literal["outputs"]
    parameters: dict[str, Any] | None = None


class InferenceRequestDocument(BaseModel):
    """The request, or its JSON header where Inference-Header-Content-Length is sent."""

    id: str | None = None
    parameters: dict[str, Any] | None = None
    inputs: list[RequestTensor] = Field(min_length=1, max_length=2)
    outputs: list[RequestedOutput] | None = None


class AnswerTensor(BaseModel):
    """An output, flat in row-major order; the datatype is the input's, FP64 for integers.

    Where classes were asked for it is BYTES, each "value:index:label".
    """

    name: str
    datatype: Literal["FP32", "FP64", "BYTES"]
    shape: list[int]
    data: list[float | str]


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
