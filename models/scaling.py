"""Affine scaling learnt from the training rows, part of the model from then on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class AffineScaling:
    """x -> (x - shift) / scale, column by column; float64."""

    shift: Float[Tensor, " c"]
    scale: Float[Tensor, " c"]

    def apply(self, values: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """To scaled units."""
        return (values - self.shift.to(values)) / self.scale.to(values)

    def invert(self, values: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Back to the data's own units."""
        return values * self.scale.to(values) + self.shift.to(values)


def identity_scaling(columns: int) -> AffineScaling:
    """No scaling."""
    return AffineScaling(torch.zeros(columns, dtype=torch.float64), torch.ones(columns, dtype=torch.float64))


def standardisation(values: Float[Tensor, "n c"]) -> AffineScaling:
    """Mean 0 and deviation 1 over these rows; a constant column keeps scale 1, so that it maps to 0."""
    values = values.to(torch.float64)
    deviation = values.std(dim=0, unbiased=False)
    # A deviation at round-off of the column's magnitude is a constant column, not information.
    constant = deviation <= 1e-12 * values.abs().amax(dim=0).clamp(min=1e-300)
    return AffineScaling(values.mean(dim=0), torch.where(constant, torch.ones_like(deviation), deviation))
