"""The error split into approximation, estimation and optimization (Bottou and Bousquet, 2007).

Risks telescope, with f* the target, f_m the best of the space, f~ the best on the sample, f^ the learned one:

    R(f^) = noise + [R(f_m) - R(f*)] + [R(f~) - R(f_m)] + [R(f^) - R(f~)].

The functions split alike, f* - f^ = (f* - f_m) + (f_m - f~) + (f~ - f^), but their squared L2(mu) norms do not add up:
the Gram matrix of the three parts says by how much. A risk term may be negative (early stopping regularizes).
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from models.arrays import Outputs
from models.decomposition.advice import Advice, advise
from models.errors import NumericalFailure
from models.estimates import Estimate, ExtendedFloat, Method, closed_form

GramRow = tuple[ExtendedFloat, ExtendedFloat, ExtendedFloat]

__all__ = [
    "Advice",
    "CellMoments",
    "DecompositionCell",
    "GramRow",
    "LongerTraining",
    "cell_estimates",
    "error_products",
    "longer_training",
]

# Columns of the products of the parts a = f*-f_m, b = f_m-f~, c = f~-f^ at one point, then the two squared errors
# |f*-f~|^2 and |f*-f^|^2, kept beside them because as sums of the first six they would cancel where b and c are large.
AA, BB, CC, AB, AC, BC, SAMPLE, TRAINED = range(8)
COLUMNS = 8


class LongerTraining(BaseModel):
    """The risk after twice the steps, noise included, and what they save on the same seeds and test points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    risk: Estimate
    saving: Estimate


