"""The risk as a function of the sample size, extrapolated: what more rows would give, and what no rows will.

Risks r_j of one width at sizes n_j are measured on common test rows and averaged over seeds. Three forms are fitted,

    power:      c + a n^(-b),       1/10 <= b <= 2,
    inverse:    c + a / n,
    saturated:  c + a / (n - m),    linear least squares with m coefficients only, n_j > m,

each with a, c >= 0 by weighted least squares, weights 1/Var(r_j); b over a grid. `saturated` is the law of least
squares with Gaussian features (Hastie et al., 2022), where a = m c. The forms are averaged with weights
exp(-chi^2/2 - p), p the number of parameters (Akaike). Bootstrap draws take seeds and test rows with replacement, all
sizes together, because neighbouring sizes share both; each refits every form and picks one by its weight, so that the
spread of the draws holds the disagreement of the forms too. Where rows also train for each other (cross-validation) the
draws are spread further by one factor, so that they are not closer than the error bars that say so. Nothing proves that
the risk follows any of these forms: the method is "extrapolated".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.estimates import Estimate
from models.randomness import Randomness

FEWEST_SIZES = 3
"""Two parameters and a check need three sizes."""

DRAWS = 400
EXPONENTS = torch.linspace(0.1, 2.0, 39, dtype=torch.float64)
RELATIVE_FLOOR = 1e-6
"""Least standard error of a risk relative to it: without it a curve without spread would divide by zero."""
SMALLEST = 1e-100
"""Risks that are all 0, of labels that are, still have errors whose squares can be inverted."""


@dataclass(frozen=True)
class LearningCurve:
    """Fitted forms: row 0 of `floors`, `factors`, `exponents`, `shifts` is the data's, the others are bootstrap draws.

    Each row is the form c + a (n - shift)^(-b); row 0 is evaluated as the average of all forms with `weights`.
    """

    floors: Float[Tensor, "draws forms"]
    factors: Float[Tensor, "draws forms"]
    exponents: Float[Tensor, "draws forms"]
    shifts: Float[Tensor, " forms"]
    weights: Float[Tensor, "draws forms"]
    chosen: Tensor
    randomness: Randomness
    widening: float = 1.0

    def at(self, sample_size: float | int) -> Estimate:
        """The risk at n, infinity included. The error is the root mean square distance of the draws to the value."""
        return _extrapolated(self._values(sample_size))

    def step(self, sample_size: float | int, larger: float | int) -> Estimate:
        """The risk at n minus the risk at a larger n, draw by draw."""
        return _extrapolated(self._values(sample_size) - self._values(larger))

    def excess(self, losses: Float[Tensor, "seeds rows"]) -> Estimate:
        """The mean of losses on the same seeds and rows minus the limit, draw by draw with the same resamples."""
        means = bootstrapped_risks(losses.to(torch.float64)[:, None], self.randomness, len(self.chosen), self.widening)[
            :, 0
        ]
        return _extrapolated(means - self._values(math.inf))

    def _values(self, sample_size: float | int) -> Float[Tensor, " draws"]:
        decay = torch.zeros_like(self.exponents)
        if math.isfinite(sample_size):
            decay = (sample_size - self.shifts).clamp(min=1.0) ** (-self.exponents)
        values = self.floors + self.factors * decay
        data = (self.weights[0] * values[0]).sum()
        return torch.cat([data[None], values[1:].gather(1, self.chosen[:, None]).flatten()])


def fit_learning_curve(
    sample_sizes: Sequence[int],
    losses: Float[Tensor, "seeds sizes rows"],
    randomness: Randomness,
    coefficients: int | None = None,
    draws: int = DRAWS,
    widening: float = 1.0,
) -> LearningCurve | None:
    """The curve through the mean losses of each seed, size and test row; None with fewer than three sizes.

    `coefficients`: m of linear least squares, whose sizes up to m are left out (its risk peaks at n = m), None
    otherwise. `widening`: what the draws' distance from the data is multiplied by. Random streams: `bootstrap_seeds`,
    `bootstrap_rows`, `bootstrap_forms`.
    """
    sizes = torch.tensor(sample_sizes, dtype=torch.float64)
    if coefficients is not None:
        kept = sizes > coefficients + 1
        sizes, losses = sizes[kept], losses[:, kept]
    if len(sizes) < FEWEST_SIZES:
        return None
    risks = bootstrapped_risks(losses.to(torch.float64), randomness, draws, widening)
    spread = risks[1:].std(dim=0).clamp(min=RELATIVE_FLOOR * float(risks[0].abs().max().clamp(min=SMALLEST)))
    fits = [_power(sizes, risks, spread), _inverse(sizes, risks, spread, 0.0)]
    shifts = [0.0, 0.0]
    if coefficients is not None:
        fits.append(_inverse(sizes, risks, spread, float(coefficients)))
        shifts.append(float(coefficients))
    floors, factors, exponents, scores = (torch.stack(column, dim=1) for column in zip(*fits, strict=True))
    weights = torch.softmax(-scores, dim=1)
    chosen = torch.multinomial(weights[1:], 1, generator=randomness.generator("bootstrap_forms")).flatten()
    places = torch.tensor(shifts, dtype=torch.float64)
    return LearningCurve(floors, factors, exponents, places, weights, chosen, randomness, widening)


def _extrapolated(values: Float[Tensor, " draws"]) -> Estimate:
    error = float(((values[1:] - values[0]) ** 2).mean().sqrt())
    return Estimate(value=float(values[0]), standard_error=error, method="extrapolated")


def bootstrapped_risks(
    losses: Float[Tensor, "s j i"], randomness: Randomness, draws: int, widening: float = 1.0
) -> Float[Tensor, "draws j"]:
    """Mean risks by size: of the data in row 0, then of resampled seeds and rows."""
    seeds, _, rows = losses.shape
    by_seed = _counts(seeds, draws, randomness.generator("bootstrap_seeds"))
    by_row = _counts(rows, draws, randomness.generator("bootstrap_rows"))
    means = torch.einsum("sji,bi->bsj", losses, by_row)
    risks = (means * by_seed[:, :, None]).sum(dim=1)
    return risks if widening == 1 else risks[:1] + widening * (risks - risks[:1])


def _counts(size: int, draws: int, generator: torch.Generator) -> Float[Tensor, "draws size"]:
    """Shares of each element in samples with replacement; row 0 has every element once."""
    chosen = torch.randint(size, (draws, size), generator=generator)
    counts = torch.zeros(draws, size, dtype=torch.float64)
    counts.scatter_add_(1, chosen, torch.ones(draws, size, dtype=torch.float64))
    return torch.cat([torch.ones(1, size, dtype=torch.float64), counts]) / size


def _power(
    sizes: Float[Tensor, " j"], risks: Float[Tensor, "b j"], spread: Float[Tensor, " j"]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    fits = [(*affine_fit(sizes**-exponent, risks, spread), exponent) for exponent in EXPONENTS]
    floors, factors, scores = (torch.stack([fit[k] for fit in fits]) for k in range(3))
    best = scores.argmin(dim=0, keepdim=True)
    chosen = [values.gather(0, best)[0] for values in (floors, factors, scores)]
    return chosen[0], chosen[1], EXPONENTS[best[0]], chosen[2] / 2 + 3


def _inverse(
    sizes: Float[Tensor, " j"], risks: Float[Tensor, "b j"], spread: Float[Tensor, " j"], shift: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    floors, factors, scores = affine_fit(1 / (sizes - shift), risks, spread)
    return floors, factors, torch.ones_like(floors), scores / 2 + 2


def affine_fit(
    decay: Float[Tensor, " j"], risks: Float[Tensor, "b j"], spread: Float[Tensor, " j"]
) -> tuple[Tensor, Tensor, Tensor]:
    """min over c, a >= 0 of sum_j ((r_j - c - a u_j) / s_j)^2 for each row: c, a and the minimum.

    The best of the free minimum, where it is feasible, and of the two edges: the problem is convex.
    """
    weight = spread**-2
    total, mean = weight.sum(), (weight * decay).sum() / weight.sum()
    centred = decay - mean
    means = (risks @ weight) / total
    slope = (risks @ (weight * centred)) / (weight * centred**2).sum()
    free = (means - slope * mean, slope)
    flat = (means.clamp(min=0), torch.zeros_like(slope))
    through = (torch.zeros_like(slope), ((risks @ (weight * decay)) / (weight * decay**2).sum()).clamp(min=0))
    floors, factors = (torch.stack(pair) for pair in zip(free, flat, through, strict=True))
    residual = (risks[None] - floors[..., None] - factors[..., None] * decay) / spread
    scores = (residual**2).sum(dim=-1)
    scores[0] = torch.where((free[0] >= 0) & (free[1] >= 0), scores[0], torch.inf)
    best = scores.argmin(dim=0, keepdim=True)
    return floors.gather(0, best)[0], factors.gather(0, best)[0], scores.gather(0, best)[0]
