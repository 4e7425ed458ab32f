"""Parameters of many two-layer networks in two tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Parameters


@dataclass(frozen=True)
class StackedParameters:
    """Of B networks: rows (w_j, c_j) of `weights`, so that the bias is the weight of a constant input, and a."""

    weights: Float[Tensor, "b m c"]
    coefficients: Float[Tensor, "b k m"]

    @property
    def networks(self) -> int:
        """B."""
        return self.weights.shape[0]

    @property
    def tensors(self) -> list[Tensor]:
        """Both."""
        return [self.weights, self.coefficients]

    def clone(self) -> "StackedParameters":
        """A copy that moves on its own."""
        return StackedParameters(self.weights.clone(), self.coefficients.clone())

    def part(self, networks: slice) -> "StackedParameters":
        """Some of the networks, which move where these do."""
        return StackedParameters(self.weights[networks], self.coefficients[networks])

    def unstacked(self) -> list[Parameters]:
        """Each network's parameters as its space knows them."""
        return [
            {
                "weights": weights[:, :-1].contiguous(),
                "biases": weights[:, -1].contiguous(),
                "coefficients": coefficients.T.contiguous(),
            }
            for weights, coefficients in zip(self.weights, self.coefficients, strict=True)
        ]


def stacked_parameters(starts: Sequence[Parameters]) -> StackedParameters:
    """A copy of parameters of two-layer networks of equal m, d, k, precision and device."""
    weights = [torch.cat([start["weights"], start["biases"][:, None]], dim=1) for start in starts]
    coefficients = [start["coefficients"].T for start in starts]
    return StackedParameters(torch.stack(weights).detach(), torch.stack(coefficients).detach().contiguous())
