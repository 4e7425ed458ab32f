"""What purchases are expected to save: intervals that cover, no step through a peak, no guess."""

import itertools
import math

import pytest
import torch
from scipy.stats import t as student

from models.decomposition.advice import Advice
from models.decomposition.intervals import interval_of, student_quantile
from models.decomposition.purchases import advised, grid_advice
from models.decomposition.risk_draws import surface_of_cells
from models.decomposition.terms import DecompositionCell
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from tests.support.synthetic_cells import cell_of, cells_of_law

LINEAR, NETWORK = RandomFeatures(kind="random_features", feature="tanh"), TwoLayer(kind="two_layer")
WIDTHS, SIZES, NOISE = (8, 16, 32, 64), (128, 256, 512, 1024, 2048), 0.01


def surface_of(cells, space=LINEAR):
    return surface_of_cells(cells, space)


def advice_at(cells, width, size, space=LINEAR) -> Advice:
    (cell,) = (cell for cell in cells if (cell.width, cell.sample_size) == (width, size))
    return grid_advice(cell, surface_of(cells, space))


def _laws():
    """Approximation c + m^(-p); estimation of least squares, or of slower decay."""
    for power, floor in itertools.product((0.3, 0.5, 1.0, 2.0), (0.0, 0.05)):

        def approximation(m, power=power, floor=floor):
            return floor + m**-power

        def least_squares(n, m, approximation=approximation):
            return (NOISE + approximation(m)) * m / (n - m - 1)

        yield approximation, least_squares
        yield approximation, lambda n, m: 0.2 * math.sqrt(m / n)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("seeds", "scatter"), [(4, 0.02), (8, 0.1)])
def test_intervals_of_extrapolated_risks_and_savings_cover_the_law(seeds, scatter):
    covered = {"data": [0, 0], "width": [0, 0]}
    runs = 0
    for (approximation, estimation), seed in itertools.product(_laws(), range(5)):
        cells = cells_of_law(WIDTHS, SIZES, approximation, estimation, seeds=seeds, scatter=scatter, seed=seed)

        def law(n, m, approximation=approximation, estimation=estimation):
            return NOISE + approximation(m) + estimation(n, m)

        expected = advice_at(cells, 64, 2048).expected
        runs += 1
        for remedy, truth in {"data": law(4096, 64), "width": law(2048, 128)}.items():
            prospect = expected[remedy]
            assert prospect.method == "extrapolated"
            covered[remedy][0] += prospect.risk.lower <= truth <= prospect.risk.upper
            covered[remedy][1] += prospect.saving.lower <= law(2048, 64) - truth <= prospect.saving.upper
    assert runs == 80
    assert all(hits >= 0.9 * runs for both in covered.values() for hits in both), covered


def test_measured_cells_are_never_replaced_by_a_fit():
    cells = cells_of_law(WIDTHS, SIZES, lambda m: 1 / m, lambda n, m: 0.1 * m / n)
    expected = advice_at(cells, 16, 512).expected
    for remedy, place in {"data": (16, 1024), "width": (32, 512)}.items():
        (bought,) = (cell for cell in cells if (cell.width, cell.sample_size) == place)
        prospect = expected[remedy]
        assert (prospect.width, prospect.sample_size, prospect.method) == (*place, "measured")
        assert prospect.risk.value == pytest.approx(bought.risks["trained"].value, rel=1e-12)
        # t standard errors over seeds.
        reach = student.ppf(0.975, 5) * bought.risks["trained"].standard_error
        assert prospect.risk.value - prospect.risk.lower == pytest.approx(reach, rel=1e-4)


def test_savings_are_paired_by_seed():
    # The seeds differ a hundredfold more than the two sample sizes do.
    luck = torch.linspace(0.5, 1.5, 6, dtype=torch.float64)
    shifted = [cell_of(8, n, NOISE, luck, luck + 1 / n, luck + 1 / n) for n in (100, 200)]
    prospect = advice_at(shifted, 8, 100).expected["data"]
    assert prospect.risk.upper - prospect.risk.lower > 0.5
    assert prospect.saving.value == pytest.approx(1 / 200)
    assert prospect.saving.upper - prospect.saving.lower < 1e-6


def test_continued_risks_fall_with_data_and_approximation_falls_with_width():
    cells = cells_of_law(WIDTHS, SIZES, lambda m: 1 / m, lambda n, m: 0.1 * m / n, scatter=0.3, seed=3)
    surface = surface_of(cells)
    along_sizes = [float(surface.at_size(32, n).draws[0]) for n in (100, 300, 3000, 30_000)]
    assert along_sizes == sorted(along_sizes, reverse=True)
    along_widths = [float(surface.approximation(m)[0]) for m in (8, 100, 1000, 10_000)]
    assert along_widths == sorted(along_widths, reverse=True)
    assert along_widths[-1] >= NOISE


