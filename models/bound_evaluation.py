"""Evaluate the bounds that a job asks for on one learned model."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from models.bounds import BOUNDS, AnyBound, Bound, BoundReport, BoundSubject
from models.learned_model import LearnedModel
from models.problems import Problem
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
) -> BoundSubject:
    """What the bounds look at; the loss cap is the squared diameter of the model's output range.

    `model` is clipped to the range of its training labels. Random streams: the subtree `bounds`.
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
    )


def evaluate_all(
    bounds: Sequence[Bound], subject: BoundSubject, delta: float, context: RunContext
) -> tuple[BoundReport, ...]:
    """One report a bound, each at `delta`, in the order given.

    Raises:
        Stopped: the run should end.
    """
    reports = []
    for index, bound in enumerate(bounds):
        advance(context, "bounds", index, len(bounds))
        reports.append(bound.evaluate(subject, delta))
    advance(context, "bounds", len(bounds), len(bounds))
    return tuple(reports)


def joint_confidence(reports: Sequence[BoundReport], delta: float) -> dict[str, Any]:
    """What may be said of several bounds at once: the union bound over those with a value."""
    count = sum(report.value is not None for report in reports)
    return {"delta_each": delta, "bounds": count, "all_hold_with_probability_at_least": max(0.0, 1 - count * delta)}
