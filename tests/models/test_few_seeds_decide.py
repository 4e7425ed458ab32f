"""Where a few seeds decide a risk: what is bought at the peak, ends of intervals, and what more training is worth."""

import math

import pytest
import torch

from models.decomposition.advice import Advice
from models.decomposition.intervals import falls, least_mean
from models.decomposition.purchases import advised, grid_advice
from models.decomposition.risk_draws import surface_of_cells
from models.decomposition.terms import LongerTraining
from models.estimates import Estimate
from models.hypothesis_spaces.random_features import RandomFeatures
from tests.support.synthetic_cells import cell_of

NOISE = 0.01
TANH, RELU = (RandomFeatures(kind="random_features", feature=feature) for feature in ("tanh", "relu"))
# What eight seeds gave at n = m = 200 in docs/decomposition.md, one of them by far the largest.
PEAK = torch.tensor([6.0, 8.0, 11.0, 15.0, 20.0, 30.0, 41.0, 1370.0], dtype=torch.float64)
BEYOND = torch.tensor([0.31, 0.28, 0.35, 0.3, 0.33, 0.29, 0.27, 0.36], dtype=torch.float64)
BEST = torch.full((8,), 0.2, dtype=torch.float64)


def _advices(risks_by_size, learner=None, space=TANH, noise=NOISE, width=200):
    cells = [
        cell_of(width, size, noise, BEST[: len(risks)], risks, risks, learner) for size, risks in risks_by_size.items()
    ]
    return [cell.advice for cell in advised(cells, surface_of_cells(cells, space))]


@pytest.mark.parametrize("seeds", [4, 8])
def test_at_the_peak_the_rows_that_the_grid_shows_to_help_are_bought(seeds):
    at_peak, _ = _advices({200: PEAK[-seeds:], 400: BEYOND[-seeds:]})
    assert at_peak.buy == "data"
    assert at_peak.because.startswith("Buy data: twice the rows (n = 400) is expected (measured) to lower the risk")
    saving, risk = at_peak.expected["data"].saving, at_peak.expected["data"].risk
    # The difference of the means has an error bar of its own size; the geometric mean has not.
    assert 1.0 < saving.lower < float(torch.exp(PEAK.log().mean())) < saving.value
    assert risk.lower > NOISE
    assert "in the geometric mean of the seeds from " in at_peak.because


@pytest.mark.parametrize(("after", "buy"), [((0.6, 0.9), "data"), ((0.9, 1.25), "nothing"), ((1.3, 1.6), "nothing")])
def test_two_seeds_name_the_largest_term_where_its_remedy_saves_two_standard_errors(after, buy):
    """Saved 0.35 ± 0.05, 0.025 ± 0.08, and less than nothing; none is proven by t with one degree of freedom."""
    before, larger = (torch.tensor(risks, dtype=torch.float64) for risks in ((1.0, 1.2), after))
    advice, _ = _advices({2_000: before, 4_000: larger})
    assert advice.expected["data"].saving.lower < 0
    assert advice.buy == buy
    assert ("2 seeds leave uncertain: add seeds." in advice.because) == (buy == "data")


def test_a_risk_that_few_seeds_decide_is_not_said_to_fall_where_it_does_not():
    at_peak, _ = _advices({200: PEAK, 400: PEAK.flip(0)})
    assert at_peak.buy == "nothing"
    assert at_peak.expected["data"].saving.lower < 0


def test_at_the_peak_without_larger_samples_the_advice_says_why_it_is_data():
    cell = cell_of(200, 200, NOISE, BEST, PEAK, PEAK)
    hidden = Advice(buy="nothing", because="Buy nothing: the excess risk 188 ± 200 is within its error bar.")
    cell = cell.model_copy(update={"advice": hidden})
    advice = grid_advice(cell, surface_of_cells([cell], TANH))
    assert advice.buy == "data"
    assert "by the logarithms of the seeds" in advice.because
    assert "what twice the rows (n = 400) gives is not known: fewer than three usable sample sizes" in advice.because


def test_lower_ends_of_skewed_means_are_below_the_mean():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2_000, 8, generator=generator, dtype=torch.float64).mul(1.5).exp()
    held = [least_mean(row) <= math.exp(1.5**2 / 2) for row in values.tolist()]
    assert sum(held) >= 0.97 * len(held)
    # Of the median, e^0, it is the lower end of a t interval.
    assert sum(least_mean(row) <= 1 for row in values.tolist()) / len(values) == pytest.approx(0.975, abs=0.012)
    assert least_mean([1.0]) == least_mean([1.0, 0.0]) == 0.0


