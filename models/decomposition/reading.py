"""A grid of decompositions in words: one row a cell, one sentence a space."""

from collections.abc import Sequence
from typing import Any

from models.decomposition.advice import ARITHMETIC_FLOOR
from models.decomposition.measured_cells import CellOutcome
from models.decomposition.terms import DecompositionCell
from models.estimates import Estimate, in_words

TERMS = ("approximation", "estimation", "optimization")


def cell_row(cell: DecompositionCell, outcome: CellOutcome) -> dict[str, Any]:
    """The cell as one row of a table: risk terms as [value, standard error], label units squared.

    `approximation_bracket`: between these lies inf R - R(f*); one point where f_m is a projection.
    `empirical_optimization_gap`: mean over seeds of R_n(f^) - R_n(f~). `regularization_bias`: None without a penalty.
    The advice is left out: it needs the whole grid.
    """
    approximation = cell.risk_terms["approximation"]
    exact = approximation.method == "monte_carlo"
    gap = outcome.trained_empirical - outcome.best_on_sample_empirical
    return {
        "hypothesis_space": cell.hypothesis_space["kind"],
        "learner": cell.learner["kind"],
        "width": cell.width,
        "sample_size": cell.sample_size,
        "noise": cell.risks["noise"].value,
        **{term: _pair(cell.risk_terms[term]) for term in TERMS},
        "trained": _pair(cell.risks["trained"]),
        "trained_empirical": _pair(cell.risks["trained_empirical"]),
        "best_on_sample_empirical": float(outcome.best_on_sample_empirical.mean()),
        "empirical_optimization_gap": float(gap.mean()),
        "regularization_bias": _pair(cell.regularization_bias) if cell.regularization_bias else None,
        "approximation_bracket": [approximation.value if exact else 0.0, approximation.value],
    }


def reading(cells: Sequence[DecompositionCell], target_mean_square: float) -> str:
    """One sentence on one space: what width did to approximation, what data did to estimation, and the best cell.

    A term below 1e-10 of E|f*|^2 plus the noise is called round-off.
    """
    arithmetic = ARITHMETIC_FLOOR * (target_mean_square + cells[0].risks["noise"].value)

    def said(term: Estimate) -> str:
        return "round-off" if abs(term.value) <= arithmetic else in_words(term)

    best = min(cells, key=lambda cell: cell.risks["trained"].value)
    widths = sorted({cell.width for cell in cells})
    sizes = sorted({cell.sample_size for cell in cells})
    by_place = {(cell.width, cell.sample_size): cell for cell in cells}
    parts = []
    if len(widths) > 1:
        low, high = (by_place[width, sizes[-1]].risk_terms["approximation"] for width in (widths[0], widths[-1]))
        parts.append(
            f"from width {widths[0]} to {widths[-1]} the approximation error goes from {said(low)} to {said(high)}"
        )
    if len(sizes) > 1:
        low, high = (by_place[widths[-1], size].risk_terms["estimation"] for size in (sizes[0], sizes[-1]))
        parts.append(
            f"at width {widths[-1]} the estimation error goes from {said(low)} at n = {sizes[0]} "
            f"to {said(high)} at n = {sizes[-1]}"
        )
    parts.append(
        f"the smallest risk is {said(best.risks['trained'])} at width {best.width}, n = {best.sample_size}, "
        f"where the advice is to buy {best.advice.buy}"
    )
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def _pair(estimate: Estimate) -> list[float | None]:
    return [estimate.value, estimate.standard_error]
