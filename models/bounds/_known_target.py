"""What bounds about the target itself need: a known f*, and its norms."""

import math
from typing import Literal

from models.assumptions import Assumption, standing
from models.bounds.base import Bound, BoundReport, BoundSubject, Quantity
from models.hypothesis_spaces.base import LinearSpace
from models.kernels import KernelName
from models.learned_model import LearnedModel
from models.problems import SyntheticProblem

TARGET = Assumption(name="target_known", text="f* is a synthetic target, so that it can be evaluated anywhere.")
BARRON = Assumption(
    name="barron_norm_known",
    text="f* is in the Barron space; an upper bound gamma of its norm (l1 weights) is known.",
)


def refusal(
    bound: Bound, subject: BoundSubject, quantity: Quantity, assumption: Assumption, because: str, delta: float = 0.0
) -> BoundReport:
    """The refusal naming the assumption; a bound that cannot fail has delta 0."""
    side: Literal["upper", "lower"] = "lower" if bound.kind.endswith("_lower") else "upper"
    trivial = 0.0 if side == "lower" else math.inf
    standings = (standing(assumption, "failed", because),)
    return bound.refused(subject, delta, quantity, because, standings, side=side, trivial_value=trivial)


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


def rkhs_norm_bound(
    bound: Bound, subject: BoundSubject, delta: float, kernel: KernelName, quantity: Quantity, in_space: Assumption
) -> tuple[SyntheticProblem, float] | BoundReport:
    """The problem and an upper bound of ||f*||_k, or the refusal; the kernel has its default bandwidth."""
    problem = subject.problem
    if problem is None:
        return refusal(bound, subject, quantity, TARGET, "The data are a table: f* is unknown.", delta)
    norm = problem.known_facts().rkhs_norms.get(kernel)
    if norm is None or not math.isfinite(norm):
        because = f"f* is outside the space of the kernel {kernel!r}."
        because = because if norm else f"No bound of the target's norm in the space of {kernel!r} is known."
        return refusal(bound, subject, quantity, in_space, because, delta)
    return problem, norm


def model_norm(model: LearnedModel) -> dict[str, float]:
    """|a|_2 of a linear model of one output, in label units: the norm in the space of its own features' kernel."""
    coefficients = model.parameters.get("coefficients")
    if not isinstance(model.space, LinearSpace) or coefficients is None or coefficients.shape[1] != 1:
        return {}
    return {"norm_of_model": float(coefficients.norm()) * abs(float(model.output_scaling.scale[0]))}
