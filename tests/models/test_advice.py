"""The advice follows the largest term that stands out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decomposition.advice import advise
from models.estimates import Estimate, in_words


def _terms(approximation=0.0, estimation=0.0, optimization=0.0, error=0.001, errors=None):
    values = {
        "approximation": approximation,
        "estimation": estimation,
        "optimization": optimization,
        "excess": approximation + estimation + optimization,
        "beyond_approximation": estimation + optimization,
    }
    return {
        name: Estimate(value=value, standard_error=(errors or {}).get(name, error), method="monte_carlo")
        for name, value in values.items()
    }


def test_the_largest_term_names_the_purchase():
    assert advise(_terms(1.0, 0.1, 0.1), 0.0, 1.0).buy == "width"
    assert advise(_terms(0.1, 1.0, 0.1), 0.0, 1.0).buy == "data"
    assert advise(_terms(0.1, 0.1, 1.0), 0.0, 1.0).buy == "training"


def test_excess_risk_within_its_error_bar_buys_nothing():
    assert advise(_terms(0.01, 0.01, 0.01, error=0.02), 0.0, 1.0).buy == "nothing"


def test_excess_risk_far_below_the_noise_buys_nothing():
    advice = advise(_terms(0.01, 0.01, 0.01), 1.0, 1.0)
    assert advice.buy == "nothing"
    assert "noise" in advice.because


def test_excess_risk_at_rounding_buys_nothing_without_noise():
    assert advise(_terms(1e-13, 1e-14, 0.0, error=0.0), 0.0, 1.0).buy == "nothing"


def test_negative_optimization_never_advises_training():
    assert advise(_terms(0.1, 0.5, -0.3), 0.0, 1.0).buy == "data"


def test_optimization_within_its_error_bar_never_advises_training():
    assert advise(_terms(0.05, 0.05, 0.3, errors={"optimization": 0.2}), 0.0, 1.0).buy != "training"


def test_variance_that_regularization_gives_back_is_not_charged_to_the_sample():
    # f~ interpolates at n = m and is useless; the penalised f^ is not, so the space is what limits it.
    assert advise(_terms(0.3, 10.0, -9.95), 0.0, 1.0).buy == "width"


def test_terms_hidden_by_their_error_bars_ask_for_seeds():
    advice = advise(_terms(0.1, 0.1, 0.1, error=0.2, errors={"excess": 0.01}), 0.0, 1.0)
    assert advice.buy == "nothing"
    assert "seeds" in advice.because


def test_a_single_seed_without_error_bars_is_advised_too():
    terms = {
        name: Estimate(value=term.value, standard_error=None, method="monte_carlo")
        for name, term in _terms(0.1, 0.2, 0.0).items()
    }
    assert advise(terms, 0.0, 1.0).buy == "data"


_positive = st.floats(0.0, 10.0)


@given(_positive, _positive, _positive, st.floats(0.0, 10.0))
def test_raising_the_advised_term_keeps_the_advice(approximation, estimation, optimization, more):
    terms = {"approximation": approximation, "estimation": estimation, "optimization": optimization}
    bought = advise(_terms(**terms), 0.1, 1.0).buy
    if bought != "nothing":
        raised = {"width": "approximation", "data": "estimation", "training": "optimization"}[bought]
        assert advise(_terms(**{**terms, raised: terms[raised] + more}), 0.1, 1.0).buy == bought


def test_sentence_is_short_and_names_the_term_and_the_excess():
    advice = advise(_terms(0.0008, 0.00406, 0.002, error=0.0005), 0.0, 1.0)
    assert advice.because == (
        "Buy data: estimation error 0.0041 ± 0.0005 is the largest part of the excess risk 0.00686."
    )


def test_three_equal_terms_near_the_noise_floor_buy_something_although_none_exceeds_it_alone():
    assert advise(_terms(0.04, 0.04, 0.04), 1.0, 1.0).buy != "nothing"


def test_term_is_not_called_the_largest_where_a_larger_one_hides_in_its_error_bar():
    advice = advise(_terms(0.05, 0.04, 0.3, errors={"optimization": 0.2}), 0.0, 1.0)
    assert advice.buy == "width"
    assert "largest certain" in advice.because
    assert "optimization error 0.3 ± 0.2 may be larger" in advice.because


def test_round_off_is_not_blamed_on_the_noise():
    assert "noise" not in advise(_terms(1e-13, 1e-14, 0.0, error=0.0), 0.0, 1.0).because


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.00406, 0.0005, "0.0041 ± 0.0005"),
        (123.4, 60.0, "120 ± 60"),
        (0.3, 0.7, "0.3 ± 0.7"),
        (1.23456, 1e-9, "1.23 ± 1e-09"),
        (0.0, 0.0, "0 ± 0"),
        (-0.0123, 0.002, "-0.012 ± 0.002"),
        (0.5, None, "0.5"),
        (math.inf, None, "inf"),
    ],
)
def test_numbers_are_written_to_the_digit_of_their_error_bar(value, error, words):
    assert in_words(Estimate(value=value, standard_error=error, method="monte_carlo")) == words


def test_data_after_regularization_comes_with_its_retuning():
    # With the same penalty, its bias would stay whatever the sample.
    advice = advise(_terms(0.05, 6.0, -5.6), 0.0, 1.0)
    assert advice.because == (
        "Buy data and retune the regularization: estimation error net of regularization 0.4 ± 0.001 "
        "is the largest part of the excess risk 0.45."
    )
