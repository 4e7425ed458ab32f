"""The distance to a sphere: a kink along a curved surface, which no Barron function has."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._distances import mean_distance, mean_squared_distance
from models.targets._quadrature import mean_length_of_a_normal_vector
from models.targets.base import KnownFacts, Target


class DistanceToSphere(Target):
    """f*(x) = | |x - c|_2 - r |, with the same c_j = `center` in every coordinate.

    For d >= 2 it is not a Barron function on a domain that the sphere crosses. Restrict it to a plane through c. Its
    derivative jumps by 2 at every point p of an arc; in a representation by a finite measure on neurons the jump at p
    is at most the weight of the neurons that turn on a line through p. A line meets the arc twice at most, so N points
    of the arc need the total weight N, for every N.
    """

    kind: Literal["distance_to_sphere"]
    center: Annotated[float, Field(ge=-10, le=10, description="c_j, the same in every coordinate.")] = 0.5
    radius: Annotated[float, Field(gt=0, le=1000, description="r.")] = 0.5

    statement: ClassVar[str] = "f*(x) = | ‖x − c‖₂ − r |,  ‖f*‖_B = ∞ for d ≥ 2 where the sphere crosses the domain"
    formula: ClassVar[str] = (
        r"\begin{split} f^*(x) &= \left|\, \|x - c\|_2 - r \,\right|, \\ \|f^*\|_B &= \infty \quad \text{for } d \ge "
        r"2 \text{ where the sphere crosses the domain} \end{split}"
    )
    reference: ClassVar[str] = "e2022representation"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "distance_to_sphere"},
        {"kind": "distance_to_sphere", "center": 0.0, "radius": 0.8},
        {"kind": "distance_to_sphere", "center": 2.0, "radius": 0.5},
    )

    def evaluate(self, inputs: Inputs) -> Labels:
        """| |x_i - c|_2 - r |."""
        return ((inputs - self.center).norm(dim=1, keepdim=True) - self.radius).abs()

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """E f*^2 = E|x-c|^2 - 2 r E|x-c| + r^2, and E f* = E|x-c| - r + 2 E relu(r - |x-c|) where the last is closed.

        Where the sphere misses the domain f* is an affine function of |x - c|_2; for d = 1 it is one of |x - c|.
        """
        c, r = self.center, self.radius
        distance = mean_distance(c, dimension, measure)
        inner = _mean_shortfall(c, r, dimension, measure)
        crossed = _crosses(c, r, dimension, measure)
        constant = measure == "sphere" and c == 0
        if constant:
            bound: float | None = abs(1 - r)
        elif crossed and dimension > 1:
            bound = math.inf
        elif crossed:
            # c - r - t + 2 relu(t - c + r) - 2 relu(t - c) + 2 relu(t - c - r), and -t takes two neurons on R.
            bound = abs(c - r) + 2 + 2 * (1 + abs(c - r)) + 2 * (1 + abs(c)) + 2 * (1 + abs(c + r))
        else:
            bound = None if crossed is None else 2 * dimension + 2 * math.sqrt(dimension) * abs(c) + r
        return KnownFacts(
            barron_norm_bound=bound,
            spectral_bound=0.0 if constant else math.inf if crossed else None,
            mean=None if distance is None or inner is None else distance - r + 2 * inner,
            l2_norm_squared=(
                None if distance is None else mean_squared_distance(c, dimension, measure) - 2 * r * distance + r**2
            ),
            in_barron_space=None if bound is None else math.isfinite(bound),
        )


def _crosses(center: float, radius: float, dimension: int, measure: Measure) -> bool | None:
    """Whether |x - c|_2 = r has points inside the domain; None on the sphere away from c = 0."""
    if measure == "gaussian":
        return True
    if measure == "sphere":
        return False if center == 0 else None
    nearest = max(-center, center - 1, 0.0) * math.sqrt(dimension)
    farthest = max(abs(center), abs(1 - center)) * math.sqrt(dimension)
    return nearest < radius < farthest


def _mean_shortfall(center: float, radius: float, dimension: int, measure: Measure) -> float | None:
    """E relu(r - |x - c|): an incomplete gamma function, or a share of the ball's volume |B| r^{d+1} / (d + 1)."""
    if measure == "sphere":
        return max(radius - 1, 0.0) if center == 0 else None
    if measure == "gaussian":
        if center != 0:
            return None
        shapes = torch.tensor([dimension / 2, (dimension + 1) / 2], dtype=torch.float64)
        below, weighted = torch.special.gammainc(shapes, torch.full_like(shapes, radius**2 / 2)).tolist()
        return radius * below - mean_length_of_a_normal_vector(dimension) * weighted
    if not _crosses(center, radius, dimension, measure):
        distance = mean_distance(center, dimension, measure)
        return radius - distance if distance is not None and distance < radius else 0.0
    # The ball lies in the cube, or the corner c cuts out one of its 2^d equal parts.
    if radius <= min(center, 1 - center):
        halved = 1.0
    elif center in (0, 1) and radius <= 1:
        halved = 0.5
    else:
        return None
    volume = math.exp(dimension * math.log(halved * math.sqrt(math.pi) * radius) - math.lgamma(dimension / 2 + 1))
    return volume * radius / (dimension + 1)
