"""The decomposition of a whole grid on a table: every space, width and sample size, put together for the result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.decomposition.progress import GridProgress
from models.decomposition.purchases import advised
from models.decomposition.requested_risk import answered
from models.decomposition.risk_draws import surface_of_outcomes
from models.decomposition.table_cells import pure_noise, table_grid_estimates, table_reading, table_row
from models.decomposition.table_grid import TableSetting, table_width, whole
from models.decomposition.terms import DecompositionCell
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Learner
from models.problems import TabularProblem
from models.randomness import Randomness

Place = Callable[[HypothesisSpace, Learner, int, int, int], dict[str, Any]]
"""What a cell is the cell of: (space at its width, learner, dimension, width, sample size) to the fields' names."""


@dataclass(frozen=True)
class TableDecomposition:
    """The cells in the order spaces, widths, sample sizes, and their summary with one reading for each space."""

    cells: tuple[DecompositionCell, ...]
    summary: dict[str, Any]


def decompose_table(
    problem: TabularProblem,
    pairs: Sequence[tuple[HypothesisSpace, Learner]],
    widths: Sequence[int],
    setting: TableSetting,
    randomness: Randomness,
    requested: float | None,
    place: Place,
    progress: GridProgress,
) -> TableDecomposition:
    """Train and measure every cell. `randomness` is that of the learning curves' resamples. `requested`: a risk whose
    cheapest purchase is named.

    Raises:
        TrainingDiverged: a learner left every bounded set.
        Stopped: the context asked for it.
    """
    polls = progress.poll("training"), progress.poll("reference"), progress.unit_done
    noise = pure_noise(whole(problem))
    cells: list[DecompositionCell] = []
    readings: list[dict[str, Any]] = []
    for space, learner in pairs:
        outcomes = {width: table_width(space.with_width(width), learner, setting, *polls) for width in widths}
        estimates = table_grid_estimates(outcomes, noise, randomness)
        unadvised = []
        for (width, size), found in estimates.items():
            named = place(space.with_width(width), learner, problem.training.inputs.shape[1], width, size)
            unadvised.append(DecompositionCell(**named, **found))
        surface = surface_of_outcomes(outcomes, unadvised, space, randomness)
        of_space = advised(unadvised, surface)
        shape = problem.training.inputs.shape[1], problem.training.labels.shape[1]
        asked = answered(requested, surface, space, learner, shape)
        readings.append({"hypothesis_space": space.kind, "reading": table_reading(of_space), **asked})
        cells += of_space
    summary = {
        "cells": [table_row(cell) for cell in cells],
        "readings": readings,
        "held_out_size": problem.test.size,
        "standard_errors_cover": ["test rows", "seeds"] if len(setting.seeds) > 1 else ["test rows"],
    }
    return TableDecomposition(tuple(cells), summary)
