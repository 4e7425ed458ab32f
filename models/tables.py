"""A table as the mathematics sees it: named columns of numbers or of text."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.errors import InvalidData


def incomplete_column(name: str, count: int) -> str:
    """Why a column cannot serve, and what to do."""
    return (
        f"Column {name!r} holds {count} missing or non-finite values: complete or drop these rows, or leave the column "
        "out of feature_columns."
    )


@dataclass(frozen=True)
class Table:
    """Columns in file order. `numbers` are float64 with NaN where a value is missing; `texts` hold None there."""

    order: tuple[str, ...]
    numbers: dict[str, Float[Tensor, " n"]]
    texts: dict[str, list[str | None]]
    rows: int

    def matrix(self, columns: tuple[str, ...], role: str) -> Float[Tensor, "n columns"]:
        """The named columns side by side, float64.

        `role` ("feature_columns", "target_columns") names the field that an error points to.

        Raises:
            InvalidData: a column is missing, holds text, or holds a missing or non-finite value.
        """
        for name in columns:
            if name in self.texts:
                raise InvalidData(f"Column {name!r} holds text; name numeric columns only.", f"/data/{role}")
            if name not in self.numbers:
                known = ", ".join(self.order[:50])
                raise InvalidData(f"There is no column {name!r}; there are {known}.", f"/data/{role}")
            bad = int((~torch.isfinite(self.numbers[name])).sum())
            if bad:
                raise InvalidData(incomplete_column(name, bad), f"/data/{role}")
        return torch.stack([self.numbers[name] for name in columns], dim=1)
