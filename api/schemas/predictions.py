"""Bodies of a native prediction."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class PredictingModel(BaseModel):
    """The version that answered."""

    name: str
    version: int


class PredictionDocument(BaseModel):
    """One row of `predictions` for each row of the request, in its order; columns as in `outputs`, label units."""

    predictions: list[list[float]]
    outputs: list[str]
    model: PredictingModel


class RowsBody(BaseModel):
    """Rows in the model's order of inputs."""

    model_config = ConfigDict(extra="forbid")

    rows: list[list[float]] = Field(min_length=1)


class ColumnsBody(BaseModel):
    """Columns by name, in any order."""

    model_config = ConfigDict(extra="forbid")

    columns: dict[str, list[float]]


class RecordsBody(BaseModel):
    """One object for each row."""

    model_config = ConfigDict(extra="forbid")

    records: list[dict[str, float]] = Field(min_length=1)


def request_body_document() -> dict[str, Any]:
    """The OpenAPI request body. The route reads the bytes itself: pydantic would take ten times as long."""
    forms = [form.model_json_schema() for form in (RowsBody, ColumnsBody, RecordsBody)]
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": forms}, "example": {"rows": [[0.1, 0.2], [0.3, 0.4]]}},
                "text/csv": {"schema": {"type": "string", "description": "UTF-8, with a header of column names."}},
                "application/x-npy": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    }