def test_least_squares_tends_to_the_best_of_its_space():
    """Three places of a scattered law tell no floor, which would leave the need of rows to chance."""
    cells = cells_of_law((16, 32), (128, 256, 512), lambda m: 1 / m, lambda n, m: m / (n - m - 1), scatter=0.3, seed=5)
    surface = surface_of(cells)
    assert surface.draws.least_squares
    assert torch.equal(surface.limit(32), surface.draws.best[32])
    reached = surface.at_size(32, 8192).draws - surface.draws.best[32]
    assert 0.3 < float(reached[0]) / (32 / (8192 - 33)) < 3
    assert float(reached.std()) < 2 * float(reached[0])


def test_order_of_the_cells_does_not_matter():
    cells = cells_of_law(WIDTHS, SIZES, lambda m: 1 / m, lambda n, m: 0.1 * m / n)
    first = {(cell.width, cell.sample_size): cell for cell in advised(cells, surface_of(cells))}
    turned = advised(cells[::-1], surface_of(cells[::-1]))
    assert [(cell.width, cell.sample_size) for cell in turned] == [(c.width, c.sample_size) for c in cells[::-1]]
    assert all(cell == first[cell.width, cell.sample_size] for cell in turned)


def _least_squares(n, m):
    """Variance of least squares with noise 1 on either side of n = m (Hastie et al., 2022)."""
    return m / (n - m - 1) if n > m + 1 else n / (m - n - 1) if m > n + 1 else 1e3


def test_nothing_is_continued_through_or_near_the_peak():
    widths, sizes = (16, 32, 64, 128), (100, 140, 200)
    cells = cells_of_law(widths, sizes, lambda m: 1 / m, _least_squares, scatter=0.01)
    for cell, (m, n) in zip(cells, itertools.product(widths, sizes), strict=True):
        for remedy, place in {"data": (m, 2 * n), "width": (2 * m, n)}.items():
            prospect = grid_advice(cell, surface_of(cells)).expected[remedy]
            if prospect.method == "extrapolated":
                assert place[1] >= 1.5 * place[0]
                law = NOISE + 1 / place[0] + _least_squares(place[1], place[0])
                assert prospect.risk.lower <= law <= prospect.risk.upper
    assert "peak" in advice_at(cells, 128, 200).expected["width"].unknown
    assert "peak" in advice_at(cells, 128, 200).expected["data"].unknown


def test_a_learner_that_errs_less_than_least_squares_near_the_peak_is_continued_there():
    def tamed(n, m):
        return 0.2 * m / (n + m) - _least_squares(n, m)

    cells = cells_of_law(
        (16, 32, 64, 128), (64, 128, 256), lambda m: 1 / m, _least_squares, tamed, scatter=0.001,
        learner={"kind": "ridge", "penalty": None},
    )  # fmt: skip
    prospect = advice_at(cells, 128, 256).expected["data"]
    assert prospect.method == "extrapolated"
    assert prospect.risk.lower <= NOISE + 1 / 128 + 0.2 * 128 / 640 <= prospect.risk.upper


def test_past_the_peak_the_next_width_is_what_helps():
    cells = cells_of_law((110, 200, 400), (100,), lambda m: 0.001, _least_squares, scatter=0.001)
    advice = advice_at(cells, 110, 100)
    assert advice.buy == "width"
    assert advice.because.startswith("Buy width: 1.82 times the width (m = 200) is expected (measured) to lower")


def test_at_the_noise_nothing_is_bought():
    cells = cells_of_law(WIDTHS, SIZES, lambda m: 1e-5 / m, lambda n, m: 1e-6 * m / n, noise=1.0)
    for cell in advised(cells, surface_of(cells)):
        assert cell.advice.buy == "nothing"
        assert "at the noise" in cell.advice.because
        assert set(cell.advice.expected) == {"data", "width", "training"}


def test_one_cell_says_what_is_unknown_and_keeps_the_advice_of_its_terms():
    cells = cells_of_law((16,), (512,), lambda m: 1 / m, lambda n, m: 1.0)
    advice = advice_at(cells, 16, 512)
    assert advice.buy == "data"
    assert advice.because == (
        "Buy data: estimation error is the largest part of the excess risk; "
        "what twice the rows (n = 1024) gives is not known: fewer than three usable sample sizes in the grid, "
        "and no next one."
    )
    assert advice.expected["width"].unknown == "fewer than three usable widths in the grid, and no next one"
    assert advice.expected["width"].risk is None


def test_one_seed_extrapolates_nothing():
    cells = cells_of_law(WIDTHS, SIZES, lambda m: 1 / m, lambda n, m: 0.1 * m / n, seeds=1)
    expected = advice_at(cells, 64, 2048).expected
    assert expected["data"].unknown == expected["width"].unknown == "one seed gives no error bar to a curve; add seeds"
    assert advice_at(cells, 8, 128).expected["data"].method == "measured"


