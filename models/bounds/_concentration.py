"""Upper confidence limits of the mean of i.i.d. numbers in [0,1], as functions of what was seen.

Every limit is the end of a bisection that is refuted, so rounding errs on the side of a larger limit.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

BISECTION_STEPS = 60


def unit_losses(losses: Float[Tensor, " n"], delta: float) -> Float[Tensor, " n"]:
    """The losses in float64.

    Raises:
        ValueError: there is no loss, a loss is outside [0,1], or delta is outside (0,1).
    """
    if losses.numel() == 0 or not 0 < delta < 1:
        raise ValueError("at least one loss and delta in (0,1) are needed")
    losses = losses.to(torch.float64)
    if not bool(((losses >= 0) & (losses <= 1)).all()):
        raise ValueError("losses must lie in [0,1]")
    return losses


def smallest_refuted(refuted: Callable[[float], bool], accepted: float = 0.0) -> float:
    """The infimum of a set of means (m, 1] that are refuted, `accepted` <= m < 1, within 2^-60; 1 where none is."""
    if not refuted(1.0):
        return 1.0
    low, high = accepted, 1.0
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        if refuted(middle):
            high = middle
        else:
            low = middle
    return high


def bernoulli_divergence(mean: float, other: float) -> float:
    """kl(p || q) = p ln(p/q) + (1-p) ln((1-p)/(1-q)) in nats; infinite where q excludes what p allows."""
    if (other <= 0 < mean) or (other >= 1 > mean):
        return math.inf
    first = mean * math.log(mean / other) if mean > 0 else 0.0
    second = (1 - mean) * (math.log1p(-mean) - math.log1p(-other)) if mean < 1 else 0.0
    # Rounding may leave a small negative number where p is near q.
    return max(first + second, 0.0)


def inverse_divergence(mean: float, budget: float) -> float:
    """kl^{-1}(p, c) = sup{ q >= p : kl(p || q) <= c }, c >= 0."""
    return smallest_refuted(lambda other: other > mean and bernoulli_divergence(mean, other) > budget, min(mean, 1.0))


def binomial_tail(trials: int, mean: float, successes: int) -> float:
    """P(Bin(n, p) <= k), summed in logarithms over the counts within 40 deviations + 100 below k.

    By Bernstein's inequality the counts below carry less than e^-150 where k <= np, the side on which limits are found;
    on the other side the sum is above every level in use.
    """
    if successes >= trials or mean <= 0:
        return 1.0
    if mean >= 1 or successes < 0:
        return 0.0
    reach = math.ceil(40 * math.sqrt(trials * mean * (1 - mean))) + 100
    counts = torch.arange(max(0, successes - reach), successes + 1, dtype=torch.float64)
    total = torch.tensor(float(trials), dtype=torch.float64)
    logs = (
        torch.lgamma(total + 1)
        - torch.lgamma(counts + 1)
        - torch.lgamma(total - counts + 1)
        + counts * math.log(mean)
        + (total - counts) * math.log1p(-mean)
    )
    return min(1.0, math.exp(float(torch.logsumexp(logs, dim=0))))


def binomial_limit(trials: int, successes: int, delta: float) -> float:
    """sup{ p : P(Bin(n, p) <= k) >= delta }: the tail falls in p, so a larger p is refuted at level delta."""
    return smallest_refuted(lambda mean: binomial_tail(trials, mean, successes) < delta, successes / trials)
