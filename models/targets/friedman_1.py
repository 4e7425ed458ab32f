"""Friedman's first test function."""

import math
from typing import Any, ClassVar, Literal

import torch

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._quadrature import quadrature
from models.targets.base import KnownFacts, Target


class Friedman1(Target):
    """f*(x) = 10 sin(pi x_1 x_2) + 20 (x_3 - 1/2)^2 + 10 x_4 + 5 x_5; coordinates beyond the fifth are ignored."""

    kind: Literal["friedman_1"]

    statement: ClassVar[str] = "f*(x) = 10 sin(π x₁x₂) + 20(x₃ − ½)² + 10x₄ + 5x₅"
    formula: ClassVar[str] = r"f^*(x) = 10 \sin(\pi x_1 x_2) + 20 \left(x_3 - \tfrac{1}{2}\right)^2 + 10 x_4 + 5 x_5"
    reference: ClassVar[str] = "friedman1991multivariate"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"kind": "friedman_1"},)

    def evaluate(self, inputs: Inputs) -> Labels:
        """f*(x_i)."""
        x1, x2, x3, x4, x5 = inputs[:, :5].unbind(dim=1)
        values = 10 * torch.sin(math.pi * x1 * x2) + 20 * (x3 - 0.5) ** 2 + 10 * x4 + 5 * x5
        return values.unsqueeze(1)

    def check_dimension(self, dimension: int) -> str | None:
        """d >= 5."""
        return None if dimension >= 5 else f"friedman_1 has 5 inputs, more than the dimension {dimension}."

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """Four independent summands; on the cube E sin(pi x_1 x_2) = Cin(pi)/pi, E cos(2 pi x_1 x_2) = Si(2 pi)/(2 pi).

        Under N(0, I) the first is 0 and the second (1 + 4 pi^2)^{-1/2}. f* is smooth, so that it has an extension of
        finite C_f from a bounded domain; on R^d it grows faster than a Barron function can.
        """
        mean = squared = None
        if measure != "sphere":
            if measure == "uniform":
                nodes, weights = quadrature(0.0, 1.0)
                sine = float(weights @ ((1 - torch.cos(math.pi * nodes)) / (math.pi * nodes)))
                cosine = float(weights @ torch.sinc(2 * nodes))
                centre, square, fourth, variance = 0.5, 1 / 12, 1 / 80, 1 / 12
            else:
                # E z^2 and E z^4 of z = x_3 - 1/2 ~ N(-1/2, 1).
                sine, cosine = 0.0, 1 / math.sqrt(1 + 4 * math.pi**2)
                centre, square, fourth, variance = 0.0, 5 / 4, 73 / 16, 1.0
            mean = 10 * sine + 20 * square + 15 * centre
            spread = 100 * ((1 - cosine) / 2 - sine**2) + 400 * (fourth - square**2) + 125 * variance
            squared = spread + mean**2
        outside = measure == "gaussian"
        return KnownFacts(
            barron_norm_bound=math.inf if outside else None,
            mean=mean,
            l2_norm_squared=squared,
            in_barron_space=not outside,
        )
