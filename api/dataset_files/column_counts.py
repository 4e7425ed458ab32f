"""What is counted of a column while its canonical form is written."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

NUMBER, TEXT, DATE = "number", "text", "date"


class ColumnCounts:
    """`levels`: distinct values are counted up to this many."""

    def __init__(self, kind: str, levels: int) -> None:
        self.kind = kind
        self.levels = levels
        self.nulls = self.non_finite = self.infinite = 0
        self.values: set[Any] | None = set()

    def add(self, column: pa.Array) -> None:
        """Count one batch."""
        self.nulls += column.null_count
        if self.kind == NUMBER:
            finite = pc.sum(pc.is_finite(column)).as_py() or 0
            self.non_finite += len(column) - column.null_count - finite
            self.infinite += pc.sum(pc.is_inf(column)).as_py() or 0
            column = column.filter(pc.is_finite(column), null_selection_behavior="drop")
        if self.values is not None:
            self.values.update(pc.unique(column.drop_null()).to_pylist())
            if len(self.values) > self.levels:
                self.values = None

    def description(self) -> dict[str, Any]:
        """The members of the column's description."""
        return {
            "type": self.kind,
            "nulls": self.nulls,
            "non_finite": self.non_finite,
            "infinite": self.infinite,
            "distinct": None if self.values is None else len(self.values),
        }
