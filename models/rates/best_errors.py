"""|f* - f_m|^2 at common test points, for one space at one width."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs, Outputs, Parameters
from models.decomposition.best_approximation import best_in_space, projection_and_probes, selection_risk
from models.decomposition.draws import draw
from models.decomposition.setting import DecompositionSetting
from models.errors import NumericalFailure
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Advance
from models.randomness import Randomness
from models.risks import predictions
from models.run_context import Part

ERRORS, SELECTION = "errors", "selection_risk"


def runs(space: HypothesisSpace, seeds: int) -> int:
    """How often f_m is found: once for each draw of frozen features; else the space has one f_m, whatever the seed."""
    return seeds if space.linear and space.random else 1


def best_errors(
    space: HypothesisSpace, setting: DecompositionSetting, randomness: Randomness, advance: Advance
) -> Part:
    """`errors` [N]: |f*(x_i) - f_m(x_i)|^2, float64; `selection_risk`: R(f_m) - noise on the points that chose f_m.

    f_m of a linear space is the projection (its selection risk NaN); the errors are freed of what its points add to
    them, l/N' of the error where l is the leverage (`terms.CellMoments.add_seed`). Of others it is the best of restarts
    on fresh points: an upper end of the best error then. The test inputs of `setting` are common to all spaces and
    widths.

    Raises:
        NumericalFailure: a prediction is not finite.
        Stopped: from `advance`.
    """
    probes: Parameters | None = None
    drawn, budget = draw(space, setting, randomness.child("draw")), setting.budget
    streams, chosen_by = randomness.child("best_in_space"), math.nan
    if isinstance(space, LinearSpace):
        rows = max(budget.projection_floor, budget.projection_rows * drawn["coefficients"].shape[0])
        found, probes = projection_and_probes(space, drawn, setting.population, rows, streams, advance)
    else:
        starts = [draw(space, setting, streams.child(f"restart_{index}")) for index in range(budget.restarts)]
        found = best_in_space(space, setting.population, starts, [drawn], budget, streams, advance)
        chosen_by = selection_risk(space, setting.population, found, budget, streams)
    truth = setting.population.target.evaluate(setting.test_inputs)
    errors = ((_at_test_inputs(space, found, setting) - truth) ** 2).sum(dim=1)
    if probes is not None:
        errors = errors / (1 + (_at_test_inputs(space, probes, setting) ** 2).mean(dim=1))
    if not bool(torch.isfinite(errors).all()):
        raise NumericalFailure("A prediction at a test point is not finite.")
    return {ERRORS: errors, SELECTION: torch.tensor(chosen_by, dtype=torch.float64)}


def _at_test_inputs(space: HypothesisSpace, parameters: Parameters, setting: DecompositionSetting) -> Outputs:
    precision = next(iter(parameters.values()))

    def evaluate(inputs: Inputs) -> Tensor:
        return space.evaluate(parameters, inputs.to(precision)).double().cpu()

    return predictions(evaluate, setting.test_inputs)


def non_increasing(errors: Float[Tensor, "w i"], selection_risks: Float[Tensor, " w"]) -> Float[Tensor, "w i"]:
    """Where a space contains the narrower ones, the best function so far; widths ascend.

    The choice is made by the selection risks, which the errors at the test points do not know.
    """
    kept, best = [], 0
    for width in range(len(errors)):
        best = width if selection_risks[width] <= selection_risks[best] else best
        kept.append(errors[best])
    return torch.stack(kept)
