"""What the learners that solve a linear space in closed form share."""

from collections.abc import Callable

import torch

from models.arrays import Features, Labels, Parameters
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.optimisation import LearningCurvePoint, Precision, empirical_risk, starting_parameters
from models.randomness import Randomness
from models.samples import Sample


def refusal_outside_linear_spaces(learner: str, space: HypothesisSpace) -> str | None:
    """Why a learner of closed forms cannot work in `space`, or None."""
    if space.linear:
        return None
    return f"{learner} solves linear spaces in closed form; {space.kind} is not linear in its parameters."


def solved(
    space: HypothesisSpace,
    sample: Sample,
    randomness: Randomness,
    advance: Callable[[int, int], None],
    start: Parameters | None,
    precision: Precision,
    solve: Callable[[Features, Labels], torch.Tensor],
) -> tuple[Parameters, LearningCurvePoint]:
    """The parameters with the coefficients of `solve(Phi, y)`, and their empirical risk; one step of `advance`.

    Features are computed in the sample's precision and solved for in `precision`. Randomness: the draw of the space.
    """
    if not isinstance(space, LinearSpace):
        raise TypeError(f"{space.kind} is not linear in its parameters.")
    advance(0, 1)
    parameters = starting_parameters(space, sample, randomness, start)
    with torch.no_grad():
        features, dtype = space.features(parameters, sample.inputs), getattr(torch, precision)
        coefficients = solve(features.to(dtype), sample.labels.to(dtype)).to(features)
        risk = float(empirical_risk(features @ coefficients, sample.labels))
    advance(1, 1)
    return {**parameters, "coefficients": coefficients}, LearningCurvePoint(1, risk)
