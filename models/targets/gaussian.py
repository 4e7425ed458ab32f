"""A Gaussian bump."""

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._kernel_norms import norms_of_bump
from models.targets._quadrature import zonal_mean
from models.targets._spectral import barron_bound_from_spectrum
from models.targets.base import KnownFacts, Target


class Gaussian(Target):
    """f*(x) = exp(-|x - c|^2 / (2 s^2)), with the same c_j = `center` in every coordinate."""

    kind: Literal["gaussian"]
    center: Annotated[float, Field(ge=-10, le=10, description="c_j, the same in every coordinate.")] = 0.5
    width: Annotated[float, Field(ge=0.01, le=100, description="s.")] = 0.5

    statement: ClassVar[str] = "f*(x) = exp(−‖x−c‖₂²/(2s²)),  C_f ≤ (d/s²)(1 + 2(d−1)/π)"
    formula: ClassVar[str] = (
        r"f^*(x) = \exp\left({-\frac{\|x - c\|_2^2}{2 s^2}}\right), \qquad C_{f^*} \le \frac{d}{s^2} \left(1 + "
        r"\frac{2(d - 1)}{\pi}\right)"
    )
    reference: ClassVar[str] = "barron1993universal"
    examples: ClassVar[tuple[dict, ...]] = (
        {"kind": "gaussian"},
        {"kind": "gaussian", "center": 0.0, "width": 1.0},
    )

    def evaluate(self, inputs: Inputs) -> Labels:
        """exp(-|x_i - c|^2 / (2 s^2))."""
        return torch.exp(-((inputs - self.center) ** 2).sum(dim=1, keepdim=True) / (2 * self.width**2))

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """Moments: products of error functions on the cube, of Gaussian integrals on R^d, a zonal mean on the sphere.

        The Fourier transform is the density of w ~ N(0, I/s^2) up to a phase, so C_f = E |w|_1^2 wherever c lies.
        """
        s, c = self.width, self.center
        spectral = dimension / s**2 * (1 + 2 * (dimension - 1) / math.pi)
        at_zero = math.exp(-dimension * c**2 / (2 * s**2))
        return KnownFacts(
            barron_norm_bound=barron_bound_from_spectrum(
                spectral, dimension * abs(c) / s**2 * at_zero, at_zero, measure
            ),
            spectral_bound=spectral,
            mean=_mean(c, s, dimension, measure),
            l2_norm_squared=_mean(c, s / math.sqrt(2), dimension, measure),
            in_barron_space=None if measure == "gaussian" else True,
            rkhs_norms=norms_of_bump(s, dimension, measure),
        )


def _mean(center: float, width: float, dimension: int, measure: Measure) -> float:
    """E exp(-|x - c|^2 / (2 s^2)). On the sphere |x - c|^2 = 1 + d c^2 - 2 c sqrt(d) u.x."""
    if measure == "uniform":
        return _line_integral(center, width) ** dimension
    if measure == "gaussian":
        total = 1 + width**2
        return (width / math.sqrt(total) * math.exp(-(center**2) / (2 * total))) ** dimension
    shift = center * math.sqrt(dimension)
    scale = 1 / (2 * width**2)
    return zonal_mean(
        lambda u: torch.exp(-scale * (1 + shift**2 - 2 * shift * u)),
        dimension,
        # The peak at u = ±1 has width 1 / (|c| sqrt(d) / s^2) in u, so its root in the angle.
        sharpness=2 * math.sqrt(2 * scale * abs(shift)),
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
