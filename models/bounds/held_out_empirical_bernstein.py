"""Held-out certificate by the empirical Bernstein inequality: the sample variance takes the place of the range."""

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from models.bounds._concentration import unit_losses
from models.bounds._held_out import IID, INDEPENDENT, WITHIN_RANGE, held_out_certificate
from models.bounds.base import Bound, BoundReport, BoundSubject


class HeldOutEmpiricalBernstein(Bound):
    """Upper confidence bound on E min(|f(x) - y|^2, M) whose leading term is the standard deviation of the losses.

    Good for many rows and small variance; its second term, 7 ln(2/delta)/(3(n-1)), is what a few rows pay.
    """

    kind: Literal["held_out_empirical_bernstein"]

    statement = (
        "With probability at least 1 - delta over the held-out rows: R(f) <= R_n'(f) + sqrt(2 V ln(2/delta)/n') + "
        "7 M ln(2/delta)/(3(n'-1)), V the unbiased sample variance of min(|f(x_i) - y_i|^2, M); needs n' >= 2"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &R(f) \le R_{n'}(f) + \sqrt{\frac{2 V "
        r"\ln(2 / \delta)}{n'}} + \frac{7 M \ln(2 / \delta)}{3 (n' - 1)}, \\ &V = \frac{1}{n' - 1} \sum_{i=1}^{n'} "
        r"\left(\ell_i - R_{n'}(f)\right)^2, \quad \ell_i = \min(|f(x_i) - y_i|^2,\, M) \end{split}"
    )
    assumptions = (IID, INDEPENDENT, WITHIN_RANGE)
    reference = "maurer2009empirical"
    examples = ({"kind": "held_out_empirical_bernstein"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the population risk."""
        return held_out_certificate(self, subject, delta, empirical_bernstein_upper_bound)


def empirical_bernstein_upper_bound(losses: Float[Tensor, " n"], delta: float) -> float:
    """min(1, mean + sqrt(2 V ln(2/delta)/n) + 7 ln(2/delta)/(3(n-1))); 1 for a single loss, which has no variance.

    Why it holds (l = ln(2/delta)): Bernstein gives mu - mean <= sqrt(2 v l/n) + l/(3n) with probability 1 - delta/2,
    and sqrt(v) <= sqrt(V) + sqrt(2 l/(n-1)) with probability 1 - delta/2, by the self-bounding of the sample variance;
    sqrt(2 l/n) sqrt(2 l/(n-1)) + l/(3n) <= 7 l/(3(n-1)).

    Raises:
        ValueError: there is no loss, a loss is outside [0,1], or delta is outside (0,1).
    """
    losses = unit_losses(losses, delta)
    size, log_term = losses.numel(), math.log(2 / delta)
    if size < 2:
        return 1.0
    variance = float(losses.var(unbiased=True))
    margin = math.sqrt(2 * variance * log_term / size) + 7 * log_term / (3 * (size - 1))
    return min(1.0, float(losses.mean()) + margin)
