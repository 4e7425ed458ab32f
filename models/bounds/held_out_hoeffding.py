"""Held-out certificate by Hoeffding's inequality: the textbook interval, which knows nothing of the variance."""

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from models.bounds._concentration import unit_losses
from models.bounds._held_out import IID, INDEPENDENT, WITHIN_RANGE, held_out_certificate
from models.bounds.base import Bound, BoundReport, BoundSubject


class HeldOutHoeffding(Bound):
    """Upper confidence bound on E min(|f(x) - y|^2, M) that treats every loss as if its variance were M^2/4.

    Here to show what the range alone gives: where losses are small the other certificates are many times tighter.
    """

    kind: Literal["held_out_hoeffding"]

    statement = (
        "With probability at least 1 - delta over the held-out rows: R(f) <= R_n'(f) + M sqrt(ln(1/delta)/(2n'))"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &R(f) \le R_{n'}(f) + M \sqrt{\frac{\ln(1 "
        r"/ \delta)}{2 n'}} \end{split}"
    )
    assumptions = (IID, INDEPENDENT, WITHIN_RANGE)
    reference = "hoeffding1963probability"
    examples = ({"kind": "held_out_hoeffding"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the population risk."""
        return held_out_certificate(self, subject, delta, hoeffding_upper_bound)


def hoeffding_upper_bound(losses: Float[Tensor, " n"], delta: float) -> float:
    """min(1, mean + sqrt(ln(1/delta)/(2n))).

    Why it holds: E exp(s(mu - x)) <= exp(s^2/8) for x in [0,1], so P(mu - mean >= t) <= exp(-2 n t^2).

    Raises:
        ValueError: there is no loss, a loss is outside [0,1], or delta is outside (0,1).
    """
    losses = unit_losses(losses, delta)
    return min(1.0, float(losses.mean()) + math.sqrt(math.log(1 / delta) / (2 * losses.numel())))
