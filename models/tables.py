"""A table as the mathematics sees it: named columns of numbers or of text."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.plan import MOST_LEVELS, TableShape


@dataclass(frozen=True)
class Table:
    """Columns in file order. `numbers` are float64 with NaN where a value is missing; `texts` hold None there."""

    order: tuple[str, ...]
    numbers: dict[str, Float[Tensor, " n"]]
    texts: dict[str, list[str | None]]
    rows: int

    def shape(self, categories: Collection[str] = ()) -> TableShape:
        """What a stored description says; distinct values are counted for `categories` only."""
        missing = {name: int(torch.isnan(column).sum()) for name, column in self.numbers.items()}
        missing |= {name: sum(not cell for cell in column) for name, column in self.texts.items()}
        infinite = {name: int(torch.isinf(column).sum()) for name, column in self.numbers.items()}
        distinct = {name: self._distinct(name) for name in categories if name in self.order}
        return TableShape(
            rows=self.rows,
            columns=self.order,
            numeric=tuple(name for name in self.order if name in self.numbers),
            incomplete={name: count for name, count in missing.items() if count},
            infinite={name: count for name, count in infinite.items() if count},
            distinct={name: count for name, count in distinct.items() if count <= MOST_LEVELS},
        )

    def _distinct(self, name: str) -> int:
        if name in self.texts:
            return len({cell for cell in self.texts[name] if cell})
        column = self.numbers[name]
        return len(torch.unique(column[~torch.isnan(column)]))
