"""Sobol's g-function, as a product or as the sum of its factors."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._distances import mean_absolute_deviation
from models.targets.base import KnownFacts, Target


class SobolG(Target):
    """f*(x) = sum_j g_j(x_j) or prod_j g_j(x_j), g_j(t) = (|4t - 2| + a_j) / (1 + a_j); a small a_j matters much.

    The sum is a Barron function. For d >= 2 the product is not, on a domain with x_1 = 1/2 inside: in a representation
    by a finite measure the slope's jump across x_1 = 1/2 is the weight of the neurons that turn exactly there, but for
    countably many points through which further neurons of positive weight turn (in a plane two such sets are disjoint
    but for the common line); the jump of the product varies with x_2.
    """

    kind: Literal["sobol_g"]
    form: Literal["sum", "product"] = "sum"
    importance: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1e6)], ...],
        Field(min_length=1, max_length=10_000, description="a_1, a_2, ...; entries beyond the dimension are unused."),
    ] = (0.0, 1.0, 4.5, 9.0)
    rest: Annotated[float, Field(ge=0, le=1e6, description="a_j of the coordinates without an entry.")] = 99.0

    statement: ClassVar[str] = "f*(x) = Σⱼ gⱼ(xⱼ) or Πⱼ gⱼ(xⱼ),  gⱼ(t) = (|4t−2| + aⱼ)/(1 + aⱼ)"
    formula: ClassVar[str] = (
        r"\begin{split} f^*(x) &= \sum_{j=1}^d g_j(x_j) \quad \text{or} \quad f^*(x) = \prod_{j=1}^d g_j(x_j), \\ "
        r"g_j(t) &= \frac{|4t - 2| + a_j}{1 + a_j} \end{split}"
    )
    reference: ClassVar[str] = "sobol2003theorems"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"kind": "sobol_g"}, {"kind": "sobol_g", "form": "product"})

    def parameters(self, dimension: int) -> Float[Tensor, " d"]:
        """a_1 .. a_d, float64."""
        given = self.importance[:dimension]
        return torch.tensor([*given, *[self.rest] * (dimension - len(given))], dtype=torch.float64)

    def evaluate(self, inputs: Inputs) -> Labels:
        """The sum or the product of (|4 x_ij - 2| + a_j) / (1 + a_j)."""
        a = self.parameters(inputs.shape[1]).to(inputs)
        factors = ((4 * inputs - 2).abs() + a) / (1 + a)
        return factors.sum(dim=1, keepdim=True) if self.form == "sum" else factors.prod(dim=1, keepdim=True)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """On the cube E g_j = 1 and Var g_j = 1 / (3 (1 + a_j)^2); under N(0, I) from E|4 x_1 - 2| and its square.

        |4t - 2| = 4 relu(t - 1/2) + 4 relu(1/2 - t) has norm 12, the bias weight counted.
        """
        a = self.parameters(dimension)
        in_space: bool | None = self.form == "sum" or dimension == 1
        mean = squared = None
        if measure != "sphere":
            first = 4 * mean_absolute_deviation(0.5, measure)
            variance = (20.0 if measure == "gaussian" else 4 / 3) - first**2
            means, variances = (first + a) / (1 + a), variance / (1 + a) ** 2
            if self.form == "sum":
                mean = float(means.sum())
                squared = float(variances.sum()) + mean**2
            else:
                mean, squared = float(means.prod()), float((variances + means**2).prod())
        bound: float | None = float(((12 + a) / (1 + a)).sum()) if in_space else math.inf
        if measure == "sphere" and not in_space:
            # The argument needs a flat domain; on the sphere itself nothing is claimed.
            in_space = bound = None
        return KnownFacts(
            barron_norm_bound=bound,
            spectral_bound=None if measure == "sphere" and dimension == 1 else math.inf,
            mean=mean,
            l2_norm_squared=squared,
            in_barron_space=in_space,
        )
