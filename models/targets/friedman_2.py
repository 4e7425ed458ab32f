"""Friedman's second test function: the impedance of a circuit."""

import math
from typing import Any, ClassVar, Literal

import torch

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._friedman import resistance_and_reactance, too_few_inputs, undefined_outside_the_cube
from models.targets.base import KnownFacts, Target


class Friedman2(Target):
    """f*(x) = sqrt(z_1^2 + (z_2 z_3 - 1/(z_2 z_4))^2), z = (100 x_1, 40 pi + 520 pi x_2, x_3, 1 + 10 x_4).

    Further coordinates are ignored; values reach 1762. It is not a Barron function: on the face x_1 = 0 it is
    |z_2 z_3 - 1/(z_2 z_4)|, which for fixed x_4 turns along the strictly convex curve z_3 = 1/(z_2^2 z_4). A line meets
    the curve twice at most, so that no finite measure on neurons turns at all of its points (see distance_to_sphere).
    """

    kind: Literal["friedman_2"]

    statement: ClassVar[str] = "f*(x) = (z₁² + (z₂z₃ − 1/(z₂z₄))²)^½,  z = (100x₁, 40π + 520πx₂, x₃, 1 + 10x₄)"
    formula: ClassVar[str] = (
        r"\begin{split} f^*(x) &= \sqrt{z_1^2 + \left(z_2 z_3 - \frac{1}{z_2 z_4}\right)^2}, \\ z &= (100 x_1,\; "
        r"40\pi + 520\pi x_2,\; x_3,\; 1 + 10 x_4) \end{split}"
    )
    reference: ClassVar[str] = "friedman1991multivariate"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"kind": "friedman_2"},)

    def evaluate(self, inputs: Inputs) -> Labels:
        """f*(x_i)."""
        return torch.hypot(*resistance_and_reactance(inputs)).unsqueeze(1)

    def check_dimension(self, dimension: int) -> str | None:
        """d >= 4."""
        return too_few_inputs(self.kind, dimension)

    def check_measure(self, measure: Measure) -> str | None:
        """Uniform only."""
        return undefined_outside_the_cube(self.kind, measure)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """E f*^2 = E z_1^2 + E z_2^2 / 3 - E 1/z_4 + E z_2^{-2} E z_4^{-2}; f* is not C^2 at x_1 = 0."""
        if measure != "uniform":
            return KnownFacts()
        low, high = 40 * math.pi, 560 * math.pi
        squared = 1e4 / 3 + (low**2 + low * high + high**2) / 9 - math.log(11) / 10 + 1 / (11 * low * high)
        return KnownFacts(
            barron_norm_bound=math.inf, spectral_bound=math.inf, l2_norm_squared=squared, in_barron_space=False
        )
