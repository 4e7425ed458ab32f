"""Friedman's third test function: the phase of a circuit."""

import math
from typing import Any, ClassVar, Literal

import torch

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._friedman import resistance_and_reactance, too_few_inputs, undefined_outside_the_cube
from models.targets.base import KnownFacts, Target


class Friedman3(Target):
    """f*(x) = atan((z_2 z_3 - 1/(z_2 z_4)) / z_1), z = (100 x_1, 40 pi + 520 pi x_2, x_3, 1 + 10 x_4).

    Further coordinates are ignored. A Barron function is Lipschitz; f* jumps by pi at x_1 = 0 where the numerator
    changes sign.
    """

    kind: Literal["friedman_3"]

    statement: ClassVar[str] = "f*(x) = arctan((z₂z₃ − 1/(z₂z₄))/z₁),  z = (100x₁, 40π + 520πx₂, x₃, 1 + 10x₄)"
    formula: ClassVar[str] = (
        r"\begin{split} f^*(x) &= \arctan\left(\frac{1}{z_1} \left(z_2 z_3 - \frac{1}{z_2 z_4}\right)\right), \\ z "
        r"&= (100 x_1,\; 40\pi + 520\pi x_2,\; x_3,\; 1 + 10 x_4) \end{split}"
    )
    reference: ClassVar[str] = "friedman1991multivariate"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"kind": "friedman_3"},)

    def evaluate(self, inputs: Inputs) -> Labels:
        """f*(x_i); at x_1 = 0 the limit."""
        resistance, reactance = resistance_and_reactance(inputs)
        return torch.atan2(reactance, resistance).unsqueeze(1)

    def check_dimension(self, dimension: int) -> str | None:
        """d >= 4."""
        return too_few_inputs(self.kind, dimension)

    def check_measure(self, measure: Measure) -> str | None:
        """Uniform only."""
        return undefined_outside_the_cube(self.kind, measure)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """Not in the Barron space; its moments are not closed."""
        if measure != "uniform":
            return KnownFacts()
        return KnownFacts(barron_norm_bound=math.inf, spectral_bound=math.inf, in_barron_space=False)
