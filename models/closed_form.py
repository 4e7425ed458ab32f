"""What the learners that solve a linear space in closed form share."""

from collections.abc import Callable

import torch

from models.arrays import Features, Labels, Outputs, Parameters
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.large_samples import Remarks, is_streamed, streamed_solution
from models.optimisation import Advance, LearningCurvePoint, Precision, empirical_risk, starting_parameters
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
    advance: Advance,
    start: Parameters | None,
    precision: Precision,
    solve: Callable[[Features, Labels], torch.Tensor],
    remark: Callable[[Remarks], None],
    streamed_penalty: float | None,
) -> tuple[Parameters, LearningCurvePoint, Outputs | None]:
    """The parameters with the coefficients of `solve(Phi, y)`, and their empirical risk; one step of `advance`.

    Features are computed in the sample's precision and solved for in `precision`. Where they are too many to hold and
    there is a `streamed_penalty`, they are computed in blocks and solved for by `models.large_samples` in place of
    `solve`, and `remark` says so; the outputs on the sample, which would cost another reading, are then returned, too.
    Randomness: the draw of the space.
    """
    if not isinstance(space, LinearSpace):
        raise TypeError(f"{space.kind} is not linear in its parameters.")
    advance(0, 1)
    parameters = starting_parameters(space, sample, randomness, start)
    if streamed_penalty is not None and is_streamed(sample.size, len(parameters["coefficients"])):
        found = streamed_solution(space, parameters, sample, streamed_penalty)
        remark(found.remarks)
        parameters = {**parameters, "coefficients": found.coefficients.to(parameters["coefficients"])}
        outputs = found.outputs.to(sample.labels)
        advance(1, 1)
        return parameters, LearningCurvePoint(1, float(empirical_risk(outputs, sample.labels))), outputs
    with torch.no_grad():
        features, dtype = space.features(parameters, sample.inputs), getattr(torch, precision)
        coefficients = solve(features.to(dtype), sample.labels.to(dtype)).to(features)
        risk = float(empirical_risk(features @ coefficients, sample.labels))
    advance(1, 1)
    return {**parameters, "coefficients": coefficients}, LearningCurvePoint(1, risk), None
