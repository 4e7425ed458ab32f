"""A product of sines: an eigenfunction of the Laplacian on the cube."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._waves import curvature_norm
from models.targets.base import KnownFacts, Target


class ProductOfSines(Target):
    """f*(x) = prod_j sin(pi q x_j), q a positive integer; E f*^2 = 2^{-d} on the cube."""

    kind: Literal["product_of_sines"]
    half_waves: Annotated[int, Field(ge=1, le=1000, description="q, half waves in each coordinate.")] = 1

    statement: ClassVar[str] = "f*(x) = Πⱼ sin(πq xⱼ),  C_f ≤ π²q²d²"
    formula: ClassVar[str] = r"f^*(x) = \prod_{j=1}^d \sin(\pi q\, x_j), \qquad C_{f^*} \le \pi^2 q^2 d^2"
    reference: ClassVar[str] = "barron1993universal"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "product_of_sines"},
        {"kind": "product_of_sines", "half_waves": 2},
    )

    def evaluate(self, inputs: Inputs) -> Labels:
        """prod_j sin(pi q x_ij)."""
        return torch.sin(math.pi * self.half_waves * inputs).prod(dim=1, keepdim=True)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """C_f and the norm by the triangle inequality: f* = E prod(e_j) cos(pi q e.x - pi d / 2) over fair signs e_j.

        f*(0) = 0 and, for d >= 2, grad f*(0) = 0, so only the waves' kinked parts count; they depend on the number k of
        positive signs. Along a coordinate line f* turns infinitely often, so it is no Barron function on R^d.
        """
        step = math.pi * self.half_waves
        curvature = math.inf if measure == "gaussian" else _mean_curvature_norm(step, dimension, measure)
        slope = step * (1 if measure == "uniform" else 2) if dimension == 1 else 0.0
        mean, square = {
            "uniform": (2 / step if self.half_waves % 2 else 0.0, 0.5),
            "gaussian": (0.0, -math.expm1(-2 * step**2) / 2),
            "sphere": (0.0, None),
        }[measure]
        return KnownFacts(
            barron_norm_bound=curvature + slope,
            spectral_bound=(step * dimension) ** 2,
            mean=mean**dimension,
            l2_norm_squared=None if square is None else square**dimension,
            in_barron_space=measure != "gaussian",
        )


def _mean_curvature_norm(step: float, dimension: int, measure: Measure) -> float:
    phase = -math.pi * (dimension % 4) / 2
    terms = []
    for k in range(dimension + 1):
        ways = math.lgamma(dimension + 1) - math.lgamma(k + 1) - math.lgamma(dimension - k + 1)
        share = math.exp(ways - dimension * math.log(2))
        terms.append(share * curvature_norm(step * k, step * (dimension - k), phase, measure))
    return math.fsum(terms)
