"""Empirical Rademacher complexity of a ball in a reproducing kernel Hilbert space of finitely many features."""

import math
from dataclasses import dataclass

import torch

from models.complexities.rademacher_sums import RademacherSums


@dataclass(frozen=True)
class RkhsBallComplexity:
    """Complexity of the unit ball; that of the ball of radius Q is Q times each number.

    `estimate`: the Monte Carlo mean, unbiased. `upper`: at least the complexity with probability 1 -
    failure_probability over the signs. `trace_bound`, `trace_lower_bound`: certain.
    """

    estimate: float
    standard_error: float
    upper: float
    trace_bound: float
    trace_lower_bound: float


def rkhs_ball_complexity(drawn: RademacherSums, failure_probability: float) -> RkhsBallComplexity:
    """R^_n{ x -> phi(x).a : ||a||_2 <= 1 } = (1/n) E ||sum_i xi_i phi(x_i)||_2 = (1/n) E sqrt(xi^T K xi).

    `drawn` are the signed sums of phi; K_il = phi(x_i).phi(x_l) is never formed. The supremum over the ball is
    Cauchy-Schwarz with equality.

    Trace bounds: X = sqrt(xi^T K xi) has E X^2 = tr K exactly, so E X <= sqrt(tr K) by Jensen, and E X >=
    sqrt(tr K / 2) by the Khintchine-Kahane inequality with the constant of Latala and Oleszkiewicz.

    Monte Carlo error: with mu = E X and T = tr K, the variables mu - X_j are independent, centred, at most mu, and of
    variance T - mu^2. Bernstein's inequality (which needs the upper end only) gives, l = ln(1/failure_probability),

        P( mu - mean X >= t ) <= exp( -draws t^2 / (2 (T - mu^2 + mu t / 3)) ),

    so that with probability 1 - failure_probability mu satisfies draws (mu - mean X)^2 < 2 l (T - mu^2 + mu (mu -
    mean X)/3) or mu <= mean X. This is a quadratic inequality in mu; `upper` is its larger root, or sqrt(T) if that
    is smaller. The known second moment makes it sharper than bounded differences over the signs, which give mean X +
    sqrt(2 T l / draws): X hardly varies unless K is near rank one.
    """
    norms = torch.linalg.vector_norm(drawn.sums, dim=1)
    size, draws, mean = drawn.size, drawn.draws, float(norms.mean())
    root = math.sqrt(drawn.trace)
    upper = _mean_upper_limit(mean, drawn.trace, draws, math.log(1 / failure_probability))
    return RkhsBallComplexity(
        estimate=mean / size,
        standard_error=float(norms.std(unbiased=True)) / math.sqrt(draws) / size,
        upper=upper / size,
        trace_bound=root / size,
        trace_lower_bound=root / math.sqrt(2) / size,
    )


def _mean_upper_limit(mean: float, second_moment: float, draws: int, log_inverse: float) -> float:
    """The largest mu that Bernstein's inequality does not exclude; at most sqrt(second_moment)."""
    root = math.sqrt(second_moment)
    if mean >= root:
        return root
    quadratic = draws + 4 * log_inverse / 3
    linear = 2 * mean * (draws - log_inverse / 3)
    constant = draws * mean**2 - 2 * log_inverse * second_moment
    # At mu = mean the polynomial is 2 l (mean^2 - T) < 0, so the roots are real and the larger one exceeds the mean.
    limit = (linear + math.sqrt(linear**2 - 4 * quadratic * constant)) / (2 * quadratic)
    # Where K is of rank one the mean is the root up to round-off, and so is the cancelling discriminant.
    return min(max(limit, mean), root)
