"""Risks of many networks of one space and their gradients: what all spaces share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.batched_training.products import Products
from models.batched_training.rows import StackedRows, equal_share
from models.batched_training.stacking import StackedParameters

BLOCK_ELEMENTS = {"cpu": 2**21, "cuda": 2**28}
"""Activations held at a time: a part of the last cache, so that calls are few, or of an accelerator's memory."""

ROWS_OF_A_LINE = 16


@dataclass(frozen=True)
class Block:
    """Networks first:last, which see `samples` in equal shares, on a range of rows."""

    networks: slice
    samples: slice
    rows: slice


class Gradients(ABC):
    """Of (1/n) sum_i |f_b(x_i) - y_i|^2 for B networks of one space, B/G of them in turn on each of G samples.

    Blocks of networks, or of rows where one network is large, keep the activations in cache. Buffers are kept.
    """

    def __init__(self, like: Tensor, activations: int) -> None:
        """For networks with this many `activations` for each row, in the precision and place of `like`."""
        self.products = Products(like.dtype, like.device)
        self._activations = activations
        self._block_elements = BLOCK_ELEMENTS.get(like.device.type, BLOCK_ELEMENTS["cuda"])
        self._like = like
        self._buffers: dict[str, Tensor] = {}
        self._views: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    @abstractmethod
    def alone(self, networks: int, rows: int) -> bool:
        """Whether so many networks that share a sample of so many rows are fastest without those of other samples."""

    @abstractmethod
    def squares(self, theta: StackedParameters, rows: StackedRows, block: Block) -> Float[Tensor, " b"]:
        """sum_i |f_b(x_i) - y_i|^2 over the rows of the block."""

    @abstractmethod
    def accumulate(self, theta: StackedParameters, rows: StackedRows, block: Block, into: StackedParameters) -> None:
        """Put the block's part of the gradients to `into`, which holds the sum over the rows before."""

    def finish(self, theta: StackedParameters, networks: slice, size: int, into: StackedParameters) -> None:
        """From sums over all `size` rows to gradients, for these networks."""
        for values in into.part(networks).tensors:
            values.mul_(2 / size)

    @torch.no_grad()
    def risks(self, theta: StackedParameters, rows: StackedRows) -> Float[Tensor, " b"]:
        """R of each network on its sample."""
        total = self._like.new_zeros(theta.networks)
        for block in self._blocks(theta.networks, rows):
            total[block.networks] += self.squares(theta, rows, block)
        return total / rows.size

    @torch.no_grad()
    def write(self, theta: StackedParameters, rows: StackedRows, into: StackedParameters) -> None:
        """The gradients at `theta`, to `into`."""
        for block in self._blocks(theta.networks, rows):
            self.accumulate(theta, rows, block, into)
            if block.rows.stop == rows.size:
                self.finish(theta, block.networks, rows.size, into)

    def _blocks(self, networks: int, rows: StackedRows) -> Iterator[Block]:
        share = equal_share(networks, rows.samples)
        fit = self._block_elements // (self._activations * rows.size)
        if fit >= share and not self.alone(share, rows.size):
            together = fit // share
            for first in range(0, rows.samples, together):
                last = min(first + together, rows.samples)
                yield Block(slice(first * share, last * share), slice(first, last), slice(0, rows.size))
            return
        at_once = max(1, min(fit, share))
        few = rows.size if fit else self._rows_of_a_block()
        for sample in range(rows.samples):
            for first in range(0, share, at_once):
                last = min(first + at_once, share)
                chosen = slice(sample * share + first, sample * share + last)
                for row in range(0, rows.size, few):
                    yield Block(chosen, slice(sample, sample + 1), slice(row, min(row + few, rows.size)))

    def _rows_of_a_block(self) -> int:
        few = max(1, self._block_elements // self._activations)
        # Rows come last in every product, and their lengths should be whole lines of the cache.
        return few - few % ROWS_OF_A_LINE if few > ROWS_OF_A_LINE else few

    def less_labels(
        self, outputs: Float[Tensor, "b k n"], rows: StackedRows, block: Block, factor: float = 1.0
    ) -> Float[Tensor, "b k n"]:
        """outputs - y / factor, in place of the outputs."""
        labels = rows.labels[block.samples, None, block.rows].mT
        outputs.unflatten(0, (labels.shape[0], -1)).sub_(labels if factor == 1 else labels / factor)
        return outputs

    def buffer(self, name: str, *shape: int) -> Tensor:
        """Memory of this shape, kept under the name."""
        # A view costs as much as a small operation, so that those of every shape are kept.
        if (name, shape) not in self._views:
            size = torch.Size(shape).numel()
            if name not in self._buffers or self._buffers[name].numel() < size:
                self._buffers[name] = self._like.new_empty(size)
                self._views = {key: view for key, view in self._views.items() if key[0] != name}
            self._views[name, shape] = self._buffers[name][:size].view(shape)
        return self._views[name, shape]


def put(target: Tensor, values: Tensor, first: bool) -> None:
    """The sum over the rows so far."""
    if first:
        target.copy_(values)
    else:
        target.add_(values)
