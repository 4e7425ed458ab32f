"""f_m of every width of a nested linear space, and the penalised minimisers of the risk beside it."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.decomposition.best_approximation import PROBES, fresh_sample, random_signs
from models.decomposition.nested_features import BLOCK_ROWS, NestedFeatures
from models.decomposition.setting import DecompositionSetting
from models.learners.base import Advance
from models.linear_grid.grid import GrowingGrid
from models.linear_grid.nested_factor import Stack
from models.linear_grid.rows import Block, ComputedRows
from models.randomness import Randomness

STEP = 1e-3
"""Of log p, in the derivatives of the penalised minimisers: they come out right to a relative STEP."""


@dataclass(frozen=True)
class PopulationFits:
    """Coefficients of common features.

    `best[:, i]`: f_m of width i. `penalised[i, p]`: the minimiser f_{m,p} of E|f* - f|^2 + p |a|^2, zero beyond the
    width. `slopes[i, p]`: df_{m,p}/dlog p, where it was asked for. `probes[:, i, q]`: least squares of width i to
    random signs q on the same points: the mean square of its values at x is l(x)/N, l the leverage. `rows[i]`: N.
    """

    best: Stack
    penalised: dict[tuple[int, float], Tensor]
    slopes: dict[tuple[int, float], Tensor]
    probes: Float[Tensor, "m w q"]
    rows: tuple[int, ...]


def population_fits(
    common: NestedFeatures,
    setting: DecompositionSetting,
    randomness: Randomness,
    penalties: Mapping[int, Set[float]],
    advance: Advance,
    slopes: bool = False,
) -> PopulationFits:
    """f_m by least squares over fresh noiseless points, as `best_approximation.projection`, all widths from one stream.

    A width m uses the first max(floor, rows_per_feature m) points of the stream `projection`, whatever the others
    use, so that a cell does not depend on its neighbours. `penalties`: the distinct ones of each width; `slopes`: with
    their derivatives, too. Random stream `probes` beside that of the points. Memory O(m^2).

    Raises:
        Stopped: from `advance`, called at every block.
    """
    budget = setting.budget
    needed = [max(budget.projection_floor, budget.projection_rows * count) for count in common.counts]
    blocks = -(-max(needed) // BLOCK_ROWS)
    like = common.parameters["coefficients"]

    def compute(start: int, stop: int) -> Block:
        block = start // BLOCK_ROWS
        advance(block, blocks)
        # Points of a block are the first of a longer draw, so that a threshold inside it changes none.
        size = stop - block * BLOCK_ROWS
        streams = randomness.child(str(block))
        points = fresh_sample(setting.population, size, streams, "projection")
        labels = torch.cat([points.labels, random_signs(BLOCK_ROWS, streams)[:size]], dim=1)
        inputs, labels = (part[start - stop + size :] for part in (points.inputs, labels))
        return common.features(inputs), labels.to(like)

    ascending = {index: tuple(sorted(distinct)) for index, distinct in penalties.items()}
    growing = GrowingGrid(ComputedRows(compute, BLOCK_ROWS), common.count, PROBES)
    outputs = like.shape[1]
    best = like.new_zeros(common.count, len(needed), outputs)
    probes = like.new_zeros(common.count, len(needed), PROBES)
    penalised: dict[tuple[int, float], Tensor] = {}
    derivatives: dict[tuple[int, float], Tensor] = {}
    for rows in sorted(set(needed)):
        problem = growing.first(rows)
        members = [index for index, own in enumerate(needed) if own == rows]
        for wanted in dict.fromkeys(((0.0,), *(ascending[index] for index in members if index in ascending))):
            chosen = [index for index in members if wanted == (0.0,) or ascending.get(index) == wanted]
            counts = tuple(common.counts[index] for index in chosen)
            shifted = tuple((1 + STEP) * value for value in wanted) if slopes and wanted != (0.0,) else ()
            fits = problem.fits((*wanted, *shifted), counts, [common.factors[index] for index in chosen])
            for place, index in enumerate(chosen):
                if wanted == (0.0,):
                    best[:, index], probes[:, index] = fits.coefficients[:, 0, place].split([outputs, PROBES], dim=1)
                    continue
                columns = fits.coefficients[:, :, place, :outputs].unbind(dim=1)
                penalised.update({(index, value): column for value, column in zip(wanted, columns, strict=False)})
                for value, at, beyond in zip(wanted, columns, columns[len(wanted) :], strict=False):
                    derivatives[index, value] = (beyond - at) / STEP
    return PopulationFits(best, penalised, derivatives, probes, tuple(needed))
