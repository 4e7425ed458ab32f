"""Held-out certificate by Chernoff's inequality with the relative entropy: sharp where losses are near 0."""

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from models.bounds._concentration import inverse_divergence, unit_losses
from models.bounds._held_out import IID, INDEPENDENT, WITHIN_RANGE, held_out_certificate
from models.bounds.base import Bound, BoundReport, BoundSubject


class HeldOutKlChernoff(Bound):
    """Upper confidence bound on E min(|f(x) - y|^2, M) by inverting kl(mean || mu).

    Never above Hoeffding's, because kl(p || q) >= 2 (p - q)^2 (Pinsker). It holds for any losses in [0,1], not for 0
    and 1 only.
    """

    kind: Literal["held_out_kl_chernoff"]

    statement = (
        "With probability at least 1 - delta over the held-out rows: R(f) <= M sup{ mu : kl(R_n'(f)/M || mu) <= "
        "ln(1/delta)/n' }, kl(p || q) = p ln(p/q) + (1-p) ln((1-p)/(1-q))"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &R(f) \le M \sup \left\{\mu \;:\; "
        r"\operatorname{kl}\left(\frac{R_{n'}(f)}{M} \,\middle\|\, \mu\right) \le \frac{\ln(1 / "
        r"\delta)}{n'}\right\}, \\ &\operatorname{kl}(p\, \|\, q) = p \ln \frac{p}{q} + (1 - p) \ln \frac{1 - p}{1 - "
        r"q} \end{split}"
    )
    assumptions = (IID, INDEPENDENT, WITHIN_RANGE)
    reference = "hoeffding1963probability"
    examples = ({"kind": "held_out_kl_chernoff"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the population risk."""
        return held_out_certificate(self, subject, delta, kl_chernoff_upper_bound)


def kl_chernoff_upper_bound(losses: Float[Tensor, " n"], delta: float) -> float:
    """kl^{-1}(mean, ln(1/delta)/n).

    Why it holds: by convexity e^{sx} <= 1 - x + x e^s on [0,1], so the moment generating function is at most that of a
    Bernoulli variable of the same mean mu, and Chernoff's bound is P(mean <= p) <= exp(-n kl(p || mu)) for p <= mu.

    Raises:
        ValueError: there is no loss, a loss is outside [0,1], or delta is outside (0,1).
    """
    losses = unit_losses(losses, delta)
    return inverse_divergence(float(losses.mean()), math.log(1 / delta) / losses.numel())