def test_a_width_that_the_space_does_not_have_is_not_sold():
    widths = (16_384, 32_768, 65_536)
    cells = cells_of_law(widths, (10**6,), lambda m: 1 / m, lambda n, m: 0.0)
    assert advice_at(cells, 65_536, 10**6).expected["width"].unknown == "the space has no width 131072"


def test_a_risk_that_rises_with_the_width_is_not_continued_down():
    cells = cells_of_law(WIDTHS, (100,), lambda m: 1 / m, lambda n, m: m / 100, scatter=0.01)
    assert advice_at(cells, 64, 100, NETWORK).expected["width"].unknown == "the risk rises with the width here"


def _training(optimization, learner):
    cells = cells_of_law(
        (16,), (512,), lambda m: 0.1, lambda n, m: 0.1, lambda n, m: optimization, scatter=0.01, learner=learner
    )
    return advice_at(cells, 16, 512), cells[0]


def test_twice_the_steps_are_bounded_by_the_best_on_the_sample():
    advice, cell = _training(0.5, {"kind": "adam", "steps": 300})
    prospect = advice.expected["training"]
    assert (prospect.method, prospect.change) == ("bound", "twice the steps (600)")
    assert prospect.risk.value is None
    assert prospect.risk.lower < cell.risks["best_on_sample"].value < cell.risks["trained"].value < prospect.risk.upper
    assert prospect.saving.lower == 0.0
    assert advice.buy == "training"
    assert "twice the steps (600) can lower the risk" in advice.because
    assert "by at most 0.5" in advice.because


def test_twice_the_steps_of_a_learner_that_errs_less_than_the_best_on_the_sample_are_unknown():
    prospect = _training(-0.05, {"kind": "adam", "steps": 300})[0].expected["training"]
    assert prospect.risk is None
    assert "not measured" in prospect.unknown


def test_dropping_a_penalty_is_measured():
    prospect = _training(0.5, {"kind": "ridge", "penalty": 1.0})[0].expected["training"]
    assert (prospect.method, prospect.change) == ("measured", "no penalty")
    assert prospect.saving.lower < 0.5 < prospect.saving.upper


def test_stored_cells_without_prospects_are_still_read():
    (cell,) = cells_of_law((16,), (512,), lambda m: 1 / m, lambda n, m: 1.0)
    record = cell.model_dump(mode="json", exclude={"risks_by_seed": True, "advice": {"expected"}})
    assert DecompositionCell.model_validate(record).advice.expected == {}


@pytest.mark.parametrize("freedom", [1.0, 1.5, 2.0, 3.0, 7.3, 31.0, 500.0, 10_000.0])
def test_quantile_agrees_with_scipy(freedom):
    assert student_quantile(freedom) == pytest.approx(student.ppf(0.975, freedom), rel=1e-4)


def test_intervals_stop_at_the_floor_and_reach_farther_up_than_down():
    draws = torch.tensor([0.5, 0.6, 0.4], dtype=torch.float64)
    reach = student.ppf(0.975, 1e4) * 0.1
    skewed = interval_of(draws, math.inf, skew=1.5)
    assert skewed.upper == pytest.approx(0.5 + reach * (1 + 1.5 * reach / 0.5), rel=1e-4)
    free, floored = interval_of(draws, math.inf), interval_of(draws, math.inf, floor=0.4)
    assert free.lower == pytest.approx(0.5 - reach, rel=1e-4)
    assert free.upper == pytest.approx(0.5 + reach * (1 + reach / 0.5 / 2), rel=1e-4)
    assert floored.lower == 0.4
    assert floored.upper == pytest.approx(0.5 + 1.5 * reach, rel=1e-4)


def test_learners_that_a_penalty_or_an_early_stop_holds_back_are_continued_in_width():
    """Their risk above R(f_m) grows with what f_m wins, like no form of it; or, of others, like an estimation error."""

    def approximation(m):
        return 0.2 / math.sqrt(m)

    def held_back(n, m):
        return 0.03 + 0.3 / m + 1 / n - approximation(m)

    def estimated(n, m):
        return 0.2 * m / (n + m)

    for law, size in ((held_back, 256), (estimated, 256), (estimated, 2048)):
        held, lengths = [], []
        for seed in range(10):
            cells = cells_of_law(
                (8, 16, 32), (size,), approximation, lambda n, m: 1.0, lambda n, m, law=law: law(n, m) - 1.0,
                seeds=8, scatter=0.03, seed=seed, learner={"kind": "gradient_descent", "steps": 9},
            )  # fmt: skip
            prospect, truth = advice_at(cells, 32, size).expected["width"], NOISE + approximation(64) + law(size, 64)
            assert prospect.method == "extrapolated"
            held.append(prospect.risk.lower <= truth <= prospect.risk.upper)
            lengths.append((prospect.risk.upper - prospect.risk.lower) / 2 / truth)
        assert sum(held) >= 9, (law, size, held)
        assert sorted(lengths)[5] < 0.6, (law, size, lengths)
