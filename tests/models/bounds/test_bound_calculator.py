"""The calculator: hand values of every formula, monotonicity, limits, refusals."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from models.bound_calculator import FORMULAS, BoundInputs, evaluate_formulas
from models.catalogue import reference

EVERYTHING = {
    "sample_size": 1000,
    "input_dimension": 4,
    "width": 50,
    "hidden_layers": 2,
    "features": 20,
    "complexity": 0.1,
    "path_norm": 2.5,
    "weighted_path_norm": 2.5,
    "frobenius_product": 2.5,
    "lipschitz_constant": 1.5,
    "rkhs_norm": 2.5,
    "kernel_sup": 2.0,
    "l1_norm": 2.5,
    "barron_norm": 2.0,
    "coefficient_sup": 3.0,
    "spectral_norm": 4.0,
    "gradient_at_zero_l1": 1.0,
    "value_at_zero": 0.5,
    "held_out_size": 500,
    "held_out_risk": 0.02,
    "held_out_variance": 0.001,
    "mistakes": 7,
    "empirical_gibbs_risk": 0.05,
    "divergence": 12.0,
}
N, LOG, D = 1000, math.log(20), 5
MASSART = math.sqrt(2 * math.log(2 * D) / N)
# Radius q = 3: ln(pi^2 9 / (6 delta)).
PEELED = math.sqrt(math.log(math.pi**2 * 9 / (6 * 0.05)) / (2 * N))
HAND = {
    "uniform_sharp": 0.2 + math.sqrt(2 * LOG / N),
    "uniform_sharp_two_sided": 0.2 + math.sqrt(2 * math.log(40) / N),
    "uniform_textbook": 0.2 + 3 * math.sqrt(math.log(40) / (2 * N)),
    "uniform_textbook_two_sided": 0.2 + 3 * math.sqrt(math.log(60) / (2 * N)),
    "uniform_expected": 0.2 + math.sqrt(LOG / (2 * N)),
    "uniform_expected_two_sided": 0.2 + math.sqrt(math.log(40) / (2 * N)),
    "uniform_lower_expected": 0.05 - 1 / (4 * math.sqrt(N)) - math.sqrt(LOG / (2 * N)),
    "uniform_lower_empirical": 0.05 - 1 / (4 * math.sqrt(N)) - 1.25 * math.sqrt(LOG / (2 * N)),
    "path_norm_ball": 4 * 3 * 1.5 * MASSART + PEELED,
    "rkhs_ball": 4 * 3 * math.sqrt(2.0 / N) + PEELED,
    "l1_ball": 4 * 3 * math.sqrt(2 * math.log(40) / N) + PEELED,
    "group_norm_ball": 4 * 3 * 3 * MASSART + PEELED,
    "size_independent_l1_ball": 4 * 3 * math.sqrt(2 * (2 * math.log(2) + math.log(2 * D)) / N) + PEELED,
    "size_independent_frobenius_ball": 4 * 3 * (math.sqrt(4 * math.log(2)) + 1) * math.sqrt(D / N) + PEELED,
    "weighted_path_norm_ball": 4 * 3 * 3 * MASSART + PEELED,
    "a_posteriori_estimate": 4 * MASSART * 3.5 + 0.5 * math.sqrt(2 * math.log(math.pi**2 / 3 * 3.5**2 / 0.05) / N),
    "barron_approximation": 4 / 50,
    "random_feature_approximation": 9 / 50 * (1 + math.sqrt(2 * LOG)) ** 2,
    "barron_norm_from_spectrum": 13.5,
    "held_out_hoeffding": 0.02 + math.sqrt(LOG / 1000),
    "held_out_empirical_bernstein": 0.02 + math.sqrt(0.002 * math.log(40) / 500) + 7 * math.log(40) / (3 * 499),
    "held_out_clopper_pearson": stats.beta.ppf(0.95, 8, 493),
}


def evaluated(**changes):
    return {result.formula: result for result in evaluate_formulas(BoundInputs(**{**EVERYTHING, **changes}))}


def test_everything_given_evaluates_every_formula_with_a_known_source():
    results = evaluated()
    assert list(results) == [formula.name for formula in FORMULAS]
    for result in results.values():
        assert result.value == pytest.approx(sum(result.terms.values()))
        assert reference(result.reference)
        upper = result.side == "upper"
        assert result.vacuous == (result.value >= result.trivial_value if upper else result.value <= 0)


@pytest.mark.parametrize("name", HAND)
def test_value_by_hand(name):
    assert evaluated()[name].value == pytest.approx(HAND[name], rel=1e-7)


def test_explicit_a_priori_estimate_has_the_published_example():
    """g = 1, m = 1000, n = 10^5, d = 5: .003 + .085 + .042 + .004 + .007 = .142."""
    given = BoundInputs(
        barron_norm=1.0, width=1000, sample_size=10**5, input_dimension=5, formulas=("a_priori_estimate",)
    )
    (result,) = evaluate_formulas(given)
    assert result.value == pytest.approx(0.142, abs=1e-3)
    least = 6 * math.sqrt(2 * math.log(12) / 10**5)
    expected = 0.003 + 3 * least + math.sqrt(math.log(40) / (2 * 10**5))
    expected += math.sqrt(math.log(math.pi**2 * (1 / least + 3) ** 2 / 0.15) / (2 * 10**5))
    assert result.value == pytest.approx(expected)


def test_published_a_priori_form_by_hand():
    result = evaluated(penalty=0.5)["a_priori_estimate_published"]
    c = math.pi**2 / 6
    first = math.sqrt(2 * math.log(8 * c * 4 / 0.05) / N)
    reach = 3 * 4 / (50 * 0.5) + 8 + first / (2 * 0.5)
    second = math.sqrt(2 * math.log(2 * c * reach**2 / 0.05) / N)
    assert result.value == pytest.approx(12 / 50 + 4 * 0.5 * 2 + first / 2 + second / 2)


def test_published_a_priori_form_needs_the_least_penalty_and_a_radius():
    """Its proof takes l >= 4 sqrt(2 ln(2D)/n), and a comparison network of norm 2 g at least the first radius, 1."""
    least = 4 * MASSART

    def value(**changes):
        return evaluated(**changes)["a_priori_estimate_published"].value

    assert value() == pytest.approx(value(penalty=least * (1 + 1e-12)))
    assert value(barron_norm=0.0) == pytest.approx(value(barron_norm=0.5))
    assert value(barron_norm=0.01) >= 2 * least


@pytest.mark.parametrize(("name", "factor"), [("a_priori_estimate_published", 4), ("a_priori_estimate", 6)])
def test_smaller_penalty_than_a_theorem_allows_is_refused_and_not_raised(name, factor):
    short, enough = (factor * MASSART * (1 + excess) for excess in (-1e-3, 1e-3))
    assert name in evaluated(penalty=enough)
    assert name not in evaluated(penalty=short)
    with pytest.raises(ValidationError, match=f"{name} holds from the penalty") as caught:
        BoundInputs(**EVERYTHING, formulas=[name], penalty=short)
    assert caught.value.errors()[0]["ctx"]["pointer"] == "/penalty"


INCREASING = ("path_norm", "rkhs_norm", "l1_norm", "frobenius_product", "weighted_path_norm", "lipschitz_constant")


@given(st.integers(2, 10**6), st.floats(1.01, 50), st.floats(1e-6, 0.4))
@settings(max_examples=40, deadline=None)
def test_bounds_shrink_with_n_and_delta_and_grow_with_norms(size, factor, delta):
    def upper(**changes):
        return {name: r.value for name, r in evaluated(**changes).items() if r.side == "upper"}

    base = upper(sample_size=size, held_out_size=500 + size, delta=delta)
    more = upper(sample_size=2 * size, held_out_size=500 + 2 * size, delta=delta)
    lax = upper(sample_size=size, held_out_size=500 + size, delta=2 * delta)
    norms = {name: EVERYTHING[name] * factor for name in (*INCREASING, "barron_norm", "divergence", "complexity")}
    larger = upper(sample_size=size, held_out_size=500 + size, delta=delta, **norms)
    for name, value in base.items():
        # The tail of a count depends on how n mean rounds.
        slack = 1.02 if name == "held_out_hoeffding_bentkus" else 1 + 1e-9
        assert more[name] <= value * slack, name
        assert lax[name] <= value * (1 + 1e-9), name
        assert larger[name] >= value * (1 - 1e-9), name


def test_limits():
    huge = evaluated(sample_size=10**9, held_out_size=10**7, mistakes=140_000)
    assert huge["uniform_sharp"].value == pytest.approx(0.2, abs=1e-3)
    assert huge["uniform_lower_empirical"].value == pytest.approx(0.05, abs=1e-3)
    assert huge["held_out_hoeffding_bentkus"].value == pytest.approx(0.02, abs=1e-3)
    assert huge["held_out_clopper_pearson"].value == pytest.approx(0.014, rel=0.01)
    assert huge["pac_bayes_kl"].value == pytest.approx(0.05, abs=1e-3)


def test_units_scale_the_values():
    small, large = evaluated(), evaluated(
        loss_cap=4.0, held_out_risk=0.08, held_out_variance=0.016, empirical_gibbs_risk=0.2,
        path_norm=5.0, rkhs_norm=5.0, l1_norm=5.0, lipschitz_constant=3.0,
    )  # fmt: skip
    for name in ("path_norm_ball", "rkhs_ball", "l1_ball", "lipschitz_ball", "held_out_kl_chernoff", "pac_bayes_kl"):
        assert large[name].value == pytest.approx(4 * small[name].value)
    assert "a_priori_estimate" not in large


@pytest.mark.parametrize(
    "changes",
    [
        {"delta": 0},
        {"formulas": ["nothing"]},
        {"formulas": ["path_norm_ball"], "path_norm": None},
        {"formulas": ["a_priori_estimate"], "loss_cap": 2.0},
        {"held_out_risk": 1.5},
        {"mistakes": 501},
        {"sample_size": True},
        {"complexity": math.inf},
    ],
)
def test_bad_inputs_are_refused(changes):
    with pytest.raises(ValidationError):
        BoundInputs(**{**EVERYTHING, **changes})


@pytest.mark.parametrize("cap", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize(
    ("size", "delta", "value", "positive"), [(1, 0.999999, 0.0, 1e-12), (10**7, 1e-300, 1e12, 1e12)]
)
def test_extreme_inputs_have_answers(cap, size, delta, value, positive):
    numbers = {name: value for name, given in EVERYTHING.items() if isinstance(given, float)}
    counts = {name: size for name, given in EVERYTHING.items() if isinstance(given, int)}
    capped = {name: min(cap, value) for name in ("held_out_risk", "empirical_gibbs_risk")}
    given = {**numbers, **counts, **capped, "hidden_layers": min(size, 500), "mistakes": size - 1}
    inputs = BoundInputs(**given | {"delta": delta, "loss_cap": cap, "kernel_sup": positive, "penalty": positive})
    for result in evaluate_formulas(inputs):
        assert "null" not in result.model_dump_json()
