"""Empirical Rademacher complexities of balls of linear functions: coefficients bounded in l1 or in l2."""

import math
from dataclasses import dataclass

import torch

from models.arrays import Features
from models.complexities.rademacher_sums import RademacherSums


@dataclass(frozen=True)
class LinearBallComplexity:
    """Complexity of the unit ball; that of the ball of radius Q is Q times each number.

    `estimate`: the Monte Carlo mean, unbiased. `upper`: at least the complexity with probability 1 -
    failure_probability over the signs. `closed_form`: an upper limit that is certain.
    """

    estimate: float
    standard_error: float
    upper: float
    closed_form: float


def massart(largest: float, count: int, size: int) -> float:
    """(1/n) E max_{j <= m} |sum_i xi_i x_ij| <= C sqrt(2 ln(2m)/n) where |x_ij| <= C.

    Each sum is subgaussian with variance n C^2, and the maximum of 2m such variables (both signs) has mean at most
    sqrt(2 n C^2 ln(2m)) (Massart's finite class lemma).
    """
    return largest * math.sqrt(2 * math.log(2 * count) / size)


def l1_ball_complexity(drawn: RademacherSums, failure_probability: float) -> LinearBallComplexity:
    """R^_n{ x -> phi(x).a : ||a||_1 <= 1 } = (1/n) E ||sum_i xi_i phi(x_i)||_inf.

    `drawn` are the signed sums of phi. The supremum is attained at a vertex +-e_j. Closed form: max_j (sum_i
    phi_ij^2)^{1/2} sqrt(2 ln(2m))/n, Massart's lemma with the variances of the sample. Monte Carlo error: one sign
    moves the mean over `draws` of ||.||_inf by at most 2 ||phi(x_i)||_inf / draws, so McDiarmid adds sqrt(2 sum_i
    ||phi(x_i)||_inf^2 ln(1/failure_probability) / draws)/n. The smaller of the two upper limits is reported: the
    closed form never fails.
    """
    size, draws = drawn.size, drawn.draws
    maxima = drawn.sums.abs().amax(dim=1)
    estimate = float(maxima.mean()) / size
    slack = math.sqrt(2 * drawn.sup_squares * math.log(1 / failure_probability) / draws) / size
    closed = math.sqrt(2 * math.log(2 * drawn.sums.shape[1]) * drawn.largest_column) / size
    return LinearBallComplexity(
        estimate=estimate,
        standard_error=float(maxima.std(unbiased=True)) / math.sqrt(draws) / size,
        upper=min(estimate + slack, closed),
        closed_form=closed,
    )


def l2_ball_complexity(features: Features) -> float:
    """R^_n{ x -> phi(x).a : ||a||_2 <= 1 } <= (sum_i ||phi(x_i)||_2^2)^{1/2} / n, by Cauchy-Schwarz and Jensen.

    At most sqrt(2) above the complexity, which models.complexities.rkhs_ball computes by Monte Carlo.
    """
    return float(torch.linalg.vector_norm(features.to(torch.float64))) / features.shape[0]
