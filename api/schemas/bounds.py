"""The calculator's answer as JSON."""

from typing import Literal

from pydantic import BaseModel

from api.theory import FormulaResult


class EvaluatedBounds(BaseModel):
    """Every bound that the inputs determine, each at its own failure probability delta.

    `all_hold_with_probability_at_least` is what the union bound leaves for all of them at once, `delta_split` the delta
    to ask for so that they all hold with the probability that was asked for.
    """

    object: Literal["bounds"] = "bounds"
    data: list[FormulaResult]
    all_hold_with_probability_at_least: float
    delta_split: float


def evaluated_bounds(results: tuple[FormulaResult, ...], delta: float) -> EvaluatedBounds:
    """The document."""
    count = len(results)
    return EvaluatedBounds(
        data=list(results),
        all_hold_with_probability_at_least=max(0.0, 1 - count * delta),
        delta_split=delta / max(1, count),
    )
