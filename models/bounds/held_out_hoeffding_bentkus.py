"""Held-out certificate by the smaller of two tail bounds: Chernoff-Hoeffding's and Bentkus's."""

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from models.bounds._concentration import binomial_limit, inverse_divergence, unit_losses
from models.bounds._held_out import IID, INDEPENDENT, WITHIN_RANGE, held_out_certificate
from models.bounds.base import Bound, BoundReport, BoundSubject


class HeldOutHoeffdingBentkus(Bound):
    """Upper confidence bound on E min(|f(x) - y|^2, M) from two bounds of one and the same tail probability.

    The smaller of the two bounds the tail as well, so that no delta is split between them.
    """

    kind: Literal["held_out_hoeffding_bentkus"]

    statement = (
        "With probability at least 1 - delta over the held-out rows: R(f) <= M sup{ mu : min(exp(-n' kl(min(p, mu) || "
        "mu)), e P(Bin(n', mu) <= ceil(n' p))) >= delta }, p = R_n'(f)/M"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &R(f) \le M \sup \left\{\mu \;:\; "
        r"\min\left(e^{-n' \operatorname{kl}(\min(p, \mu)\, \|\, \mu)},\; e\, \mathbb{P}(\operatorname{Bin}(n', \mu) "
        r"\le \lceil n' p \rceil)\right) \ge \delta\right\}, \\ &p = \frac{R_{n'}(f)}{M} \end{split}"
    )
    assumptions = (IID, INDEPENDENT, WITHIN_RANGE)
    reference = "bates2021distribution"
    examples = ({"kind": "held_out_hoeffding_bentkus"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the population risk."""
        return held_out_certificate(self, subject, delta, hoeffding_bentkus_upper_bound)


def hoeffding_bentkus_upper_bound(losses: Float[Tensor, " n"], delta: float) -> float:
    """The smaller of kl^{-1}(mean, ln(1/delta)/n) and the binomial limit of ceil(n mean) at level delta/e.

    Why it holds: for i.i.d. losses in [0,1] of mean mu, P(mean <= p) <= exp(-n kl(p || mu)) (Chernoff-Hoeffding) and
    P(mean <= p) <= e P(Bin(n, mu) <= ceil(n p)) (Bentkus). Both right sides fall in mu and bound the same distribution
    function, so mu is refuted where either is below delta.

    Raises:
        ValueError: there is no loss, a loss is outside [0,1], or delta is outside (0,1).
    """
    losses = unit_losses(losses, delta)
    size, mean = losses.numel(), float(losses.mean())
    count = min(size, math.ceil(float(losses.sum())))
    return min(inverse_divergence(mean, math.log(1 / delta) / size), binomial_limit(size, count, delta / math.e))