def test_ratios_without_a_trend_rarely_fall():
    generator = torch.Generator().manual_seed(1)
    pairs = torch.randn(2_000, 2, 8, generator=generator, dtype=torch.float64).exp().tolist()
    found = sum(falls(*pair) for pair in pairs) / len(pairs)
    assert found == pytest.approx(0.025, abs=0.012)
    assert falls([2.0, 3.0, 5.0], [1.0, 1.4, 2.6])
    assert not falls([1.0, 1.4, 2.6], [2.0, 3.0, 5.0])


def test_least_squares_is_not_trained_longer():
    prospect = _advices({400: BEYOND})[0].expected["training"]
    assert prospect.method == "exact"
    assert "least_squares, which is solved exactly: it changes nothing" in prospect.change
    assert (prospect.saving.lower, prospect.saving.value, prospect.saving.upper) == (0.0, 0.0, 0.0)


def test_no_interval_of_a_risk_reaches_below_the_noise():
    error = Estimate(value=0.02, standard_error=0.5, method="monte_carlo")
    for learner in ({"kind": "gradient_descent", "steps": 5}, {"kind": "ridge", "penalty": 1.0}, None):
        for longer in (None, LongerTraining(risk=error, saving=error)):
            cells = [cell_of(200, size, NOISE, BEST, PEAK, PEAK, learner) for size in (200, 400, 800, 1600)]
            cells = [cell.model_copy(update={"twice_the_steps": longer}) for cell in cells]
            for cell in advised(cells, surface_of_cells(cells, TANH)):
                for prospect in cell.advice.expected.values():
                    if prospect.risk is not None:
                        assert prospect.risk.lower >= NOISE


def test_no_purchase_saves_more_than_the_upper_end_of_the_risk():
    learner = {"kind": "gradient_descent", "steps": 5}
    saved = Estimate(value=0.1, standard_error=0.5, method="monte_carlo")
    cell = cell_of(8, 400, NOISE, BEST, BEYOND, BEYOND, learner)
    cell = cell.model_copy(update={"twice_the_steps": LongerTraining(risk=saved, saving=saved)})
    (advised_cell,) = advised([cell], surface_of_cells([cell], TANH))
    assert advised_cell.advice.expected["training"].saving.upper < 0.36


ZERO = torch.zeros(8, dtype=torch.float64)


def test_a_target_of_zero_without_noise_warns_of_nothing():
    for learner in ({"kind": "ridge", "penalty": 1e-3}, {"kind": "ridge", "penalty": None}, {"kind": "least_squares"}):
        cells = [cell_of(8, size, 0.0, ZERO, ZERO, ZERO, learner) for size in (64, 128)]
        for cell in advised(cells, surface_of_cells(cells, RELU)):
            assert "least squares" not in cell.advice.because


def test_a_penalty_is_not_least_squares_though_it_changes_nothing():
    cells = [cell_of(8, size, 0.01, BEST, BEYOND, BEYOND, {"kind": "ridge", "penalty": 1e-9}) for size in (64, 128)]
    surface = surface_of_cells(cells, RELU)
    assert surface.draws.has_mean
    assert not surface.draws.least_squares
    # What it would be without one has no expected risk.
    without = advised(cells, surface)[0].advice.expected["training"]
    assert (without.change, without.risk.upper, without.saving.lower) == ("no penalty", math.inf, -math.inf)


def test_a_descent_that_reached_least_squares_is_named():
    learner, risks = {"kind": "gradient_descent", "steps": 9}, {size: BEYOND + 1 / size for size in (64, 128)}
    cells = [cell_of(8, size, NOISE, BEST, risk, risk, learner) for size, risk in risks.items()]
    first, _ = advised(cells, surface_of_cells(cells, RELU))
    assert "gradient_descent returned least squares" in first.advice.because
    assert first.advice.expected["data"].risk.upper == math.inf
    assert first.advice.expected["data"].saving.lower == -math.inf
    # Seed by seed the risk falls; that is what can be said.
    assert first.advice.buy == "data"
