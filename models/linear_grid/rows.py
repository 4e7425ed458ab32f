"""Where the rows of a grid come from: blocks of features and labels that can be read again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Labels

Block = tuple[Features, Labels]

HELD_FEATURES = 2**27
"""Numbers of a sample's features that are kept; beyond, they are computed again at each reading."""


@runtime_checkable
class Rows(Protocol):
    """Rows (phi(x_i), y_i), i = 0, 1, ..., the same ones at every reading."""

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        """Rows start <= i < stop in their order, a block at a time."""


@dataclass(frozen=True)
class HeldRows:
    """Rows in memory: one block."""

    features: Features
    labels: Labels

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        """The rows asked for, without a copy."""
        if start < stop:
            yield self.features[start:stop], self.labels[start:stop]


@dataclass(frozen=True)
class ComputedRows:
    """Rows computed when they are read: `compute(start, stop)` gives those of one block of at most `block` rows.

    Blocks begin at multiples of `block`, so that a reading from 0 to n sees the blocks of every longer one.
    """

    compute: Callable[[int, int], Block]
    block: int

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        """The rows asked for, cut at multiples of `block`."""
        while start < stop:
            end = min(stop, (start // self.block + 1) * self.block)
            yield self.compute(start, end)
            start = end


def leading_rows(rows: Rows, stop: int) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n k"]]:
    """Rows 0 <= i < stop in one piece."""
    features, labels = zip(*rows.blocks(0, stop), strict=True)
    return (features[0], labels[0]) if len(features) == 1 else (torch.cat(features), torch.cat(labels))
