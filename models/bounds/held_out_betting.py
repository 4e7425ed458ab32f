"""Held-out certificate: a betting confidence bound on the population risk, nearly exact and capacity-free."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from models.assumptions import Assumption, standing
from models.bounds._concentration import smallest_refuted, unit_losses
from models.bounds._held_out import IID, INDEPENDENT, WITHIN_RANGE, held_out_certificate
from models.bounds._held_out import rows_outside_range as rows_outside_range
from models.bounds.base import Bound, BoundReport, BoundSubject

FIXED_ORDER = Assumption(
    name="fixed_order", text="The order of the rows was fixed without looking at the losses; the bound depends on it."
)


class HeldOutBetting(Bound):
    """Upper confidence bound on E min(|f(x) - y|^2, M) from held-out losses, by betting against a mean mu.

    Valid at any n >= 1. It speaks of the one model that was trained, and of no other. Where labels leave the output
    range, the risk without the cap can be larger than the bound; the count of such held-out rows is reported.
    """

    kind: Literal["held_out_betting"]

    statement = (
        "With probability at least 1 - delta over the held-out rows: R(f) <= M inf{ mu in [0,1] : "
        "max_t sum_{i<=t} ln(1 - nu_i (l_i - mu)) > ln(1/delta) }, l_i = min(|f(x_i) - y_i|^2, M)/M, "
        "nu_i = min(1, sqrt(2 ln(1/delta) / (n s_{i-1}^2))), s_i^2 = (1/4 + sum_{j<=i} (l_j - m_j)^2)/(i+1), "
        "m_i = (1/2 + sum_{j<=i} l_j)/(i+1); R(f) <= M where no mu is rejected"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &R(f) \le M \inf \left\{\mu \in [0, 1] "
        r"\;:\; \max\limits_{t \le n'} \sum_{i=1}^t \ln\left(1 - \nu_i (\ell_i - \mu)\right) > \ln "
        r"\frac{1}{\delta}\right\}, \quad \inf \emptyset = 1, \\ &\ell_i = \frac{\min(|f(x_i) - y_i|^2,\, M)}{M}, "
        r"\quad \nu_i = \min\left(1,\, \sqrt{\frac{2 \ln(1 / \delta)}{n' s_{i-1}^2}}\right), \\ &s_i^2 = "
        r"\frac{\tfrac{1}{4} + \sum_{j \le i} (\ell_j - m_j)^2}{i + 1}, \quad m_i = \frac{\tfrac{1}{2} + \sum_{j \le "
        r"i} \ell_j}{i + 1} \end{split}"
    )
    assumptions = (IID, INDEPENDENT, FIXED_ORDER, WITHIN_RANGE)
    reference = "waudbysmith2024betting"
    examples = ({"kind": "held_out_betting"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the population risk; rows in the order of a random permutation (stream `held_out_order`)."""
        order = standing(FIXED_ORDER, "checked", "A permutation drawn from the seed.")
        return held_out_certificate(self, subject, delta, betting_upper_bound, (order,))


def betting_upper_bound(losses: Float[Tensor, " n"], delta: float) -> float:
    """Upper confidence bound, in [0,1], on the common mean of i.i.d. losses in [0,1], in the order given.

    Why it holds: nu_i in [0,1] depends on l_1 .. l_{i-1} only. At the true mean mu the wealth prod_{i<=t} (1 - nu_i
    (l_i - mu)) is a nonnegative martingale of mean 1 (each factor is at least mu >= 0), so by Ville's inequality it
    ever exceeds 1/delta with probability at most delta. Each factor is nondecreasing in mu and so is the maximal
    wealth: the rejected mu are an interval up to 1, whose lower end is found by bisection; the end that is rejected
    is returned (within 2^-60 above the infimum), or 1 where mu = 1 is not rejected.

    Raises:
        ValueError: there is no loss, a loss is outside [0,1], or delta is outside (0,1).
    """
    losses = unit_losses(losses, delta)
    threshold = math.log(1 / delta)
    bets = _bets(losses, threshold)

    def rejected(mean: float) -> bool:
        return float(torch.log1p(-bets * (losses - mean)).cumsum(0).amax()) > threshold

    return smallest_refuted(rejected)


def _bets(losses: Float[Tensor, " n"], threshold: float) -> Float[Tensor, " n"]:
    """nu_i, each from the losses before the i-th: regularised running mean and variance, started at 1/2 and 1/4."""
    counts = torch.arange(1, losses.numel() + 1, dtype=torch.float64)
    means = (0.5 + losses.cumsum(0)) / (1 + counts)
    variances = (0.25 + ((losses - means) ** 2).cumsum(0)) / (1 + counts)
    before = torch.cat([variances.new_tensor([0.25]), variances[:-1]])
    return torch.sqrt(2 * threshold / (losses.numel() * before)).clamp(max=1.0)
