"""Parameters of many networks of one space, stacked, in the form in which they train."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.arrays import Parameters
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.residual import Residual
from models.hypothesis_spaces.two_layer import TwoLayer

StackableSpace = TwoLayer | Deep | Residual
"""Spaces whose networks train together."""


@dataclass(frozen=True)
class StackedParameters:
    """Of B networks: contiguous tensors by name, their first axis over the networks.

    The first layer's biases are the last column of its weights, since rows end in a constant 1: `weights` and
    `coefficients` (b, k, m) of two-layer networks, `input_weights` and the space's own names and shapes elsewhere.
    """

    values: Mapping[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        return self.values[name]

    @property
    def networks(self) -> int:
        """B."""
        return self.tensors[0].shape[0]

    @property
    def tensors(self) -> list[Tensor]:
        """All, in one order."""
        return list(self.values.values())

    def clone(self) -> "StackedParameters":
        """A copy that moves on its own."""
        return self.like([values.clone() for values in self.tensors])

    def part(self, networks: slice) -> "StackedParameters":
        """Some of the networks, which move where these do."""
        return self.like([values[networks] for values in self.tensors])

    def like(self, tensors: Sequence[Tensor]) -> "StackedParameters":
        """Other tensors in the order of these, under their names."""
        return StackedParameters(dict(zip(self.values, tensors, strict=True)))


class Stacking:
    """From parameters as their space knows them to the stacked ones, and back."""

    def __init__(self, space: StackableSpace) -> None:
        two_layer = isinstance(space, TwoLayer)
        self._weights, self._biases = ("weights", "biases") if two_layer else ("input_weights", "input_biases")
        self._names = [name for name in space.trainable if name != self._biases]
        # Neurons come last in the products of two-layer networks.
        self._transposed = {"coefficients"} if two_layer else set[str]()

    def stacked(self, starts: Sequence[Parameters]) -> StackedParameters:
        """A copy of parameters of equal shapes, precision and device."""
        columns = {name: [start[name].detach() for start in starts] for name in self._names}
        biases = [start[self._biases].detach()[:, None] for start in starts]
        columns[self._weights] = [torch.cat(pair, dim=1) for pair in zip(columns[self._weights], biases, strict=True)]
        values = {name: torch.stack(found) for name, found in columns.items()}
        return StackedParameters(
            {name: (one.mT if name in self._transposed else one).contiguous() for name, one in values.items()}
        )

    def unstacked(self, theta: StackedParameters) -> list[Parameters]:
        """Each network's parameters."""
        found: list[Parameters] = []
        for index in range(theta.networks):
            values = {name: one[index] for name, one in theta.values.items()}
            weights = values[self._weights]
            values[self._weights], values[self._biases] = weights[:, :-1], weights[:, -1]
            found.append(
                {name: (v.T if name in self._transposed else v).clone().contiguous() for name, v in values.items()}
            )
        return found
