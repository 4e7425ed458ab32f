"""The advice follows the largest term that stands out."""

from hypothesis import given
from hypothesis import strategies as st

from models.advice import advise
from models.estimates import Estimate


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
