"""PAC-Bayes for a Gaussian around the coefficients of a linear model: exact empirical risk, divergence, inversions."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from models.assumptions import Assumption
from models.bounds._concentration import inverse_divergence
from models.bounds._frozen_features import features_of
from models.bounds.base import BoundSubject
from models.estimates import Estimate, mean_estimate
from models.learned_model import LearnedModel, OutputRange
from models.risks import EVALUATION_BLOCK
from models.samples import Sample

RANDOMIZED = Assumption(
    name="randomized_predictor",
    text="Every prediction draws its own coefficients a ~ N(a^, s^2 I) and clips phi(x).a; f^ itself is not certified.",
)

Form = Literal["kl", "quadratic", "lambda"]

POSTERIOR_STEPS = range(-16, 3)
"""s / t = 2^(k/2): any posterior may be chosen after the data, so the grid costs nothing."""
NODES = 100


def gibbs_losses(
    means: Float[Tensor, " n"],
    deviations: Float[Tensor, " n"],
    labels: Float[Tensor, " n"],
    lower: float,
    upper: float,
) -> Float[Tensor, " n"]:
    """E (clip Z - y)^2 for Z ~ N(mean, deviation^2), clip to [lower, upper]; exact.

    (lower - y)^2 P(Z < lower) + (upper - y)^2 P(Z > upper) + the integral of (z - y)^2 between, by parts ((mu - y)^2 +
    s^2) P(between) + s [(lower + mu - 2y) phi(a) - (upper + mu - 2y) phi(b)], a and b the standardised ends.
    """
    deviations = deviations.clamp(min=1e-300)
    low, high = (lower - means) / deviations, (upper - means) / deviations
    below, above = torch.special.ndtr(low), torch.special.ndtr(-high)
    density = [torch.exp(-(end**2) / 2) / math.sqrt(2 * math.pi) for end in (low, high)]
    between = ((means - labels) ** 2 + deviations**2) * (1 - below - above).clamp(min=0)
    between += deviations * ((lower + means - 2 * labels) * density[0] - (upper + means - 2 * labels) * density[1])
    return (lower - labels) ** 2 * below + (upper - labels) ** 2 * above + between.clamp(min=0)


def gaussian_divergence(distance_squared: float, dimension: int, posterior: float, prior: float) -> float:
    """KL( N(a, s^2 I) || N(b, t^2 I) ) = (m s^2/t^2 + |a - b|^2/t^2 - m + m ln(t^2/s^2)) / 2."""
    ratio = (posterior / prior) ** 2
    return 0.5 * (dimension * (ratio - 1 - math.log(ratio)) + distance_squared / prior**2)


def pac_bayes_limit(form: Form, empirical: float, divergence: float, size: int, delta: float) -> float:
    """Upper limit of the Gibbs risk of losses in [0,1], with probability 1 - delta for every posterior at once.

    kl: kl(R^ || R) <= (KL + ln(2 sqrt(n)/delta))/n, inverted. quadratic: (sqrt(R^ + k) + sqrt(k))^2, k = (KL + ln(2
    sqrt(n)/delta))/(2n). lambda: min over l in (0,2) of R^/(1 - l/2) + 2k/(l (1 - l/2)), whose minimum at l = 2/(sqrt(2
    R^/(2k) + 1) + 1) is allowed because the kl statement holds for all l at once. The last two follow from the first by
    kl(p || q) >= (q - p)^2/(2q).
    """
    budget = (divergence + math.log(2 * math.sqrt(size) / delta)) / size
    if form == "kl":
        return inverse_divergence(empirical, budget)
    half = budget / 2
    if form == "quadratic":
        return min(1.0, (math.sqrt(empirical + half) + math.sqrt(half)) ** 2)
    trade = 2 / (math.sqrt(2 * empirical / budget + 1) + 1)
    return min(1.0, empirical / (1 - trade / 2) + budget / (trade * (1 - trade / 2)))


@dataclass(frozen=True)
class LinearRows:
    """What a normal a ~ N(a^, s^2 I) makes of rows: phi.a ~ N(means, (s lengths)^2), with the labels and the range."""

    means: Float[Tensor, " n"]
    lengths: Float[Tensor, " n"]
    labels: Float[Tensor, " n"]
    lower: float
    upper: float

    @property
    def size(self) -> int:
        """N."""
        return len(self.labels)

    def first(self, size: int) -> "LinearRows":
        """The first rows."""
        return LinearRows(self.means[:size], self.lengths[:size], self.labels[:size], self.lower, self.upper)

    def empirical(self, deviation: float) -> float:
        """The mean Gibbs loss over M = (upper - lower)^2, exact."""
        losses = gibbs_losses(self.means, deviation * self.lengths, self.labels, self.lower, self.upper)
        return min(1.0, float(losses.mean()) / ((self.upper - self.lower) ** 2 or 1.0))


def linear_rows(
    model: LearnedModel, sample: Sample, coefficients: Float[Tensor, " m"], limits: OutputRange
) -> LinearRows:
    """phi(x_i).a^ and |phi(x_i)|, in blocks of rows, so that the features are never held all at once."""
    means, lengths = [], []
    for block in sample.inputs.split(EVALUATION_BLOCK):
        features = features_of(model, block).to(torch.float64)
        means.append(features @ coefficients)
        lengths.append(torch.linalg.vector_norm(features, dim=1))
    ends = float(limits.lower[0]), float(limits.upper[0])
    return LinearRows(torch.cat(means), torch.cat(lengths), sample.labels[:, 0].to(torch.float64), *ends)


@dataclass(frozen=True)
class Choice:
    """Deviations t of the prior and s of the posterior, and the divergence."""

    prior: float
    posterior: float
    divergence: float


def posteriors(distance_squared: float, dimension: int, scale: float, prior_step: int, size: int) -> list[Choice]:
    """The grid of s for t = scale 2^(step/2); kl(p || q) <= divergence / n above 1 excludes hardly any q."""
    found = []
    prior = scale * 2 ** (prior_step / 2)
    for step in POSTERIOR_STEPS:
        # From the sum of the steps, so that the grids of two priors share their numbers.
        posterior = scale * 2 ** ((prior_step + step) / 2)
        divergence = gaussian_divergence(distance_squared, dimension, posterior, prior)
        if divergence <= size:
            found.append(Choice(prior, posterior, divergence))
    return found


def measured_gibbs_risk(subject: BoundSubject, coefficients: Float[Tensor, " m"], deviation: float) -> Estimate | None:
    """Mean of E min(|clip(phi.a) - y|^2, M) over the held-out rows, the inner mean by quantiles; None without rows."""
    limits = subject.model.output_range
    if not subject.held_out.size or limits is None:
        return None
    rows = subject.kept(
        "held-out linear rows", lambda: linear_rows(subject.model, subject.held_out, coefficients, limits)
    )
    quantiles = torch.special.ndtri((torch.arange(NODES, dtype=torch.float64) + 0.5) / NODES)
    losses = torch.zeros_like(rows.labels)
    for quantile in quantiles.tolist():
        outputs = (rows.means + deviation * rows.lengths * quantile).clamp(rows.lower, rows.upper)
        losses += ((outputs - rows.labels) ** 2).clamp(max=subject.loss_cap) / NODES
    return mean_estimate(losses)
