"""The l1 distance to a point: 2d neurons represent it exactly."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._distances import mean_absolute_deviation
from models.targets._quadrature import mean_absolute_coordinate
from models.targets.base import KnownFacts, Target


class L1Norm(Target):
    """f*(x) = |x - c|_1, with the same c_j = `center` in every coordinate."""

    kind: Literal["l1_norm"]
    center: Annotated[float, Field(ge=-10, le=10, description="c_j, the same in every coordinate.")] = 0.5

    statement: ClassVar[str] = "f*(x) = ‖x − c‖₁ = Σⱼ σ(xⱼ−cⱼ) + σ(cⱼ−xⱼ),  ‖f*‖_B ≤ 2d(1 + |c₁|)"
    formula: ClassVar[str] = (
        r"\begin{split} f^*(x) &= \|x - c\|_1 = \sum_{j=1}^d \left(\sigma(x_j - c_j) + \sigma(c_j - x_j)\right), \\ "
        r"\|f^*\|_B &\le 2d\,(1 + |c_1|), \qquad \sigma(t) = \max(0, t) \end{split}"
    )
    reference: ClassVar[str] = "e2022barron"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"kind": "l1_norm"}, {"kind": "l1_norm", "center": 0.0})

    def evaluate(self, inputs: Inputs) -> Labels:
        """|x_i - c|_1."""
        return (inputs - self.center).abs().sum(dim=1, keepdim=True)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """Moments by independence of the coordinates; on the sphere for c = 0, from E|g_1 g_2| = d E|x_1 x_2| = 2/pi.

        Where c lies outside (0,1) f* is affine on the cube, of norm d (1 + |c_1|) and C_f = 0.
        """
        c = self.center
        affine = measure == "uniform" and not 0 < c < 1
        mean, squared = _moments(c, dimension, measure)
        kinked = measure == "gaussian" or (measure == "uniform" and not affine)
        return KnownFacts(
            barron_norm_bound=(1 if affine else 2) * dimension * (1 + abs(c)),
            spectral_bound=0.0 if affine else math.inf if kinked else None,
            mean=mean,
            l2_norm_squared=squared,
            in_barron_space=True,
        )


def _moments(center: float, dimension: int, measure: Measure) -> tuple[float | None, float | None]:
    if measure == "sphere":
        if center != 0:
            return None, None
        return dimension * mean_absolute_coordinate(dimension), 1 + 2 * (dimension - 1) / math.pi
    deviation = mean_absolute_deviation(center, measure)
    second = 1 + center**2 if measure == "gaussian" else 1 / 12 + (center - 0.5) ** 2
    mean = dimension * deviation
    return mean, dimension * (second - deviation**2) + mean**2