class DecompositionCell(BaseModel):
    """One cell (space, width, sample size) of a grid, averaged over its seeds; label units squared throughout.

    Of a table, what it does not identify is left out, and `risk_terms` also holds `approximation_and_noise`.

    `gram`: the matrix of <u_i, u_j> in L2(mu) for u = (f* - f_m, f_m - f~, f~ - f^). `regularization_bias`: of a
    learner with a penalty in a nested linear space, R(f_{m,penalty}) - R(f_m) = |f_m - f_{m,penalty}|^2, with
    f_{m,penalty} the minimiser of R(f) + penalty |a|^2; the rest of the optimization term is what the penalty saves in
    variance. `risks_by_seed`: the risks on the test points seed by seed, all cells of a job in the same order, so that
    their differences are paired. `twice_the_steps`: where a formula gives the iterate at every time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hypothesis_space: dict[str, Any]
    learner: dict[str, Any]
    data: dict[str, Any]
    dimension: int
    width: int
    sample_size: int
    seeds: int
    squared_norms: dict[str, Estimate]
    gram: tuple[GramRow, GramRow, GramRow] | None
    risks: dict[str, Estimate]
    risks_by_seed: dict[str, tuple[ExtendedFloat, ...]] = {}
    risk_terms: dict[str, Estimate]
    generalization_gap: Estimate
    regularization_bias: Estimate | None = None
    twice_the_steps: LongerTraining | None = None
    advice: Advice


def error_products(
    truth: Outputs, best_in_space: Outputs, best_on_sample: Outputs, trained: Outputs
) -> Float[Tensor, "n 8"]:
    """Products of the parts of f* - f^ at each test point, summed over the outputs (columns as above).

    Raises:
        NumericalFailure: some prediction is NaN or infinite.
    """
    parts = (truth - best_in_space, best_in_space - best_on_sample, best_on_sample - trained)
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    columns = [(parts[i] * parts[j]).sum(dim=1) for i, j in pairs]
    columns += [((truth - outputs) ** 2).sum(dim=1) for outputs in (best_on_sample, trained)]
    products = torch.stack(columns, dim=1).to(torch.float64)
    if not bool(torch.isfinite(products).all()):
        raise NumericalFailure("A prediction at a test point is not finite.")
    return products


class CellMoments:
    """Means of the products over seeds s and common test points i, and the error bars of their combinations.

    With V_si a linear combination of the products at point i for seed s, its value is V.. = mean over s and i, and

        standard_error^2 = Var_s(V_s.)/S + Var_i(V_.i)/N,

    unbiased sample variances of the S seed means and of the N point means. Where seed and point interact, their share
    sigma^2/(SN) is counted twice: the error bar is never too small for it. One seed alone: only the second part, the
    error given that seed's sample and draw. The order of the seeds matters to rounding only.

    The N' fresh points of a projection f_m + d are one more draw, and every seed's own where each has its f_m. What d
    moves in the mean is corrected (`add_seed`). Risks do not feel it to first order; what does, like |f_m - f~|^2, by
    2 <d, f_m - f~>, has the mean of (f* - f_m)(f_m - f~) over the N' points in it, whose variance is that over the
    test points divided by N': see `estimate`.
    """

    def __init__(self, test_points: int) -> None:
        self._point_sums = torch.zeros(test_points, COLUMNS, dtype=torch.float64)
        self._seed_means: list[Tensor] = []

    def add_seed(self, products: Float[Tensor, "n 8"], leverage: Float[Tensor, " n"] | None = None) -> None:
        """Take in the products of one seed at all test points, in their common order.

        `leverage`: l(x_i)/N' of the N' points of the projection. It gives f_m + d with E d(x)^2 = E[l e^2]/N' in the
        mean over mu, e = f* - f_m, and E[e d] = 0, so that |f* - f_m|^2 and |f_m - f~|^2 come out too large by that and
        <f* - f_m, f_m - f~> too small; |f* - f~|^2 is what it is.
        """
        if leverage is not None:
            # 1/(1 + l/N') in place of 1 - l/N': right to second order for Gaussian features, and never negative.
            inflation = products[:, AA] * leverage / (1 + leverage)
            products = products.clone()
            products[:, AA] -= inflation
            products[:, BB] -= inflation
            products[:, AB] += inflation
        self._point_sums += products.cpu()
        self._seed_means.append(products.mean(dim=0).cpu())

    @property
    def seeds(self) -> int:
        """S."""
        return len(self._seed_means)

    @property
    def seed_means(self) -> Float[Tensor, "s 8"]:
        """V_s., one row a seed."""
        return torch.stack(self._seed_means)

    def mean(self) -> Float[Tensor, "8"]:
        """V.."""
        return self.seed_means.mean(dim=0)

    def point_variance(self, weights: dict[int, float]) -> float:
        """Var_i(V_.i) of the combination."""
        vector = torch.zeros(COLUMNS, dtype=torch.float64)
        for column, weight in weights.items():
            vector[column] = weight
        return float((self._point_sums @ vector / self.seeds).var(unbiased=True)) if len(self._point_sums) > 1 else 0.0

    def estimate(
        self,
        weights: dict[int, float],
        method: Method,
        shift: float = 0.0,
        by_seed: Tensor | None = None,
        shared_variance: float = 0.0,
    ) -> Estimate:
        """shift + sum_c weights[c] V.._c, plus the mean of `by_seed` (one number a seed), with its standard error.

        `shared_variance`: of what no seed shows, because all of them share it.
        """
        vector = torch.zeros(COLUMNS, dtype=torch.float64)
        for column, weight in weights.items():
            vector[column] = weight
        per_seed = self.seed_means @ vector
        if by_seed is not None:
            per_seed = per_seed + by_seed.to(per_seed)
        # Variances of the combinations themselves: as quadratic forms of a covariance small ones would cancel.
        variance = shared_variance + self.point_variance(weights) / len(self._point_sums)
        if self.seeds > 1:
            variance += float(per_seed.var(unbiased=True)) / self.seeds
        return Estimate(value=float(per_seed.mean()) + shift, standard_error=math.sqrt(variance), method=method)


def longer_training(moments: CellMoments | None, noise_variance: float) -> LongerTraining | None:
    """From moments that hold twice the steps in place of f~."""
    if moments is None:
        return None
    return LongerTraining(
        risk=moments.estimate({SAMPLE: 1.0}, "monte_carlo", noise_variance),
        saving=moments.estimate({TRAINED: 1.0, SAMPLE: -1.0}, "monte_carlo"),
    )


def cell_estimates(
    moments: CellMoments,
    empirical_risks: Float[Tensor, " s"],
    noise_variance: float,
    target_mean_square: float,
    exact_references: bool,
    shared_rows: float = math.inf,
) -> dict[str, Any]:
    """Every estimated field of a DecompositionCell.

    `shared_rows`: the points of a projection that all seeds share.

    `empirical_risks`: R_n(f^) of each seed, noise included; its error bar is over seeds (None for one seed).
    `exact_references`: f_m and f~ solve linear least squares; otherwise they are the best of restarts, the terms that
    hold them say so, and the approximation term is the upper end of a bracket whose lower end is 0.
    """
    reference: Method = "monte_carlo" if exact_references else "best_of_restarts"

    def measured(weights: dict[int, float], shift: float = 0.0) -> Estimate:
        return moments.estimate(weights, "monte_carlo", shift)

    def referred(weights: dict[int, float], shift: float = 0.0) -> Estimate:
        return moments.estimate(weights, reference, shift)

    terms = {
        "approximation": referred({AA: 1.0}),
        "estimation": referred({SAMPLE: 1.0, AA: -1.0}),
        "optimization": referred({TRAINED: 1.0, SAMPLE: -1.0}),
    }
    empirical_error = None
    if moments.seeds > 1:
        empirical_error = float(empirical_risks.double().std(unbiased=True)) / math.sqrt(moments.seeds)
    empirical = Estimate(
        value=float(empirical_risks.double().mean()), standard_error=empirical_error, method="monte_carlo"
    )
    excess = measured({TRAINED: 1.0})
    beyond = {"beyond_approximation": referred({TRAINED: 1.0, AA: -1.0}), "excess": excess}
    mean = moments.mean().tolist()
    return {
        "seeds": moments.seeds,
        "squared_norms": {
            "approximation": terms["approximation"],
            "estimation": moments.estimate(
                {BB: 1.0}, reference, shared_variance=moments.point_variance({AB: 2.0}) / shared_rows
            ),
            "optimization": referred({CC: 1.0}),
            "total": excess,
        },
        "gram": (
            (mean[AA], mean[AB], mean[AC]),
            (mean[AB], mean[BB], mean[BC]),
            (mean[AC], mean[BC], mean[CC]),
        ),
        "risks": {
            "noise": closed_form(noise_variance),
            "best_in_space": referred({AA: 1.0}, noise_variance),
            "best_on_sample": referred({SAMPLE: 1.0}, noise_variance),
            "trained": measured({TRAINED: 1.0}, noise_variance),
            "trained_empirical": empirical,
        },
        "risks_by_seed": {
            name: tuple((moments.seed_means[:, column] + noise_variance).tolist())
            for name, column in (("best_in_space", AA), ("best_on_sample", SAMPLE), ("trained", TRAINED))
        },
        "risk_terms": terms,
        "generalization_gap": moments.estimate({TRAINED: 1.0}, "monte_carlo", noise_variance, -empirical_risks),
        "advice": advise({**terms, **beyond}, noise_variance, target_mean_square),
    }
