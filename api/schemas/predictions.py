"""Bodies of a native prediction."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Cell = float | str | None
"""A number, a text, or null where a column may miss values."""


class PredictingModel(BaseModel):
    """The version that answered."""

    name: str
    version: int


class PredictionDocument(BaseModel):
    """One row of `predictions` for each row of the request, in its order; columns as in `outputs`, label units.

    `labels`, of a classification only: the class with the largest output.
    """

    predictions: list[list[float]]
    outputs: list[str]
    model: PredictingModel
    labels: list[float | str] | None = None


class RowsBody(BaseModel):
    """Rows in the model's order of inputs; null is a missing value."""

    model_config = ConfigDict(extra="forbid")

    rows: list[list[Cell]] = Field(min_length=1)


class ColumnsBody(BaseModel):
    """Columns by name, in any order."""

    model_config = ConfigDict(extra="forbid")

    columns: dict[str, list[Cell]]


class RecordsBody(BaseModel):
    """One object for each row."""

    model_config = ConfigDict(extra="forbid")

    records: list[dict[str, Cell]] = Field(min_length=1)


_BYTES = {"schema": {"type": "string", "format": "binary"}}
_CSV = {"schema": {"type": "string", "description": "UTF-8, with a header of column names."}}
_BINARY_FORMS = (
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.parquet",
    "application/x-npy",
)


def answer_documents() -> dict[int | str, dict[str, Any]]:
    """The OpenAPI answers beside JSON: columns as in `outputs`, and `label` of a classification (but for NPY)."""
    return {200: {"content": {"text/csv": _CSV, **dict.fromkeys(_BINARY_FORMS, _BYTES)}}}


def request_body_document() -> dict[str, Any]:
    """The OpenAPI request body. The route reads the bytes itself: pydantic would take ten times as long."""
    forms = [form.model_json_schema() for form in (RowsBody, ColumnsBody, RecordsBody)]
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": forms}, "example": {"rows": [[0.1, 0.2], [0.3, 0.4]]}},
                "text/csv": _CSV,
                **dict.fromkeys(_BINARY_FORMS, _BYTES),
            },
        }
    }
