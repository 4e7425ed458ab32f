"""A table's decomposition: what test rows and learning curves identify, and nothing beyond.

f* is unknown, so the risk of f_m, the best of the space, is the limit of a learning curve: approximation and noise
show only as their sum R(f_m), unless repeated inputs show the noise. R(f^) = R(f_m) + [R(f~) - R(f_m)] +
[R(f^) - R(f~)] holds exactly for the values. With fewer than three usable sample sizes there is no limit, and what
needs it is left out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.decomposition.advice import Advice
from models.decomposition.table_curves import TableCurves, table_curves
from models.decomposition.table_grid import TableOutcome
from models.decomposition.terms import DecompositionCell
from models.estimates import Estimate, Method, in_words
from models.randomness import Randomness
from models.samples import Sample

MOST_COPIES = 20
"""Rows of one label, in the mean, beyond which they are no copies of one measurement."""
FEWEST_REPEATS = 20
"""Degrees of freedom below which repeated inputs do not tell the noise."""


def pure_noise(rows: Sample) -> Estimate | None:
    """E|y - f*(x)|^2 from repeated inputs: the variance of labels within groups of equal inputs, summed over outputs.

    Rows that are equal in inputs and labels count once, as copies of one measurement, unless labels are so few that
    measurements agree by chance (classes, counts). None with fewer than 20 degrees of freedom. The error is sqrt(2/df)
    of the value, as for Gaussian noise of one variance; rows that do not repeat are taken to have the same.
    """
    inputs, labels = rows.inputs, rows.labels
    distinct = torch.unique(torch.cat([inputs, labels], dim=1), dim=0)
    if len(torch.unique(labels, dim=0)) > max(len(distinct) / 2, len(labels) / MOST_COPIES):
        inputs, labels = distinct[:, : inputs.shape[1]], distinct[:, inputs.shape[1] :]
    _, group, counts = torch.unique(inputs, dim=0, return_inverse=True, return_counts=True)
    freedom = int((counts - 1).sum())
    if freedom < FEWEST_REPEATS:
        return None
    means = torch.zeros(len(counts), labels.shape[1], dtype=labels.dtype).index_add_(0, group, labels)
    residual = labels - (means / counts[:, None])[group]
    value = float((residual**2).sum()) / freedom
    return Estimate(value=value, standard_error=value * math.sqrt(2 / freedom), method="monte_carlo")


def table_grid_estimates(
    outcomes: Mapping[int, TableOutcome], noise: Estimate | None, randomness: Randomness
) -> dict[tuple[int, int], dict[str, Any]]:
    """The estimated fields of every cell by width and sample size, in the order of `outcomes`."""
    found = {}
    for width, outcome in outcomes.items():
        curves = table_curves(outcome, randomness.child("learning_curve"))
        for place, size in enumerate(outcome.sample_sizes):
            found[width, size] = table_estimates(outcome, place, curves, noise)
    return found


def table_estimates(outcome: TableOutcome, place: int, curves: TableCurves, noise: Estimate | None) -> dict[str, Any]:
    """The estimated fields of the cell at `outcome.sample_sizes[place]`, before the grid advises."""
    trained, best, rotation = outcome.trained, outcome.best_on_sample, outcome.rotation
    # Only a linear space's f~ is the minimiser itself.
    method: Method = "monte_carlo" if outcome.coefficients is not None else "best_of_restarts"
    limit = None if curves.limit is None else curves.limit.at(math.inf)
    estimation = approximation = None
    if limit is not None and curves.limit is not None:
        estimation = curves.limit.excess(best[:, place])
        if noise is not None:
            error = math.hypot(limit.standard_error or 0.0, noise.standard_error or 0.0)
            approximation = Estimate(value=limit.value - noise.value, standard_error=error, method="extrapolated")
    optimization = rotation.estimate(trained - best, place, method)
    empirical = rotation.by_row(outcome.trained_empirical)
    return {
        "seeds": len(trained),
        "squared_norms": {},
        "gram": None,
        "risks": _known(
            noise=noise if approximation is not None else None,
            best_in_space=limit,
            best_on_sample=rotation.estimate(best, place, method),
            trained=rotation.estimate(trained, place),
            trained_empirical=_over_seeds(empirical[:, place].mean(dim=1)),
        ),
        "risks_by_seed": {
            "best_on_sample": tuple(best[:, place].mean(dim=1).tolist()),
            "trained": tuple(trained[:, place].mean(dim=1).tolist()),
        },
        "risk_terms": _known(
            approximation=approximation,
            approximation_and_noise=limit,
            estimation=estimation,
            optimization=optimization,
        ),
        "generalization_gap": rotation.estimate(trained - empirical, place),
        "advice": Advice(buy="nothing", because="Buy nothing: one cell of a table tells of no purchase."),
    }


def _known(**estimates: Estimate | None) -> dict[str, Estimate]:
    return {name: estimate for name, estimate in estimates.items() if estimate is not None}


def _over_seeds(values: Float[Tensor, " s"]) -> Estimate:
    error = float(values.std(unbiased=True)) / math.sqrt(len(values)) if len(values) > 1 else None
    return Estimate(value=float(values.mean()), standard_error=error, method="monte_carlo")


def table_row(cell: DecompositionCell) -> dict[str, Any]:
    """The cell as one row of a table: [value, standard error] of what is known, label units squared."""
    named = cell.risk_terms | {name: value for name, value in cell.risks.items() if not name.startswith("best")}
    return {
        "hypothesis_space": cell.hypothesis_space["kind"],
        "learner": cell.learner["kind"],
        "width": cell.width,
        "sample_size": cell.sample_size,
        **{name: [value.value, value.standard_error] for name, value in named.items()},
        "buy": cell.advice.buy,
    }


def table_reading(cells: Sequence[DecompositionCell]) -> str:
    """One sentence on one space."""
    best = min(cells, key=lambda cell: cell.risks["trained"].value)
    limit = best.risks.get("best_in_space")
    floor = (
        "with fewer than three usable sample sizes nothing is said of its limit"
        if limit is None
        else f"with ever more rows this width would reach {in_words(limit)}, approximation and noise together"
    )
    return (
        f"The smallest risk is {in_words(best.risks['trained'])} at width {best.width}, n = {best.sample_size}; "
        f"{floor}; the advice is to buy {best.advice.buy}."
    )
