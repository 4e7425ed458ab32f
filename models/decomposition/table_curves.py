"""What the cells of a table have in common: learning curves of one width, and means over seeds and test rows."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from models.decomposition.learning_curve import LearningCurve, fit_learning_curve
from models.decomposition.table_grid import TableOutcome
from models.estimates import Estimate, Method
from models.randomness import Randomness


@dataclass(frozen=True)
class TableCurves:
    """The learning curve of the learner, and the one whose limit is R(f_m); either may be None.

    The limit is that of f~ or of f^, whichever has the smaller risk at the largest n: both are functions of the space,
    so the lower one is nearer to its best.
    """

    trained: LearningCurve | None
    limit: LearningCurve | None


def table_curves(outcome: TableOutcome, randomness: Randomness) -> TableCurves:
    """The curves of one width; all of them resample the same seeds and rows, so that differences are paired."""
    trained = fit_learning_curve(outcome.sample_sizes, outcome.trained, randomness)
    minimal = fit_learning_curve(
        outcome.sample_sizes, outcome.best_on_sample, randomness, coefficients=outcome.coefficients
    )
    lower = float(outcome.best_on_sample[:, -1].mean()) < float(outcome.trained[:, -1].mean())
    return TableCurves(trained, minimal if minimal is not None and (lower or trained is None) else trained)


def two_way(losses: Float[Tensor, "s i"], method: Method = "monte_carlo") -> Estimate:
    """Mean over seeds and test rows; the error is that of seeds plus that of rows, as in grids with a known target."""
    by_row, by_seed = losses.mean(dim=0), losses.mean(dim=1)
    variance = float(by_row.var(unbiased=True)) / len(by_row) if len(by_row) > 1 else 0.0
    if len(by_seed) > 1:
        variance += float(by_seed.var(unbiased=True)) / len(by_seed)
    return Estimate(value=float(losses.mean()), standard_error=math.sqrt(variance), method=method)
