"""The distance to a point: one kink, at which a Barron function is allowed to be singular."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._distances import mean_distance, mean_squared_distance
from models.targets.base import KnownFacts, Target


class EuclideanNorm(Target):
    """f*(x) = |x - c|_2, with the same c_j = `center` in every coordinate."""

    kind: Literal["euclidean_norm"]
    center: Annotated[float, Field(ge=-10, le=10, description="c_j, the same in every coordinate.")] = 0.0

    statement: ClassVar[str] = "f*(x) = ‖x − c‖₂,  ‖f*‖_B ≤ 2d + 2√d |c₁|"
    formula: ClassVar[str] = r"f^*(x) = \|x - c\|_2, \qquad \|f^*\|_B \le 2d + 2\sqrt{d}\,|c_1|"
    reference: ClassVar[str] = "e2022representation"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "euclidean_norm"},
        {"kind": "euclidean_norm", "center": 0.5},
    )

    def evaluate(self, inputs: Inputs) -> Labels:
        """|x_i - c|_2."""
        return (inputs - self.center).norm(dim=1, keepdim=True)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """|z| = (2 / E|u_1|) E relu(u.z) over u on the unit sphere, z = x - c, holds on R^d.

        E|u|_1 = d E|u_1| and E|u.c| = sqrt(d) |c_1| E|u_1| give the norm 2d + 2 sqrt(d) |c_1|, the bias weight counted.
        C_f is infinite where the domain contains c (for d = 1 and c an end of [0,1], f* is affine there).
        """
        c = self.center
        inside = {"uniform": 0 <= c <= 1 if dimension > 1 else 0 < c < 1, "gaussian": True, "sphere": False}[measure]
        constant = measure == "sphere" and c == 0
        return KnownFacts(
            barron_norm_bound=1.0 if constant else 2 * dimension + 2 * math.sqrt(dimension) * abs(c),
            spectral_bound=0.0 if constant else math.inf if inside else None,
            mean=mean_distance(c, dimension, measure),
            l2_norm_squared=mean_squared_distance(c, dimension, measure),
            in_barron_space=True,
        )
