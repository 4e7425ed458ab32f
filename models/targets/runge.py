"""Runge's function, a product over the coordinates: equispaced interpolation diverges on it."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._spectral import barron_bound_from_spectrum
from models.targets.base import KnownFacts, Target


class Runge(Target):
    """f*(x) = prod_j 1 / (1 + a^2 (2 x_j - 1)^2); d = 1 and a = 5 is Runge's own, d > 1 Genz's "product peak"."""

    kind: Literal["runge"]
    steepness: Annotated[float, Field(ge=0.01, le=1000, description="a.")] = 5.0

    statement: ClassVar[str] = "f*(x) = Πⱼ 1/(1 + a²(2xⱼ−1)²),  C_f ≤ 4a² d(d+1)"
    formula: ClassVar[str] = (
        r"f^*(x) = \prod_{j=1}^d \frac{1}{1 + a^2 (2 x_j - 1)^2}, \qquad C_{f^*} \le 4 a^2 d (d + 1)"
    )
    reference: ClassVar[str] = "genz1984testing"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"kind": "runge"}, {"kind": "runge", "steepness": 1.0})

    def evaluate(self, inputs: Inputs) -> Labels:
        """The product."""
        return (1 + (self.steepness * (2 * inputs - 1)) ** 2).reciprocal().prod(dim=1, keepdim=True)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """E f* = (atan(a)/a)^d and E f*^2 = ((1/(1 + a^2) + atan(a)/a) / 2)^d on the cube.

        With s = 2a the Fourier transform of each factor is the Laplace density e^{-|w|/s} / (2s) up to a phase. |w|_1
        is then a sum of d exponential variables of mean s, and C_f <= E |w|_1^2 = d (d + 1) s^2.
        """
        a = self.steepness
        spectral = 4 * a**2 * dimension * (dimension + 1)
        at_zero = (1 + a**2) ** -dimension
        slope = 4 * a**2 / (1 + a**2)
        uniform = measure == "uniform"
        return KnownFacts(
            barron_norm_bound=barron_bound_from_spectrum(spectral, dimension * slope * at_zero, at_zero, measure),
            spectral_bound=spectral,
            mean=(math.atan(a) / a) ** dimension if uniform else None,
            l2_norm_squared=((1 / (1 + a**2) + math.atan(a) / a) / 2) ** dimension if uniform else None,
            in_barron_space=None if measure == "gaussian" else True,
        )
