"""Cells of a grid whose risks follow a law that is written down, with the scatter of seeds."""

import math
from collections.abc import Callable, Sequence

import torch

from models.decomposition.terms import Advice, DecompositionCell
from models.estimates import Estimate, closed_form

SPACE = {"kind": "random_features", "width": 1, "feature": "tanh"}
Law = Callable[[int], float]
Law2 = Callable[[int, int], float]


def cells_of_law(
    widths: Sequence[int],
    sizes: Sequence[int],
    approximation: Law,
    estimation: Law2,
    optimization: Law2 = lambda n, m: 0.0,
    noise: float = 0.01,
    seeds: int = 6,
    scatter: float = 0.05,
    seed: int = 0,
    learner: dict | None = None,
    space: dict | None = None,
) -> list[DecompositionCell]:
    """Terms scatter by a relative `scatter`, half of its variance common to a seed's cells, half each cell's own."""
    generator = torch.Generator().manual_seed(seed)

    def scattered() -> torch.Tensor:
        return torch.randn(seeds, generator=generator, dtype=torch.float64) * scatter / math.sqrt(2)

    common_space, common_sample = scattered(), scattered()
    cells = []
    for m in widths:
        best = noise + approximation(m) * torch.exp(common_space + scattered() - scatter**2 / 2)
        for n in sizes:
            factor = torch.exp(common_sample + scattered() - scatter**2 / 2)
            on_sample = best + estimation(n, m) * factor
            trained = on_sample + optimization(n, m) * factor
            cells.append(cell_of(m, n, noise, best, on_sample, trained, learner, space))
    return cells


def cell_of(m, n, noise, best, on_sample, trained, learner=None, space=None) -> DecompositionCell:
    """One cell from the risks of its seeds."""
    return DecompositionCell(
        hypothesis_space=space or SPACE,
        learner=learner or {"kind": "least_squares"},
        data={},
        dimension=3,
        width=m,
        sample_size=n,
        seeds=len(best),
        squared_norms={},
        gram=((0.0,) * 3,) * 3,
        risks={
            "noise": closed_form(noise),
            "best_in_space": _mean(best),
            "best_on_sample": _mean(on_sample),
            "trained": _mean(trained),
            "trained_empirical": _mean(trained),
        },
        risks_by_seed={
            "best_in_space": tuple(best.tolist()),
            "best_on_sample": tuple(on_sample.tolist()),
            "trained": tuple(trained.tolist()),
        },
        risk_terms={
            "approximation": _mean(best - noise),
            "estimation": _mean(on_sample - best),
            "optimization": _mean(trained - on_sample),
        },
        generalization_gap=closed_form(0.0),
        advice=Advice(buy="data", because="Buy data: estimation error is the largest part of the excess risk."),
    )


def _mean(values: torch.Tensor) -> Estimate:
    error = float(values.std(unbiased=True)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(value=float(values.mean()), standard_error=error, method="monte_carlo")
