"""PAC-Bayes for a Gaussian around the coefficients of a linear model: exact empirical risk, divergence, inversions."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features
from models.assumptions import Assumption
from models.bounds._concentration import inverse_divergence
from models.bounds._frozen_features import features_of
from models.bounds.base import BoundSubject
from models.estimates import Estimate, mean_estimate

RANDOMIZED = Assumption(
    name="randomized_predictor",
    text="Every prediction draws its own coefficients a ~ N(a^, s^2 I) and clips phi(x).a; f^ itself is not certified.",
)

Form = Literal["kl", "quadratic", "lambda"]

POSTERIOR_STEPS = range(-16, 3)
"""s / t = 2^(k/2): any posterior may be chosen after the data, so the grid costs nothing."""
NODES = 400


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
class GibbsBound:
    """The best of the grid: everything in units of the loss cap."""

    value: float
    empirical: float
    divergence: float
    posterior: float


def best_posterior(
    form: Form,
    features: Features,
    labels: Float[Tensor, " n"],
    coefficients: Float[Tensor, " m"],
    centre: Float[Tensor, " m"],
    prior: float,
    limits: tuple[float, float],
    delta: float,
) -> GibbsBound:
    """The least bound over the posterior deviations s = prior 2^(k/2) against the prior N(centre, prior^2 I)."""
    cap = (limits[1] - limits[0]) ** 2
    means, lengths = features @ coefficients, torch.linalg.vector_norm(features, dim=1)
    distance = float(((coefficients - centre) ** 2).sum())
    found = []
    for step in POSTERIOR_STEPS:
        deviation = prior * 2 ** (step / 2)
        divergence = gaussian_divergence(distance, len(coefficients), deviation, prior)
        # kl(p || q) <= divergence / n above 1 excludes hardly any q.
        if divergence > len(labels):
            continue
        losses = gibbs_losses(means, deviation * lengths, labels, *limits) / cap
        empirical = min(1.0, float(losses.mean()))
        closed = pac_bayes_limit("quadratic", empirical, divergence, len(labels), delta)
        found.append((closed, empirical, divergence, deviation))
    if not found:
        return GibbsBound(1.0, 1.0, math.inf, prior)
    # Chosen by the closed form; the one that was chosen is inverted.
    _, empirical, divergence, deviation = min(found)
    value = pac_bayes_limit(form, empirical, divergence, len(labels), delta)
    return GibbsBound(value, empirical, divergence, deviation)


def measured_gibbs_risk(subject: BoundSubject, coefficients: Float[Tensor, " m"], deviation: float) -> Estimate | None:
    """Mean of E min(|clip(phi.a) - y|^2, M) over the held-out rows, the inner mean by quantiles; None without rows."""
    if not subject.held_out.size or subject.model.output_range is None:
        return None
    limits = subject.model.output_range
    features = features_of(subject.model, subject.held_out.inputs)
    means, lengths = features @ coefficients, torch.linalg.vector_norm(features, dim=1)
    quantiles = torch.special.ndtri((torch.arange(NODES, dtype=torch.float64) + 0.5) / NODES)
    labels = subject.held_out.labels[:, 0]
    losses = torch.zeros_like(labels)
    for quantile in quantiles.tolist():
        outputs = (means + deviation * lengths * quantile).clamp(float(limits.lower[0]), float(limits.upper[0]))
        losses += ((outputs - labels) ** 2).clamp(max=subject.loss_cap) / NODES
    return mean_estimate(losses)
