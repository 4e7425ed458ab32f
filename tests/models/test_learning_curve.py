"""Extrapolated learning curves: exact where the form is the truth, and honest about the error where it is measured."""

import math

import pytest
import torch
from scipy.optimize import nnls

from models.decomposition import learning_curve
from models.decomposition.learning_curve import fit_learning_curve
from models.randomness import Randomness

SIZES = (50, 100, 200, 400, 800)


def exact(law, seeds=3, rows=20):
    return torch.tensor([law(n) for n in SIZES], dtype=torch.float64)[None, :, None].expand(seeds, len(SIZES), rows)


@pytest.mark.parametrize(
    ("law", "floor"),
    [
        (lambda n: 0.3 + 5 / n, 0.3),
        (lambda n: 0.2 + 2 * n**-0.5, 0.2),
        (lambda n: 1.0 + 0 * n, 1.0),
        (lambda n: 3 * n**-0.75, 0.0),
    ],
)
def test_a_curve_of_a_fitted_form_is_continued_exactly(law, floor):
    curve = fit_learning_curve(SIZES, exact(law), Randomness(0))
    # Where two forms fit to round-off they are averaged.
    assert curve.at(math.inf).value == pytest.approx(floor, abs=2e-3)
    assert curve.at(1600).value == pytest.approx(law(1600), rel=2e-3)
    assert curve.at(math.inf).method == "extrapolated"


def test_least_squares_law_beyond_its_peak_is_continued_exactly():
    def law(n):
        return 0.5 * (1 + 60 / (n - 60)) if n > 61 else 1e6

    curve = fit_learning_curve(SIZES, exact(law), Randomness(0), coefficients=60)
    assert curve.at(math.inf).value == pytest.approx(0.5, rel=1e-6)
    assert curve.at(120).value == pytest.approx(law(120), rel=1e-6)


def test_too_few_sizes_say_nothing():
    assert fit_learning_curve(SIZES[:2], exact(lambda n: 1.0)[:, :2], Randomness(0)) is None
    assert fit_learning_curve(SIZES, exact(lambda n: 1.0), Randomness(0), coefficients=200) is None


def test_constrained_fit_agrees_with_another_solver():
    generator = torch.Generator().manual_seed(0)
    decay = torch.rand(6, generator=generator, dtype=torch.float64)
    risks = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    spread = 0.5 + torch.rand(6, generator=generator, dtype=torch.float64)
    floors, factors, scores = learning_curve.affine_fit(decay, risks, spread)
    design = torch.stack([1 / spread, decay / spread], dim=1).numpy()
    for row in range(40):
        solution, residual = nnls(design, (risks[row] / spread).numpy())
        assert float(scores[row]) == pytest.approx(residual**2, rel=1e-9)
        assert [float(floors[row]), float(factors[row])] == pytest.approx(solution.tolist(), abs=1e-9)


def noisy(seed, law, seeds=6, rows=300):
    """Losses of common rows: a seed effect, a row effect and both, all with the law as their mean."""
    generator = torch.Generator().manual_seed(seed)

    def positive(*shape, scale):
        return torch.exp(scale * torch.randn(*shape, generator=generator, dtype=torch.float64) - scale**2 / 2)

    spread = positive(seeds, len(SIZES), 1, scale=0.05) * positive(1, 1, rows, scale=1.0)
    return exact(law, seeds, rows) * spread * positive(seeds, len(SIZES), rows, scale=0.3)


def test_error_bar_covers_the_floor_over_repetitions():
    floor = 0.3
    misses = 0
    for seed in range(100):
        estimate = fit_learning_curve(SIZES, noisy(seed, lambda n: floor + 20 / n), Randomness(seed)).at(math.inf)
        misses += abs(estimate.value - floor) > 2 * estimate.standard_error
    # Two standard errors of a gaussian miss 5 in 100; three standard errors of that count more are 11.5.
    assert misses <= 11


def test_same_randomness_gives_the_same_curve_and_seeds_in_any_order_the_same_value():
    losses = noisy(1, lambda n: 0.1 + n**-0.5)
    first, second = (fit_learning_curve(SIZES, losses, Randomness(4)).at(2000) for _ in range(2))
    assert first == second
    turned = fit_learning_curve(SIZES, losses.flip(0), Randomness(4)).at(2000)
    assert turned.value == pytest.approx(first.value, rel=0.02)


def test_further_extrapolation_is_less_certain():
    curve = fit_learning_curve(SIZES, noisy(2, lambda n: 0.1 + n**-0.5), Randomness(0))
    errors = [curve.at(n).standard_error / curve.at(n).value for n in (800, 3200, math.inf)]
    assert errors[0] < errors[1] < errors[2]
