"""What the cells of a table have in common: the learning curves of one width."""

from dataclasses import dataclass

from models.decomposition.learning_curve import LearningCurve, fit_learning_curve
from models.decomposition.table_grid import TableOutcome
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
    best, widening = outcome.best_on_sample, outcome.rotation.widening
    trained = fit_learning_curve(outcome.sample_sizes, outcome.trained, randomness, widening=widening(outcome.trained))
    minimal = fit_learning_curve(
        outcome.sample_sizes, best, randomness, coefficients=outcome.coefficients, widening=widening(best)
    )
    lower = float(best[:, -1].mean()) < float(outcome.trained[:, -1].mean())
    return TableCurves(trained, minimal if minimal is not None and (lower or trained is None) else trained)
