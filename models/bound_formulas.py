"""The bounds as formulas of numbers: what the calculator evaluates without a model or a sample."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from models.bounds._concentration import binomial_limit, inverse_divergence
from models.bounds._gibbs import pac_bayes_limit
from models.bounds._uniform_gap import Form, deviation
from models.bounds.a_posteriori_estimate import ZETA, half_loss_terms
from models.complexities.classical_balls import lipschitz_rate
from models.complexities.linear_balls import massart
from models.complexities.relu_networks import (
    group_norm_factor,
    size_independent_frobenius_factor,
    size_independent_l1_factor,
)

Terms = dict[str, float]
PUBLISHED_FACTOR, EXPLICIT_FACTOR = 4.0, 6.0
"""Of `least_penalty`, in the estimate as published and as derived here."""

Numbers = Mapping[str, float]
"""The inputs that were given, by name."""


@dataclass(frozen=True)
class Formula:
    """One bound: its terms add up to the value.

    `needs`: the inputs without a default that it reads. `trivial`: what holds without it, a number or the name of an
    input. `unit_range`: the statement is for labels in [0,1] and ||x||_inf <= 1, that is M = 1 and C = 1.
    `penalty_factor`: that of `least_penalty`, where the statement has a penalty.
    """

    name: str
    bounds: str
    needs: tuple[str, ...]
    statement: str
    reference: str
    terms: Callable[[Numbers], Terms]
    trivial: float | str
    side: Literal["upper", "lower"] = "upper"
    unit_range: bool = False
    penalty_factor: float | None = None


def least_penalty(factor: float, input_dimension: int, sample_size: int) -> float:
    """l_n = factor sqrt(2 ln(2D)/n), the least penalty for which an a priori estimate holds."""
    return factor * math.sqrt(2 * math.log(2 * (input_dimension + 1)) / sample_size)


def _reach(numbers: Numbers) -> float:
    """max(1, C): the largest |x~_ij|, the constant coordinate included."""
    return max(1.0, numbers["input_sup_bound"])


def uniform(form: Form, sides: Literal["one", "two"]) -> Callable[[Numbers], Terms]:
    """2 R + deviation, R the complexity of the class of losses."""

    def terms(numbers: Numbers) -> Terms:
        fluctuation = numbers["loss_cap"] * deviation(form, sides, 0.0, numbers["delta"], int(numbers["sample_size"]))
        return {"complexity": 2 * numbers["complexity"], "deviation": fluctuation}

    return terms


def uniform_lower(fluctuation: float) -> Callable[[Numbers], Terms]:
    """R/2 - M/(4 sqrt(n)) - `fluctuation` M sqrt(ln(1/delta)/(2n))."""

    def terms(numbers: Numbers) -> Terms:
        spread = math.sqrt(math.log(1 / numbers["delta"]) / (2 * int(numbers["sample_size"])))
        return {
            "complexity": numbers["complexity"] / 2,
            "centring": -numbers["loss_cap"] / (4 * math.sqrt(int(numbers["sample_size"]))),
            "deviation": -fluctuation * numbers["loss_cap"] * spread,
        }

    return terms


def ball(norm: str, complexity: Callable[[Numbers], float]) -> Callable[[Numbers], Terms]:
    """4 sqrt(M) Q R^ + M sqrt(ln(pi^2 q^2/(6 delta))/(2n)), q = max(1, ceil(norm/sqrt(M))), Q = q sqrt(M).

    The expected form with structural risk over whole radii: the complexity is that of every sample.
    """

    def terms(numbers: Numbers) -> Terms:
        scale = math.sqrt(numbers["loss_cap"])
        radius = max(1.0, math.ceil(numbers[norm] / scale))
        log_choices = math.log(ZETA) + 2 * math.log(radius)
        fluctuation = deviation("expected", "one", log_choices, numbers["delta"], int(numbers["sample_size"]))
        return {
            "complexity": 4 * scale * radius * scale * complexity(numbers),
            "deviation": numbers["loss_cap"] * fluctuation,
        }

    return terms


def path_norm_unit(numbers: Numbers) -> float:
    """1.5 C sqrt(2 ln(2D)/n)."""
    return 1.5 * massart(_reach(numbers), int(numbers["input_dimension"]) + 1, int(numbers["sample_size"]))


def group_norm_unit(numbers: Numbers) -> float:
    """1.5 2^{L-1} C sqrt(2 ln(2D)/n)."""
    largest = massart(_reach(numbers), int(numbers["input_dimension"]) + 1, int(numbers["sample_size"]))
    return group_norm_factor(int(numbers["hidden_layers"])) * largest


def deep_l1_unit(numbers: Numbers) -> float:
    """C sqrt(2 (L ln 2 + ln(2D))/n)."""
    n, columns = int(numbers["sample_size"]), int(numbers["input_dimension"]) + 1
    return size_independent_l1_factor(int(numbers["hidden_layers"]), columns, math.sqrt(n) * _reach(numbers), n)


def frobenius_unit(numbers: Numbers) -> float:
    """(sqrt(2 L ln 2) + 1) sqrt((d C^2 + 1)/n)."""
    n = int(numbers["sample_size"])
    length = math.sqrt(n * (int(numbers["input_dimension"]) * numbers["input_sup_bound"] ** 2 + 1))
    return size_independent_frobenius_factor(int(numbers["hidden_layers"]), length) / n


def residual_unit(numbers: Numbers) -> float:
    """3 C sqrt(2 ln(2D)/n)."""
    return 3 * massart(_reach(numbers), int(numbers["input_dimension"]) + 1, int(numbers["sample_size"]))


def lipschitz_terms(numbers: Numbers) -> Terms:
    """4 sqrt(M) times the chained complexity of the cube of side 2C, for this constant alone."""
    scale = math.sqrt(numbers["loss_cap"])
    constant = 2 * numbers["input_sup_bound"] * numbers["lipschitz_constant"]
    complexity = lipschitz_rate(int(numbers["sample_size"]), int(numbers["input_dimension"]), constant, scale / 2)
    fluctuation = deviation("expected", "one", 0.0, numbers["delta"], int(numbers["sample_size"]))
    return {"complexity": 4 * scale * complexity, "deviation": numbers["loss_cap"] * fluctuation}


def a_posteriori_published(numbers: Numbers) -> Terms:
    """For half the squared loss."""
    columns = int(numbers["input_dimension"]) + 1
    complexity, fluctuation = half_loss_terms(
        numbers["path_norm"], columns, int(numbers["sample_size"]), numbers["delta"]
    )
    return {"complexity": complexity, "deviation": fluctuation}


def a_priori_published(numbers: Numbers) -> Terms:
    """3 g^2/m + 4 l g + two deviations, for half the squared loss; l >= l_n = 4 sqrt(2 ln(2D)/n), or l_n.

    A norm g below 1/2 counts as 1/2: the comparison network's radius 2 g is then the first one, and 4 l g covers what
    rounding its own radius up costs the minimiser. In full, with the constant 1.5 of the path-norm ball and Hoeffding
    for the comparison: L <= 1.5 g^2/m + 2 l g + 3 l_n/4 + two deviations, each below the ones here.
    """
    n, gamma, constant = int(numbers["sample_size"]), max(numbers["barron_norm"], 0.5), math.pi**2 / 6
    penalty = numbers.get("penalty", least_penalty(PUBLISHED_FACTOR, int(numbers["input_dimension"]), n))
    first = math.sqrt(2 * math.log(8 * constant * gamma**2 / numbers["delta"]) / n)
    reach = 3 * gamma**2 / (int(numbers["width"]) * penalty) + 4 * gamma + first / (2 * penalty)
    second = math.sqrt(2 * math.log(2 * constant * reach**2 / numbers["delta"]) / n)
    return {
        "approximation": 3 * gamma**2 / int(numbers["width"]),
        "estimation": 4 * penalty * gamma,
        "deviation_of_comparison": first / 2,
        "deviation_of_minimiser": second / 2,
    }


def a_priori_explicit(numbers: Numbers) -> Terms:
    """3 g^2/m + 2 l g + l_n + sqrt(ln(2/delta)/(2n)) + Delta(1/l + 2g + e/l) + e for the squared loss.

    l_n = 6 sqrt(2 ln(2D)/n), Delta(t) = sqrt(ln(pi^2 (t+1)^2/(3 delta))/(2n)); l >= l_n, or l_n.
    """
    n, gamma, epsilon = int(numbers["sample_size"]), numbers["barron_norm"], numbers["optimization_epsilon"]
    least = least_penalty(EXPLICIT_FACTOR, int(numbers["input_dimension"]), n)
    penalty = numbers.get("penalty", least)
    reach = 1 / penalty + 2 * gamma + epsilon / penalty
    log_term = math.log(math.pi**2 * (reach + 1) ** 2 / (3 * numbers["delta"]))
    return {
        "approximation": 3 * gamma**2 / int(numbers["width"]),
        "penalty_of_barron_norm": 2 * penalty * gamma,
        "radius_rounding": least,
        "deviation_of_comparison": math.sqrt(math.log(2 / numbers["delta"]) / (2 * n)),
        "deviation_of_minimiser": math.sqrt(log_term / (2 * n)),
        "optimization_epsilon": epsilon,
    }


def random_feature_terms(numbers: Numbers) -> Terms:
    """(C/sqrt(m))^2 (1 + sqrt(2 ln(1/delta)))^2, C = sup |a(w)| with |phi| <= 1."""
    factor = 1 + math.sqrt(2 * math.log(1 / numbers["delta"]))
    return {"approximation": numbers["coefficient_sup"] ** 2 / int(numbers["width"]) * factor**2}


def held_out(limit: Callable[[Numbers, float], float]) -> Callable[[Numbers], Terms]:
    """The held-out mean, in label units squared, and what confidence adds. `limit` is in units of M."""

    def terms(numbers: Numbers) -> Terms:
        mean = min(1.0, numbers["held_out_risk"] / numbers["loss_cap"])
        margin = min(1.0, limit(numbers, mean)) - mean
        return {"held_out_capped_risk": numbers["loss_cap"] * mean, "confidence_margin": numbers["loss_cap"] * margin}

    return terms


def hoeffding(numbers: Numbers, mean: float) -> float:
    """mean + sqrt(ln(1/delta)/(2n))."""
    return mean + math.sqrt(math.log(1 / numbers["delta"]) / (2 * int(numbers["held_out_size"])))


def kl_chernoff(numbers: Numbers, mean: float) -> float:
    """kl^{-1}(mean, ln(1/delta)/n)."""
    return inverse_divergence(mean, math.log(1 / numbers["delta"]) / int(numbers["held_out_size"]))


def hoeffding_bentkus(numbers: Numbers, mean: float) -> float:
    """The smaller of two limits of one tail."""
    size = int(numbers["held_out_size"])
    count = min(size, math.ceil(size * mean))
    return min(kl_chernoff(numbers, mean), binomial_limit(size, count, numbers["delta"] / math.e))


def empirical_bernstein(numbers: Numbers, mean: float) -> float:
    """mean + sqrt(2 V ln(2/delta)/n) + 7 ln(2/delta)/(3(n-1))."""
    size, log_term = int(numbers["held_out_size"]), math.log(2 / numbers["delta"])
    if size < 2:
        return 1.0
    variance = numbers["held_out_variance"] / numbers["loss_cap"] ** 2
    return mean + math.sqrt(2 * variance * log_term / size) + 7 * log_term / (3 * (size - 1))


def clopper_pearson_terms(numbers: Numbers) -> Terms:
    """The exact binomial limit."""
    rate = min(1.0, int(numbers["mistakes"]) / int(numbers["held_out_size"]))
    value = binomial_limit(int(numbers["held_out_size"]), int(numbers["mistakes"]), numbers["delta"])
    return {"held_out_error_rate": rate, "confidence_margin": value - rate}


def gibbs(form: Literal["kl", "quadratic", "lambda"]) -> Callable[[Numbers], Terms]:
    """The empirical Gibbs risk and what the divergence adds."""

    def terms(numbers: Numbers) -> Terms:
        empirical = min(1.0, numbers["empirical_gibbs_risk"] / numbers["loss_cap"])
        value = pac_bayes_limit(form, empirical, numbers["divergence"], int(numbers["sample_size"]), numbers["delta"])
        return {
            "empirical_gibbs_risk": numbers["loss_cap"] * empirical,
            "confidence_margin": numbers["loss_cap"] * (value - empirical),
        }

    return terms
