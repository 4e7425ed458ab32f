"""A Gaussian bump."""

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs, Labels
from models.targets.base import KnownFacts, Target


class Gaussian(Target):
    """f*(x) = exp(-|x - c|^2 / (2 s^2)), with the same c_j = `center` in every coordinate."""

    kind: Literal["gaussian"]
    center: Annotated[float, Field(ge=-10, le=10, description="c_j, the same in every coordinate.")] = 0.5
    width: Annotated[float, Field(ge=0.01, le=100, description="s.")] = 0.5

    statement: ClassVar[str] = "f*(x) = exp(−‖x−c‖₂²/(2s²)),  C_f = (d/s²)(1 + 2(d−1)/π)"
    reference: ClassVar[str] = "barron1993universal"
    examples: ClassVar[tuple[dict, ...]] = (
        {"kind": "gaussian"},
        {"kind": "gaussian", "center": 0.0, "width": 1.0},
    )

    def evaluate(self, inputs: Inputs) -> Labels:
        """exp(-|x_i - c|^2 / (2 s^2))."""
        return torch.exp(-((inputs - self.center) ** 2).sum(dim=1, keepdim=True) / (2 * self.width**2))

    def known(self, dimension: int) -> KnownFacts:
        """Mean and norm are products of error functions.

        The Fourier transform is the density of w ~ N(0, I/s^2) up to a phase, so C_f = E |w|_1^2 wherever c lies. The
        Barron norm is at most 3 C_f + |grad f*(0)|_1 + |f*(0)| on [0,1]^d, the bias weight counted.
        """
        s, c = self.width, self.center
        spectral = dimension / s**2 * (1 + 2 * (dimension - 1) / math.pi)
        at_zero = math.exp(-dimension * c**2 / (2 * s**2))
        return KnownFacts(
            barron_norm_bound=3 * spectral + dimension * abs(c) / s**2 * at_zero + at_zero,
            spectral_bound=spectral,
            mean=_line_integral(c, s) ** dimension,
            l2_norm_squared=_line_integral(c, s / math.sqrt(2)) ** dimension,
            in_barron_space=True,
        )


def _line_integral(center: float, width: float) -> float:
    """int_0^1 exp(-(x - c)^2 / (2 s^2)) dx; by erfc where both ends lie on one side, which keeps its digits."""
    low, high = sorted((-center / (width * math.sqrt(2)), (1 - center) / (width * math.sqrt(2))))
    if low > 0:
        difference = math.erfc(low) - math.erfc(high)
    elif high < 0:
        difference = math.erfc(-high) - math.erfc(-low)
    else:
        difference = math.erf(high) - math.erf(low)
    return width * math.sqrt(math.pi / 2) * difference
