"""Datasets as JSON."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.lists import ListDocument
from db.tables import Dataset


class DatasetColumn(BaseModel):
    """A column in file order; `nulls`, `non_finite` (NaN, infinite) and `infinite` count its rows.

    `distinct` counts its different values, null where there are more than can be categories. `first_text_row`: of a
    text column of CSV that is numbers for the most part, the first row, from 1, whose cell is none.
    """

    name: str
    type: Literal["number", "text", "date"]
    nulls: int
    non_finite: int
    infinite: int = 0
    distinct: int | None = None
    first_text_row: int | None = None


class DatasetDocument(BaseModel):
    """An uploaded table; `sha256` and `size_bytes` are of the bytes as uploaded."""

    id: str
    object: Literal["dataset"] = "dataset"
    name: str
    sha256: str
    format: Literal["csv", "parquet", "arrow", "ndjson", "npz"]
    size_bytes: int
    rows: int
    columns: list[DatasetColumn]
    created_at: datetime


class DatasetRows(BaseModel):
    """The first rows as records: a missing value is null, one that is not finite "inf", "-inf" or "nan"."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]] = Field(description="Column name to value.")
    has_more: bool


DatasetList = ListDocument[DatasetDocument]


def dataset_document(dataset: Dataset) -> DatasetDocument:
    """A row as its document."""
    return DatasetDocument.model_validate(dataset, from_attributes=True)
