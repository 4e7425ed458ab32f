"""The rows that a batch of networks sees at a step: G samples of equal size, with the constant of the bias."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.checkpoints import State, number, part
from models.samples import Sample

GATHERED_NUMBERS = 2**18
"""Numbers in the rows that are gathered at once, above one step: a part of the last cache."""


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

    def at(self, rows: Int[Tensor, "t g b"]) -> "StackedRows":
        """The rows of each sample with these indices at t steps, CPU indices included: t G samples."""
        first = torch.arange(0, self.samples * self.size, self.size)[:, None]
        chosen = (rows + first).flatten().to(self.inputs.device)
        shape = (rows.shape[0] * rows.shape[1], rows.shape[2])
        inputs, labels = (
            values.flatten(0, 1).index_select(0, chosen).unflatten(0, shape) for values in (self.inputs, self.labels)
        )
        return StackedRows(inputs, labels)


@dataclass(frozen=True)
class Stretch:
    """The rows of consecutive steps: sample g of the t-th at place (first + t) G + g of `rows`.

    At place g where `rows` has G samples only: all steps are equal.
    """

    rows: StackedRows
    samples: int
    first: int = 0

    @property
    def stride(self) -> int:
        """Places from one step to the next: G, or 0 where all steps are equal."""
        return 0 if self.rows.samples == self.samples else self.samples

    def at(self, step: int) -> StackedRows:
        """The rows of the step `step` of this stretch."""
        if not self.stride:
            return self.rows
        begin = (self.first + step) * self.samples
        chosen = slice(begin, begin + self.samples)
        return StackedRows(self.rows.inputs[chosen], self.rows.labels[chosen])


def equal_share(networks: int, samples: int) -> int:
    """Networks for each sample.

    Raises:
        ValueError: some sample would have more than another.
    """
    share, left = divmod(networks, samples)
    if left:
        raise ValueError(f"{networks} networks are no equal share of {samples} samples.")
    return share


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


class OneByOne:
    """Rows that a function of the step gives, which is called once for each step, in order."""

    def __init__(self, rows_of: Callable[[int], StackedRows]) -> None:
        self._rows_of = rows_of
        self._last: tuple[int, StackedRows] | None = None

    def stretch(self, step: int, count: int) -> Stretch:
        """The rows of `count` steps; the first may be the last one of the call before."""
        found = [self._at(one) for one in range(step, step + count)]
        first = found[0]
        if all(rows is first for rows in found):
            return Stretch(first, first.samples)
        inputs, labels = (torch.cat(parts) for parts in ([x.inputs for x in found], [x.labels for x in found]))
        return Stretch(StackedRows(inputs, labels), first.samples)

    def state(self) -> State:
        """Nothing: the function is of the step alone, or the caller's to restore."""
        return {}

    def restore(self, state: State) -> None:
        """See `state`."""

    def _at(self, step: int) -> StackedRows:
        if self._last is None or self._last[0] != step:
            self._last = (step, self._rows_of(step))
        return self._last[1]


class RandomPasses:
    """Passes over each sample in a random order of its own, `size` rows a step, the last incomplete batch left out.

    The rows of many steps are gathered at once: a call costs more than a few rows. Randomness: one CPU generator for
    each sample, drawn from exactly as models.minibatch_descent.Minibatches does.
    """

    def __init__(self, rows: StackedRows, size: int, generators: Sequence[torch.Generator]) -> None:
        self._rows = rows
        self._size = size
        self._generators = generators
        self._steps_a_pass = rows.size // size
        self._ahead = max(1, GATHERED_NUMBERS // (size * rows.samples * rows.inputs.shape[2]))
        self._drawn = 0
        self._orders: dict[int, Int[Tensor, "t g b"]] = {}
        self._gathered = (range(0), rows)

    def stretch(self, step: int, count: int) -> Stretch:
        """The rows of `count` steps; no call begins before the one before it did."""
        steps, rows = self._gathered
        if step not in steps or step + count > steps.stop:
            steps = range(step, step + max(count, self._ahead))
            rows = self._gather(steps)
            self._gathered = (steps, rows)
        return Stretch(rows, self._rows.samples, step - steps.start)

    def state(self) -> State:
        """The generators, the orders that they drew for the rows in hand, and which steps these are."""
        steps, _ = self._gathered
        return {
            "generators": torch.stack([one.get_state() for one in self._generators]),
            "drawn": number(self._drawn),
            "first_step": number(steps.start),
            "end_step": number(steps.stop),
            **{f"order/{one}": order.contiguous() for one, order in self._orders.items()},
        }

    def restore(self, state: State) -> None:
        """Go on from a `state()`."""
        for one, generator in zip(self._generators, state["generators"], strict=True):
            one.set_state(generator.clone())
        self._drawn = int(state["drawn"])
        self._orders = {int(one): order.clone() for one, order in part("order", state).items()}
        steps = range(int(state["first_step"]), int(state["end_step"]))
        if steps:
            self._gathered = (steps, self._gather(steps))

    def _gather(self, steps: range) -> StackedRows:
        first, last = steps.start // self._steps_a_pass, (steps.stop - 1) // self._steps_a_pass
        self._orders = {number: order for number, order in self._orders.items() if number >= first}
        while self._drawn <= last:
            self._orders[self._drawn] = self._order()
            self._drawn += 1
        begin = steps.start - first * self._steps_a_pass
        orders = torch.cat([self._orders[number] for number in range(first, last + 1)])
        return self._rows.at(orders[begin : begin + len(steps)])

    def _order(self) -> Int[Tensor, "t g b"]:
        used = self._steps_a_pass * self._size
        order = torch.stack([torch.randperm(self._rows.size, generator=one)[:used] for one in self._generators])
        return order.view(len(self._generators), self._steps_a_pass, self._size).transpose(0, 1)


Batches = Callable[[int], StackedRows] | RandomPasses
"""The rows of a step, or of many."""


def whole_samples(rows: StackedRows) -> Batches:
    """All rows at every step."""
    return lambda step: rows


def random_passes(rows: StackedRows, size: int, generators: Sequence[torch.Generator]) -> Batches:
    """RandomPasses; `whole_samples`, without a draw, where `size` is n."""
    return whole_samples(rows) if size == rows.size else RandomPasses(rows, size, generators)
