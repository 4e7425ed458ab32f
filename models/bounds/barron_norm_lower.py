"""Lower end of the target's Barron norm, without data: how much its derivative varies along lines."""

from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.assumptions import Assumption, standing
from models.bounds._known_target import TARGET, refusal
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.problems import SyntheticProblem
from models.randomness import Randomness, uniform_rows

LINES_INSIDE = Assumption(name="lines_inside_domain", text="The segments lie in the domain: [0,1]^d, or R^d.")

HALF_LENGTHS = {"uniform": 0.5, "gaussian": 6.0}
MIDDLES = {"uniform": 0.5, "gaussian": 0.0}


class BarronNormLower(Bound):
    """||f*||_B >= TV of t -> d/dt f*(x_0 + t v) for every segment in the domain with ||v||_inf <= 1; certain.

    Along the segment the derivative of a neuron a max(0, w.x + c) jumps once, by |a| |w.v| <= |a| ||w||_1, so a mean of
    neurons varies by at most its norm. The variation is at least sum |f(t - h) - 2 f(t) + f(t + h)| / h over any
    grid, because these quotients are integrals of f'' against hats that add up to at most 1; the round-off of the
    differences is subtracted. For functions outside the space the value grows without end as h falls.
    """

    kind: Literal["barron_norm_lower"]
    certain: ClassVar[bool] = True
    lines: Annotated[int, Field(ge=1, le=1000, description="Directions besides the axes: random signs.")] = 16
    points: Annotated[int, Field(ge=3, le=100_001, description="Points on a segment.")] = 1001

    statement = "||f*||_B >= max over segments x_0 + t v, ||v||_inf = 1, of sum_t |f*(t - h) - 2 f*(t) + f*(t + h)| / h"
    formula = (
        r"\|f^*\|_B \ge \max\limits_{\|v\|_\infty = 1} \sum_t \frac{|g(t - h) - 2 g(t) + g(t + h)|}{h}, \qquad g(t) "
        r"= f^*(x_0 + t v)"
    )
    assumptions = (TARGET, LINES_INSIDE)
    reference = "e2022representation"
    examples = ({"kind": "barron_norm_lower"}, {"kind": "barron_norm_lower", "lines": 4, "points": 101})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound; it does not fail, so its delta is 0. Randomness: the stream `lines/signs` of the subject."""
        problem = subject.problem
        if problem is None:
            return refusal(self, subject, "barron_norm", TARGET, "The data are a table: f* is unknown.")
        if problem.measure not in HALF_LENGTHS:
            because = "On the sphere no segment lies in the domain."
            return refusal(self, subject, "barron_norm", LINES_INSIDE, because)
        directions = _directions(problem.dimension, self.lines, subject.randomness.child("lines"))
        value = max(_variation(problem, direction, self.points) for direction in directions)
        return BoundReport(
            kind=self.kind,
            quantity="barron_norm",
            side="lower",
            delta=0.0,
            value=value,
            terms=(BoundTerm(name="variation_of_derivative", value=value),),
            inputs={"segments": float(len(directions)), "points": float(self.points)},
            trivial_value=0.0,
            vacuous=value <= 0,
            assumptions=(standing(TARGET, "checked"), standing(LINES_INSIDE, "checked")),
            reference=self.reference,
        )


def _directions(dimension: int, lines: int, randomness: Randomness) -> Float[Tensor, "lines d"]:
    """Up to 8 axes, (1, .., 1), and vectors of random signs."""
    axes = torch.eye(min(dimension, 8), dimension, dtype=torch.float64)
    signs = torch.where(uniform_rows(randomness, "signs", lines, dimension) < 0.5, -1.0, 1.0).to(torch.float64)
    return torch.cat([axes, torch.ones(1, dimension, dtype=torch.float64), signs])


def _variation(problem: SyntheticProblem, direction: Float[Tensor, " d"], points: int) -> float:
    """sum |second differences| / h, less what rounding can add."""
    half = HALF_LENGTHS[problem.measure]
    times = torch.linspace(-half, half, points, dtype=torch.float64)
    step = 2 * half / (points - 1)
    values = problem.target.evaluate(MIDDLES[problem.measure] + times[:, None] * direction)[:, 0]
    # Four roundings a difference, and points that are off by an ulp, whose effect the slope bounds.
    round_off = 16 * torch.finfo(torch.float64).eps * points / step
    size = float(values.abs().max()) + half * float(values.diff().abs().max()) / step
    return max(0.0, float(values.diff(n=2).abs().sum()) / step - round_off * size)
