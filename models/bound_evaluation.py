"""Evaluate the bounds that a job asks for on one learned model."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from models.arrays import Outputs
from models.bounds import BOUNDS, AnyBound, Bound, BoundReport, BoundSubject
from models.bounds.base import RISK_QUANTITIES, JointValue
from models.learned_model import LearnedModel
from models.problems import Problem, SyntheticProblem
from models.randomness import Randomness
from models.risks import range_loss_cap
from models.run_context import RunContext, advance
from models.samples import Sample

Delta = Annotated[
    float, Field(gt=0, lt=1, description="Failure probability of each bound: it holds with probability 1 - delta.")
]
BoundList = Annotated[tuple[AnyBound, ...], Field(max_length=32)]


def chosen_bounds(choice: Literal["all", "none"] | Sequence[Bound]) -> tuple[Bound, ...]:
    """The bounds of a job's `bounds`: "all" is one of each kind with its default parameters."""
    if choice == "none":
        return ()
    if choice == "all":
        return tuple(leaf.model_validate({"kind": kind}) for kind, leaf in BOUNDS.items())
    return tuple(bound for bound in choice if isinstance(bound, Bound))


def bound_subject(
    model: LearnedModel,
    problem: Problem,
    training: Sample,
    held_out: Sample,
    scaled_from_sample: bool,
    randomness: Randomness,
    fitted: Outputs | None = None,
) -> BoundSubject:
    """What the bounds look at; the loss cap is the squared diameter of the model's output range.

    `model` is clipped to the range of its training labels. `fitted`: its predictions on the training rows, where they
    are known. Random streams: the subtree `bounds`.
    """
    limits = model.output_range
    if limits is None:
        raise ValueError("a certified model is clipped to a range")
    return BoundSubject(
        model=model,
        training=training,
        held_out=held_out,
        loss_cap=range_loss_cap(limits.lower, limits.upper),
        scaled_from_sample=scaled_from_sample,
        input_sup_bound=problem.input_sup_bound,
        randomness=randomness.child("bounds"),
        problem=problem if isinstance(problem, SyntheticProblem) else None,
        levels_from_sample=bool(problem.encoding.categories),
        filled_from_sample=any(column.accepts_missing for column in problem.encoding.numbers),
        fitted=fitted,
    )


def evaluate_all(
    bounds: Sequence[Bound], subject: BoundSubject, delta: float, context: RunContext
) -> tuple[BoundReport, ...]:
    """One report a bound, each at `delta`, in the order given, and each once more at its share of `delta` (`joint`).

    With K bounds that can fail, the share is delta / K: with probability 1 - delta all joint values hold at once, so
    that the best of them may be chosen after they were seen. K counts those that refuse as well: whether a bound
    refuses can depend on the sample, and a share that depended on it would be chosen after looking.

    Raises:
        Stopped: the run should end.
    """
    count = fallible(bounds)
    share = delta / max(1, count)
    reports = []
    for index, bound in enumerate(bounds):
        advance(context, "bounds", index, len(bounds))
        report = bound.evaluate(subject, delta)
        if report.value is not None and not bound.certain:
            again = report if count == 1 else bound.evaluate(subject, share)
            if again.value is not None:
                report = report.model_copy(update={"joint": JointValue(delta=share, value=again.value)})
        reports.append(report)
    advance(context, "bounds", len(bounds), len(bounds))
    return tuple(reports)


def fallible(bounds: Sequence[Bound]) -> int:
    """K: the bounds that hold with probability 1 - delta only."""
    return sum(not bound.certain for bound in bounds)


def joint_confidence(reports: Sequence[BoundReport], delta: float) -> dict[str, Any]:
    """What may be said of several bounds at once, by the union bound over those that can fail (delta > 0).

    `best`: the smallest upper bound of the population risk among the joint values, which is valid although it was
    chosen after looking; None where no bound speaks of that risk.
    """
    count = sum(report.delta > 0 for report in reports)
    candidates = [(risk, report) for report in reports if (risk := _joint_risk_bound(report)) is not None]
    best = min(candidates, key=lambda pair: pair[0], default=None)
    return {
        "delta_each": delta,
        "bounds": count,
        "all_hold_with_probability_at_least": max(0.0, 1 - count * delta),
        "delta_split": delta / max(1, count),
        "best": None if best is None else {"kind": best[1].kind, "risk_upper_bound": best[0]},
        "best_holds_with_probability_at_least": 1 - delta,
    }


def _joint_risk_bound(report: BoundReport) -> float | None:
    """The report's joint value as an upper bound of the population risk; a gap needs R_n(f^) added."""
    if report.joint is None or report.side != "upper" or report.quantity not in RISK_QUANTITIES:
        return None
    value = report.joint.value
    if report.quantity == "generalization_gap":
        value += report.inputs["empirical_capped_risk"]
    return value if math.isfinite(value) else None
