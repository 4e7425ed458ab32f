"""The rows that a batch of networks sees at a step: G samples of equal size, with the constant of the bias."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.samples import Sample


@dataclass(frozen=True)
class StackedRows:
    """G samples of n rows: `inputs` are (x_i, 1), `labels` y_i."""

    inputs: Float[Tensor, "g n c"]
    labels: Float[Tensor, "g n k"]

    @property
    def samples(self) -> int:
        """G."""
        return self.inputs.shape[0]

    @property
    def size(self) -> int:
        """n."""
        return self.inputs.shape[1]

    def at(self, rows: Int[Tensor, "g b"]) -> "StackedRows":
        """The rows of each sample with these indices, CPU indices included."""
        first = torch.arange(0, self.samples * self.size, self.size)[:, None]
        chosen = (rows + first).flatten().to(self.inputs.device)
        inputs, labels = (
            values.flatten(0, 1).index_select(0, chosen).unflatten(0, rows.shape)
            for values in (self.inputs, self.labels)
        )
        return StackedRows(inputs, labels)


Batches = Callable[[int], StackedRows]
"""The rows of step t. Called once for each step, in order."""


def stacked_rows(
    samples: Sequence[Sample], dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> StackedRows:
    """Samples of equal n, d and k in one place and precision.

    Raises:
        RuntimeError: the samples differ in their shape (torch.stack).
    """
    inputs = torch.stack([sample.inputs.to(device, dtype) for sample in samples])
    labels = torch.stack([sample.labels.to(device, dtype) for sample in samples])
    return StackedRows(torch.cat([inputs, torch.ones_like(inputs[..., :1])], dim=2), labels)


def whole_samples(rows: StackedRows) -> Batches:
    """All rows at every step."""
    return lambda step: rows


def random_passes(rows: StackedRows, size: int, generators: Sequence[torch.Generator]) -> Batches:
    """`size` rows a step: passes over each sample in a random order of its own, without the last incomplete batch.

    Randomness: one CPU generator for each sample, drawn from exactly as models.minibatch_descent.minibatches does; none
    where `size` is n.
    """
    if size == rows.size:
        return whole_samples(rows)
    a_pass = rows.size // size
    orders: list[Tensor] = []

    def draw(step: int) -> StackedRows:
        turn = step % a_pass
        if turn == 0:
            orders[:] = [torch.stack([torch.randperm(rows.size, generator=generator) for generator in generators])]
        return rows.at(orders[0][:, turn * size : (turn + 1) * size])

    return draw
