"""Datasets."""

from datetime import datetime
from typing import Any, Literal

from api.client.documents.base import Document


class DatasetColumn(Document):
    """A column in file order; `nulls`, `non_finite` (NaN, infinite) and `infinite` count its rows.

    `distinct` counts its different values, None where there are more than can be categories. `first_text_row`: of a
    text column of CSV that is numbers for the most part, the first row, from 1, whose cell is none.
    """

    name: str
    type: Literal["number", "text", "date"]
    nulls: int
    non_finite: int
    infinite: int = 0
    distinct: int | None = None
    first_text_row: int | None = None


class Dataset(Document):
    """An uploaded table; `sha256` and `size_bytes` are of the bytes as uploaded."""

    id: str
    object: Literal["dataset"]
    name: str
    sha256: str
    format: str
    size_bytes: int
    rows: int
    columns: list[DatasetColumn]
    created_at: datetime


class DatasetRows(Document):
    """The first rows as records: a missing value is None, one that is not finite "inf", "-inf" or "nan"."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    has_more: bool
