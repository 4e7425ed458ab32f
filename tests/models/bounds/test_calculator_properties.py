"""Every formula of the calculator in every number that it reads: which way it moves, and values found another way."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from models.bound_calculator import BY_NAME, FORMULAS, BoundInputs, evaluate_formulas

EVERYTHING = {
    "sample_size": 1000, "input_dimension": 4, "width": 50, "hidden_layers": 2, "features": 20, "complexity": 0.1,
    "path_norm": 2.5, "weighted_path_norm": 2.5, "frobenius_product": 2.5, "lipschitz_constant": 1.5, "rkhs_norm": 2.5,
    "kernel_sup": 2.0, "l1_norm": 2.5, "barron_norm": 2.0, "coefficient_sup": 3.0, "spectral_norm": 4.0,
    "gradient_at_zero_l1": 1.0, "value_at_zero": 0.5, "held_out_size": 500, "held_out_risk": 0.02,
    "held_out_variance": 0.001, "mistakes": 7, "empirical_gibbs_risk": 0.05, "divergence": 12.0,
}  # fmt: skip
MORE_IS_TIGHTER = {"sample_size", "held_out_size", "width", "delta"}
MORE_IS_LOOSER = set(EVERYTHING) - MORE_IS_TIGHTER | {"input_sup_bound", "optimization_epsilon"}
BOUNDED_BY_THE_CAP = {"held_out_risk", "empirical_gibbs_risk", "held_out_variance"}
ROUNDED_COUNT = {("held_out_hoeffding_bentkus", "held_out_size")}
"""The tail of a count depends on how n times the mean rounds: more rows may cost a little."""
WITHOUT_DELTA = {"barron_approximation", "barron_norm_from_spectrum"}


def value(name, **changes):
    wanted = {key: EVERYTHING[key] for key in BY_NAME[name].needs}
    (result,) = evaluate_formulas(BoundInputs(formulas=(name,), **{**wanted, **changes}))
    return result.value


@pytest.mark.parametrize("name", BY_NAME)
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_formula_moves_one_way_in_each_number(name, data):
    """Upper bounds fall with rows, width and delta, and grow with everything else; lower ones the other way about.

    Except that a larger complexity raises a lower bound of a deviation as well.
    """
    formula = BY_NAME[name]
    extra = ["delta", *(["optimization_epsilon"] if name == "a_priori_estimate" else [])]
    extra += [] if formula.unit_range or name.startswith(("held_out", "pac_bayes")) else ["input_sup_bound"]
    key = data.draw(st.sampled_from([*formula.needs, *extra]))
    if (name, key) in ROUNDED_COUNT:
        return
    start = {need: EVERYTHING[need] for need in formula.needs}
    if "sample_size" in start:
        start["sample_size"] = data.draw(st.integers(2, 10**6))
    delta = data.draw(st.floats(1e-6, 0.4))
    first = {**start, "delta": delta}
    before = {"delta": delta, "optimization_epsilon": 0.1, "input_sup_bound": 1.0, **start}[key]
    if key in BOUNDED_BY_THE_CAP:
        after = before * data.draw(st.floats(1.0, 20.0))
    elif key == "delta":
        after = before * data.draw(st.floats(1.0, 2.4))
    elif isinstance(before, int):
        after = before + data.draw(st.integers(0, 400))
    else:
        after = before * data.draw(st.floats(1.0, 100.0))
    low, high = value(name, **first, **({} if key in first else {key: before})), value(name, **{**first, key: after})
    falls = (key in MORE_IS_TIGHTER) != (formula.side == "lower")
    falls = falls and key != "complexity"
    slack = 1e-9 * max(1.0, abs(low))
    assert (high <= low + slack) if falls else (high >= low - slack), (key, before, after)


def test_directions_are_known_for_every_number_a_formula_reads():
    for formula in FORMULAS:
        assert set(formula.needs) <= MORE_IS_TIGHTER | MORE_IS_LOOSER
        assert set(formula.needs) <= set(EVERYTHING)


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - WITHOUT_DELTA))
def test_smaller_delta_costs_something(name):
    strict, lax = value(name, delta=1e-9), value(name, delta=0.1)
    assert strict < lax if BY_NAME[name].side == "lower" else strict > lax


@pytest.mark.parametrize("name", sorted(WITHOUT_DELTA))
def test_certain_formulas_do_not_know_delta(name):
    assert value(name, delta=1e-9) == value(name, delta=0.9)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        *((f.name, 2 * 0.1) for f in FORMULAS if f.name.startswith("uniform") and f.side == "upper"),
        *((f.name, 0.1 / 2) for f in FORMULAS if f.name.startswith("uniform") and f.side == "lower"),
        *((f.name, 0.0) for f in FORMULAS if f.bounds == "generalization_gap" and f.name != "lipschitz_ball"),
        *((f"pac_bayes_{form}", 0.05) for form in ("kl", "quadratic", "lambda")),
        ("held_out_hoeffding", 0.02), ("held_out_kl_chernoff", 0.02), ("held_out_hoeffding_bentkus", 0.02),
        ("held_out_empirical_bernstein", 0.02), ("held_out_clopper_pearson", 0.0),
        ("a_priori_estimate", 0.0), ("a_priori_estimate_published", 0.0), ("barron_approximation", 0.0),
        ("random_feature_approximation", 0.0),
    ],
)  # fmt: skip
def test_limit_of_many_rows_and_much_width(name, limit):
    many = {"sample_size": 10**9, "held_out_size": 10**7, "width": 10**9}
    given = {key: number for key, number in many.items() if key in BY_NAME[name].needs}
    assert value(name, **given) == pytest.approx(limit, abs=0.02)


def test_lipschitz_rate_is_chained_by_hand():
    """n = 1000, d = 4, L = 1.5 on [-1,1]^4: side 2, L s = 3, B = 1/2; cells min(n, 16^j)."""
    complexities, total = [0.5], 0.5 / math.sqrt(1000)
    for level in range(20):
        step = 3 * 2.0**-level / 2
        if level:
            total += min(step, 1.0) * math.sqrt(min(1.0, 16**level / 1000))
        complexities.append(total + step)
    expected = 4 * min(complexities) + math.sqrt(math.log(20) / 2000)
    assert value("lipschitz_ball") == pytest.approx(expected)


def divergence(p, q):
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def inverse(p, budget):
    return optimize.brentq(lambda q: divergence(p, q) - budget, p, 1 - 1e-12, xtol=1e-14)


def test_inversions_agree_with_root_finding():
    assert value("held_out_kl_chernoff") == pytest.approx(inverse(0.02, math.log(20) / 500))
    budget = (12 + math.log(2 * math.sqrt(1000) / 0.05)) / 1000
    assert value("pac_bayes_kl") == pytest.approx(inverse(0.05, budget))
    quadratic = (math.sqrt(0.05 + budget / 2) + math.sqrt(budget / 2)) ** 2
    assert value("pac_bayes_quadratic") == pytest.approx(quadratic)
    trade = optimize.minimize_scalar(
        lambda at: 0.05 / (1 - at / 2) + budget / (at * (1 - at / 2)), bounds=(1e-6, 2 - 1e-6), method="bounded"
    )
    assert value("pac_bayes_lambda") == pytest.approx(trade.fun)
    tail = optimize.brentq(lambda p: math.e * stats.binom.cdf(10, 500, p) - 0.05, 0.02, 0.5, xtol=1e-14)
    smaller = min(tail, inverse(0.02, math.log(20) / 500))
    assert value("held_out_hoeffding_bentkus") == pytest.approx(smaller)
