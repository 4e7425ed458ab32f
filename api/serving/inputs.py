"""What a served model takes: raw columns of numbers and of text, in the order in which a client sends them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

NUMBERS, TEXTS = "inputs", "categories"
"""Names of the graph's input tensors: numbers, NaN where missing, and texts, empty where missing."""


@dataclass(frozen=True)
class InputColumn:
    """A raw column. `levels`: those of a category; another value counts as none of them."""

    name: str
    kind: Literal["number", "text"] = "number"
    accepts_missing: bool = False
    levels: tuple[float | str, ...] | None = None


@dataclass(frozen=True)
class ModelRows:
    """Rows of a request: `numbers` [N, c] float64 and `texts` [N, t] of str, columns in the model's order."""

    numbers: NDArray[np.float64]
    texts: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True)
class InputSchema:
    """The raw columns of a model."""

    columns: tuple[InputColumn, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every column."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def numbers(self) -> tuple[InputColumn, ...]:
        """The columns of the tensor of numbers."""
        return tuple(column for column in self.columns if column.kind == "number")

    @cached_property
    def texts(self) -> tuple[InputColumn, ...]:
        """The columns of the tensor of text."""
        return tuple(column for column in self.columns if column.kind == "text")

    @cached_property
    def tensors(self) -> dict[str, tuple[InputColumn, ...]]:
        """The graph's input tensors, in its order."""
        return {name: columns for name, columns in ((NUMBERS, self.numbers), (TEXTS, self.texts)) if columns}

    @cached_property
    def only_complete_numbers(self) -> bool:
        """Whether every column is a number that may not be missing."""
        return all(column.kind == "number" and not column.accepts_missing for column in self.columns)

    @cached_property
    def refuses_missing(self) -> NDArray[np.bool_]:
        """By column of the tensor of numbers."""
        return np.array([not column.accepts_missing for column in self.numbers], dtype=bool)


def input_schema(manifest: Mapping[str, Any]) -> InputSchema:
    """The columns that a manifest describes."""
    encoding = manifest.get("encoding")
    if encoding is None:
        return InputSchema(tuple(InputColumn(name) for name in manifest.get("input_names", ())))
    return InputSchema(tuple(_column(column) for column in encoding["columns"]))


def _column(record: Mapping[str, Any]) -> InputColumn:
    if record["kind"] == "number":
        return InputColumn(record["name"], "number", record["accepts_missing"])
    return InputColumn(record["name"], record["values"], record["accepts_missing"], tuple(record["levels"]))
