"""The decomposition of a whole grid on a table: every space, width and sample size, put together for the result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.decomposition.cost import decomposition_plan
from models.decomposition.purchases import advised
from models.decomposition.reference_training import ReferenceBudget
from models.decomposition.requested_risk import answered
from models.decomposition.risk_draws import surface_of_outcomes
from models.decomposition.setting import Polls
from models.decomposition.table_cells import pure_noise, table_grid_estimates, table_reading, table_row
from models.decomposition.table_grid import TableSetting, table_outcomes
from models.decomposition.terms import DecompositionCell
from models.errors import InvalidData
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Learner
from models.plan import MemoryPart, Plan
from models.randomness import Randomness
from models.run_context import PARTS_HELD_BYTES, Parts
from models.table_splits import largest_fold

Place = Callable[[HypothesisSpace, Learner, int, int, int], dict[str, Any]]
"""What a cell is the cell of: (space at its width, learner, dimension, width, sample size) to the fields' names."""


@dataclass(frozen=True)
class TableDecomposition:
    """The cells in the order spaces, widths, sample sizes, and their summary with one reading for each space."""

    cells: tuple[DecompositionCell, ...]
    summary: dict[str, Any]


def decompose_table(
    pairs: Sequence[tuple[HypothesisSpace, Learner]],
    widths: Sequence[int],
    setting: TableSetting,
    randomness: Randomness,
    requested: float | None,
    place: Place,
    polls: Polls,
    parts: Parts,
) -> TableDecomposition:
    """Train and measure every cell. `randomness` is that of the learning curves' resamples. `requested`: a risk whose
    cheapest purchase is named.

    Raises:
        TrainingDiverged: a learner left every bounded set.
        Stopped: the context asked for it.
    """
    # Widths ascend: what costs most comes last, where workers that share a round begin.
    ascending = sorted(widths)
    rows = [(space.with_width(width), learner) for space, learner in pairs for width in ascending]
    trained = table_outcomes(rows, setting, polls, parts)
    splits, every_row = setting.splits, setting.splits.every_row()
    noise, shape = pure_noise(splits.complete_rows()), (every_row.inputs.shape[1], every_row.labels.shape[1])
    measured = measured_by(splits.folds, splits.scored_rows)
    cells: list[DecompositionCell] = []
    readings: list[dict[str, Any]] = []
    for space, learner in pairs:
        # The next outcomes are those of the next space.
        by_width = dict(zip(ascending, trained, strict=False))
        outcomes = {width: by_width[width] for width in widths}
        estimates = table_grid_estimates(outcomes, noise, randomness)
        unadvised = []
        for (width, size), found in estimates.items():
            named = place(space.with_width(width), learner, shape[0], width, size)
            unadvised.append(DecompositionCell(**named, **found))
        surface = surface_of_outcomes(outcomes, unadvised, space, randomness)
        of_space = advised(unadvised, surface)
        asked = answered(requested, surface, space, learner, shape)
        readings.append({"hypothesis_space": space.kind, "reading": f"{table_reading(of_space)} {measured}", **asked})
        cells += of_space
    summary = {
        "cells": [table_row(cell) for cell in cells],
        "readings": readings,
        "held_out_size": splits.scored_rows,
        "cross_validated": splits.folds if splits.folds > 1 else None,
        "standard_errors_cover": _covered(splits.folds, len(setting.seeds)),
    }
    return TableDecomposition(tuple(cells), summary)


def table_plan(
    rows: Sequence[tuple[Sequence[HypothesisSpace], Learner]],
    dimension: int,
    outputs: int,
    sample_sizes: Sequence[int],
    seeds: int,
    folds: int,
    scored_rows: int,
    budget: ReferenceBudget,
) -> Plan:
    """The cost of one seed and fold, seeds x folds times; no function is sought by fresh rows: there are none.

    Beside the memory of one, the losses of f^ and f~ at every scored row are kept for all widths of a space, and as
    parts of the work for all spaces, as far as these are held.

    Raises:
        InvalidData: a space does not exist in this dimension.
    """
    reasons = [space.check_dimension(dimension) for spaces, _ in rows for space in spaces]
    for reason in reasons:
        if reason is not None:
            raise InvalidData(reason, "/widths")
    budget = replace(budget, population_steps=0, projection_rows=0, projection_floor=0)
    tested = largest_fold(scored_rows, folds)
    one = decomposition_plan(rows, dimension, outputs, sample_sizes, 1, tested, budget, "/widths")
    of_a_width, widths = 16 * seeds * len(sample_sizes) * scored_rows, [len(spaces) for spaces, _ in rows]
    kept = of_a_width * max(widths) + min(PARTS_HELD_BYTES, of_a_width * sum(widths))
    losses = MemoryPart(
        holds="the losses of every row at all widths, sample sizes and seeds",
        field="/seeds",
        remedy="lower seeds, or name fewer widths or sample_sizes",
        size_bytes=kept,
    )
    return Plan(
        parameters=one.parameters,
        parameters_field=one.parameters_field,
        peak_memory_bytes=one.peak_memory_bytes + kept,
        memory=(*one.memory, losses),
        floating_point_operations=seeds * folds * one.floating_point_operations,
        estimated_seconds=seeds * folds * one.estimated_seconds,
    )


def measured_by(folds: int, rows: int) -> str:
    """How risks were measured, as a sentence."""
    if folds == 1:
        return f"Risks are measured on {rows} held-out rows."
    return f"Risks are measured by cross-validation: each of {rows} rows tests once for every seed, in {folds} folds."


def _covered(folds: int, seeds: int) -> list[str]:
    sources = ["test rows"] if folds == 1 else ["test rows", "training rows"]
    return [*sources, "seeds"] if seeds > 1 else sources
