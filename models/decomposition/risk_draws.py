"""Joint draws of all risks of a grid, from its cells with a known target or from the losses on a table's test rows."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from pydantic import ValidationError
from torch import Tensor

from models.decomposition.intervals import Draws
from models.decomposition.learning_curve import bootstrapped_risks
from models.decomposition.measured_risks import Place, RiskDraws
from models.decomposition.risk_surfaces import RiskSurface
from models.decomposition.table_grid import TableOutcome
from models.decomposition.terms import DecompositionCell
from models.estimates import Estimate
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.randomness import Randomness

DRAWS = 200
ROUNDING = 1e-6
FOLLOWING = 0.9
"""A learner whose excess risk near n = m is above this fraction of that of f~ follows least squares into its peak."""


def surface_of_cells(cells: Sequence[DecompositionCell], space: HypothesisSpace) -> RiskSurface:
    """Normal draws with the covariance over seeds, and the test points' share of each standard error.

    R + (S (S-1))^(-1/2) sum_s g_s (R_s - R), g_s standard normal and common to all cells, has the covariance that the
    seeds show. The test points' share is half common to all cells, half each cell's own: their errors are alike, and
    how much so is not kept.
    """
    common, trained, best = normal_draws(DRAWS, "seeds", cells[0].seeds), {}, {}
    for cell in cells:
        streams = f"{cell.width}_{cell.sample_size}"
        trained[cell.width, cell.sample_size] = _drawn(cell, "trained", common, streams)
        if space.linear and "best_in_space" in cell.risks_by_seed and cell.width not in best:
            best[cell.width] = _drawn(cell, "best_in_space", common, f"{cell.width}")
    noise = cells[0].risks.get("noise")
    return _surface(cells, space, trained, best, 0.0 if noise is None else noise.value)


def surface_of_outcomes(
    outcomes: Mapping[int, TableOutcome],
    cells: Sequence[DecompositionCell],
    space: HypothesisSpace,
    randomness: Randomness,
) -> RiskSurface:
    """Bootstrap draws of seeds and test rows, the same ones for every width and size (streams `bootstrap_*`)."""
    trained: dict[Place, Draws] = {}
    # One factor for all widths, so that what they have in common still cancels in their differences.
    widening = max(outcome.rotation.widening(outcome.trained) for outcome in outcomes.values())
    for width, outcome in outcomes.items():
        risks = bootstrapped_risks(outcome.trained, randomness.child("advice"), DRAWS, widening)
        trained |= {(width, size): risks[:, place] for place, size in enumerate(outcome.sample_sizes)}
    return _surface(cells, space, trained, {}, 0.0, independent_seeds=False)


def _surface(
    cells: Sequence[DecompositionCell],
    space: HypothesisSpace,
    trained: Mapping[Place, Draws],
    best: Mapping[int, Draws],
    noise: float,
    independent_seeds: bool = True,
) -> RiskSurface:
    dimension = cells[0].dimension

    @cache
    def coefficients(width: int) -> int:
        return space.with_width(width).feature_count(dimension)

    def refusal(width: int) -> str | None:
        try:
            return space.with_width(width).check_dimension(dimension)
        except ValidationError:
            return f"the space has no width {width}"

    least_squares = space.linear and _is_least_squares(cells)
    vanish = isinstance(space, LinearSpace) and space.features_vanish and _errs(cells)
    draws = RiskDraws(
        trained=trained,
        best=best,
        noise=noise,
        by_seed={(cell.width, cell.sample_size): cell.risks_by_seed["trained"] for cell in cells},
        coefficients=coefficients if space.linear else None,
        refusal=refusal,
        follows_least_squares=space.linear and _follows(cells, coefficients),
        least_squares=least_squares,
        has_mean=not (vanish and least_squares),
        features_vanish=vanish,
        independent_seeds=independent_seeds,
    )
    return RiskSurface(draws)


def _drawn(cell: DecompositionCell, risk: str, common: Float[Tensor, "draws seeds"], name: str) -> Draws:
    by_seed, estimate = torch.tensor(cell.risks_by_seed[risk], dtype=torch.float64), cell.risks[risk]
    draws = torch.full((len(common),), estimate.value, dtype=torch.float64)
    if len(by_seed) > 1:
        scale = math.sqrt(len(by_seed) * (len(by_seed) - 1))
        draws += common @ (by_seed - by_seed.mean()) / scale
    points = _points_error(estimate, cell.risks_by_seed[risk])
    shared, own = normal_draws(DRAWS, "points", 1)[:, 0], normal_draws(DRAWS, f"{risk}_{name}", 1)[:, 0]
    return draws + points * (shared + own) / math.sqrt(2)


def _points_error(estimate: Estimate, by_seed: Sequence[float]) -> float:
    return math.sqrt(max((estimate.standard_error or 0.0) ** 2 - _seed_variance(by_seed), 0.0))


def _seed_variance(by_seed: Sequence[float]) -> float:
    """Of the mean over seeds."""
    if len(by_seed) < 2:
        return 0.0
    return float(torch.tensor(by_seed, dtype=torch.float64).var(unbiased=True)) / len(by_seed)


def _follows(cells: Sequence[DecompositionCell], coefficients: Callable[[int], int]) -> bool:
    """Unless the grid has cells with m/2 <= n <= 2m, and the learner errs less than f~ in all of them."""
    near = [cell for cell in cells if 0.5 <= cell.sample_size / coefficients(cell.width) <= 2]
    return not near or any(_excess(cell, "trained") > FOLLOWING * _excess(cell, "best_on_sample") for cell in near)


def _is_least_squares(cells: Sequence[DecompositionCell]) -> bool:
    """Whether the learner minimises the empirical risk alone and returned f~ everywhere, to rounding.

    A learner with a penalty does not, even where labels that are 0 leave it nothing to shrink.
    """
    return not _has_penalty(cells[0].learner) and all(
        abs(cell.risk_terms["optimization"].value) <= ROUNDING * cell.risks["best_on_sample"].value for cell in cells
    )


def _has_penalty(learner: Mapping[str, Any]) -> bool:
    """Ridge that chooses its penalty says None, least squares has none to say."""
    chosen = "penalty" in learner and learner["penalty"] is None
    return chosen or any((learner.get(name) or 0.0) > 0 for name in ("penalty", "weight_decay"))


def _errs(cells: Sequence[DecompositionCell]) -> bool:
    """Whether f~ errs at all: a residual of 0 stays 0, however it is divided."""
    return any(cell.risks["best_on_sample"].value > 0 for cell in cells)


def _excess(cell: DecompositionCell, risk: str) -> float:
    floor = cell.risks.get("best_in_space")
    known = floor is not None and floor.method != "extrapolated"
    return cell.risks[risk].value - (floor.value if known and floor is not None else 0.0)


def normal_draws(count: int, name: str, columns: int) -> Tensor:
    """Standard normal numbers of a fixed stream; row 0 is 0, so that it gives the data's value.

    Up to `count` columns are orthogonal with mean square 1, so that a linear combination has its variance exactly.
    """
    drawn = torch.randn(count, columns, generator=Randomness(0).generator(name), dtype=torch.float64)
    if columns <= count:
        drawn = torch.linalg.qr(drawn)[0] * math.sqrt(count)
    return torch.cat([torch.zeros(1, columns, dtype=torch.float64), drawn])
