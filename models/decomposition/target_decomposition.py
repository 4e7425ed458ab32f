"""The decomposition of a whole grid with a known target: every space, width and sample size, put together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.decomposition.groups import decompose, groups
from models.decomposition.purchases import advised
from models.decomposition.reading import cell_row, reading
from models.decomposition.requested_risk import answered
from models.decomposition.risk_draws import surface_of_cells
from models.decomposition.sequential_stopping import SequentialStopping
from models.decomposition.setting import DecompositionSetting, Polls
from models.decomposition.terms import DecompositionCell, cell_estimates, longer_training
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Learner
from models.problems import SyntheticProblem
from models.run_context import Parts
from models.theoretical_rates import theoretical_estimation_rate, theoretical_rate

Place = Callable[[HypothesisSpace, Learner, int, int, int], dict[str, Any]]
"""What a cell is the cell of: (space at its width, learner, dimension, width, sample size) to the fields' names."""


@dataclass(frozen=True)
class TargetDecomposition:
    """The cells in the order spaces, widths, sample sizes, and their summary with one reading for each space."""

    cells: tuple[DecompositionCell, ...]
    summary: dict[str, Any]


def decompose_target(
    problem: SyntheticProblem,
    pairs: Sequence[tuple[HypothesisSpace, Learner]],
    widths: Sequence[int],
    setting: DecompositionSetting,
    stopping: SequentialStopping | None,
    requested: float | None,
    place: Place,
    polls: Polls,
    parts: Parts,
) -> TargetDecomposition:
    """Train and measure every cell. `requested`: a risk whose cheapest purchase is named.

    Raises:
        TrainingDiverged: a learner left every bounded set.
        Stopped: the context asked for it.
    """
    mean_square = float((problem.target.evaluate(setting.test_inputs) ** 2).sum(dim=1).mean())
    rows = [groups(space, learner, widths, setting) for space, learner in pairs]
    decomposed = decompose(rows, setting, polls, parts, stopping)
    cells: list[DecompositionCell] = []
    table: list[dict[str, Any]] = []
    readings: list[dict[str, Any]] = []
    for (space, learner), outcomes in zip(pairs, decomposed.outcomes, strict=True):
        by_width = dict(zip(sorted(widths), outcomes, strict=True))
        of_space: list[DecompositionCell] = []
        for width in widths:
            at_width = space.with_width(width)
            # What a cell held at the test points goes with it.
            for size, outcome in by_width.pop(width).items():
                estimates = cell_estimates(
                    outcome.moments,
                    outcome.trained_empirical,
                    problem.noise**2,
                    mean_square,
                    space.linear,
                    outcome.shared_rows,
                )
                named = place(at_width, learner, setting.dimension, width, size)
                bias, longer = outcome.regularization_bias, longer_training(outcome.longer, problem.noise**2)
                found = DecompositionCell(**named, regularization_bias=bias, twice_the_steps=longer, **estimates)
                of_space.append(found)
                table.append(cell_row(of_space[-1], outcome))
        surface = surface_of_cells(of_space, space)
        of_space = advised(of_space, surface)
        asked = answered(requested, surface, space, learner, (setting.dimension, setting.output_dimension))
        theory = {"approximation": theoretical_rate(space, problem), "estimation": theoretical_estimation_rate(space)}
        readings.append(
            {
                "hypothesis_space": space.kind,
                "reading": reading(of_space, mean_square),
                "theory": {term: None if rate is None else rate.model_dump() for term, rate in theory.items()},
                **asked,
            }
        )
        cells += of_space
    summary = {
        "cells": [row | {"buy": cell.advice.buy} for row, cell in zip(table, cells, strict=True)],
        "readings": readings,
        "target": {
            "kind": problem.target.kind,
            "known": problem.known_facts().model_dump(mode="json"),
            "mean_square": mean_square,
            "noise_variance": problem.noise**2,
        },
        "seeds": decomposed.seeds,
        "standard_errors_cover": ["test points", "seeds"] if decomposed.seeds > 1 else ["test points"],
    }
    if stopping is not None:
        summary["precision"] = reached(cells, problem.noise**2, stopping.precision)
    return TargetDecomposition(tuple(cells), summary)


def reached(cells: Sequence[DecompositionCell], noise_variance: float, precision: float) -> dict[str, Any]:
    """What was asked and how it came out: cells whose standard error of R(f^), test points included, is too long.

    More seeds shorten the share of the seeds only; `test_size` shortens the other.
    """
    imprecise = []
    for cell in cells:
        risk = cell.risks["trained"]
        if (risk.standard_error or 0.0) > precision * (risk.value - noise_variance):
            kind = cell.hypothesis_space["kind"]
            imprecise.append({"hypothesis_space": kind, "width": cell.width, "sample_size": cell.sample_size})
    return {"requested": precision, "reached": not imprecise, "imprecise": imprecise}
