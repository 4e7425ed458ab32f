"""What bounds about the target itself need: a known f*, and a space of two-layer ReLU networks."""

import math
from typing import Literal

from models.assumptions import Assumption, standing
from models.bounds.base import Bound, BoundReport, BoundSubject, Quantity
from models.problems import SyntheticProblem

TARGET = Assumption(name="target_known", text="f* is a synthetic target, so that it can be evaluated anywhere.")
BARRON = Assumption(
    name="barron_norm_known",
    text="f* is in the Barron space; an upper bound gamma of its norm (l1 weights) is known.",
)


def refusal(
    bound: Bound, subject: BoundSubject, quantity: Quantity, assumption: Assumption, because: str
) -> BoundReport:
    """The refusal of a bound that cannot fail, naming the assumption."""
    side: Literal["upper", "lower"] = "lower" if bound.kind.endswith("_lower") else "upper"
    trivial = 0.0 if side == "lower" else math.inf
    standings = (standing(assumption, "failed", because),)
    return bound.refused(subject, 0.0, quantity, because, standings, side=side, trivial_value=trivial)


def barron_norm_bound(
    bound: Bound, subject: BoundSubject, quantity: Quantity
) -> tuple[SyntheticProblem, float] | BoundReport:
    """The problem and gamma, or the refusal."""
    problem = subject.problem
    if problem is None:
        return refusal(bound, subject, quantity, TARGET, "The data are a table: f* is unknown.")
    gamma = problem.known_facts().barron_norm_bound
    if gamma is None or not math.isfinite(gamma):
        because = "f* is outside the Barron space." if gamma else "No bound of the target's Barron norm is known."
        return refusal(bound, subject, quantity, BARRON, because)
    return problem, gamma
