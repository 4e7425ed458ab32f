"""Grids of nested least squares against fits of their own, one cell at a time, by other factorisations."""

import math

import pytest
import torch

from models.errors import NumericalFailure
from models.hypothesis_spaces.random_features import RandomFeatures
from models.linear_grid.grid import GrowingGrid, nested_grid_fits
from models.linear_grid.nested_factor import cholesky_factor, triangular_factor
from models.linear_grid.products import cholesky, condition_number, symmetric_product
from models.linear_grid.rows import ComputedRows, HeldRows
from models.randomness import Randomness

AGREEMENT = 1e-8


def _random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _features(feature="cosine", dimension=50, width=96, rows=600, seed=0):
    space = RandomFeatures(kind="random_features", width=width, feature=feature)
    inputs = torch.rand(rows, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    features = space.features(space.draw(dimension, 1, Randomness(seed), torch.float64), inputs) * math.sqrt(width)
    labels = torch.cos(3 * inputs.mean(dim=1, keepdim=True)) + 0.1 * _random(rows, 1, seed=seed + 1)
    return features, labels, inputs


def _own_fit(features, labels, penalty):
    """One cell by the singular values of its features."""
    left, singular, right = torch.linalg.svd(features, full_matrices=False)
    kept = singular > max(features.shape) * torch.finfo(features.dtype).eps * singular[0]
    weights = torch.where(kept, singular / (singular**2 + len(features) * penalty), 0.0)
    return right.T @ (weights[:, None] * (left.T @ labels))


def _worst(fits, features, labels, test):
    """The largest difference from a fit of its own, over the scale of that fit's predictions."""
    worst, predictions = 0.0, fits.predictions(test)
    for index, width in enumerate(fits.widths):
        rows, wanted = features[: fits.sample_size, :width], labels[: fits.sample_size]
        for place, penalty in enumerate(fits.penalties):
            expected = test[:, :width] @ _own_fit(rows, wanted, penalty)
            difference = (predictions[:, place, index] - expected).abs().max()
            worst = max(worst, float(difference / expected.abs().max()))
    return worst


WIDTHS = (1, 5, 20, 39, 40, 41, 64, 96)
SIZES = (20, 40, 64, 96, 97, 500)


def test_every_cell_agrees_with_a_fit_of_its_own():
    features, labels, _ = _features()
    penalties = [0.0, 1e-12, 1e-6, 1e-2, 10.0]
    for fits in nested_grid_fits(HeldRows(features[:500], labels[:500]), WIDTHS, SIZES, penalties):
        assert _worst(fits, features, labels, features[500:]) < AGREEMENT, (fits.sample_size, fits.solvers)


@pytest.mark.parametrize("feature", ["relu", "tanh", "fourier"])
@pytest.mark.parametrize("dimension", [3, 10])
def test_ill_conditioned_and_dead_features_reach_the_smallest_empirical_risk(feature, dimension):
    # Where the condition number exhausts the digits, two backward-stable fits share their risk and not their function.
    features, labels, _ = _features(feature, dimension)
    for fits in nested_grid_fits(HeldRows(features[:500], labels[:500]), WIDTHS, SIZES, [0.0]):
        rows, wanted = features[: fits.sample_size], labels[: fits.sample_size]
        for index, width in enumerate(WIDTHS):
            own = _own_fit(rows[:, :width], wanted, 0.0)
            reached = float(((fits.predictions(rows)[:, 0, index] - wanted) ** 2).mean())
            best = float(((rows[:, :width] @ own - wanted) ** 2).mean())
            assert abs(reached - best) < AGREEMENT * float((wanted**2).mean())
            assert float(fits.coefficients[:, 0, index].norm()) < 2 * float(own.norm()) + 1e-9


def test_near_as_many_features_as_rows_the_triangle_is_used():
    features, labels, _ = _features(rows=200)
    (fits,) = nested_grid_fits(HeldRows(features[:64], labels[:64]), (8, 63, 64, 96), (64,), [0.0])
    assert fits.solvers[0][0] == "cholesky"
    (singular,) = nested_grid_fits(HeldRows(features[:64].repeat(1, 2), labels[:64]), (48, 192), (64,), [0.0])
    assert singular.solvers[0][1] in ("dual_cholesky", "qr")
    hilbert = 1 / (torch.arange(1, 301, dtype=torch.float64)[:, None] / 10 + torch.arange(24, dtype=torch.float64))
    (bad,) = nested_grid_fits(HeldRows(hilbert, labels[:1].expand(300, 1) * hilbert[:, :1]), (2, 8, 24), (300,), [0.0])
    assert bad.solvers == (("cholesky", "qr", "svd"),)


def test_factors_scale_the_penalty_of_each_width():
    features, labels, _ = _features()
    widths, factors = (8, 32, 96), [1 / math.sqrt(m) for m in (8, 32, 96)]
    (fits,) = nested_grid_fits(HeldRows(features, labels), widths, (600,), [1e-3], factors)
    for index, (width, factor) in enumerate(zip(widths, factors, strict=True)):
        own = factor * _own_fit(factor * features[:, :width], labels, 1e-3)
        assert torch.allclose(fits.coefficients[:width, 0, index], own, rtol=1e-8, atol=1e-10)
        assert not bool(fits.coefficients[width:, 0, index].any())


def test_blocks_of_rows_change_rounding_only():
    features, labels, _ = _features()
    held = HeldRows(features, labels)
    computed = ComputedRows(lambda start, stop: (features[start:stop], labels[start:stop]), 64)
    for one, other in zip(
        *(nested_grid_fits(rows, WIDTHS, (50, 97, 600), [0.0, 1e-4]) for rows in (held, computed)), strict=True
    ):
        scale = one.predictions(features).abs().max()
        assert float((one.predictions(features) - other.predictions(features)).abs().max() / scale) < AGREEMENT


def test_one_problem_can_be_asked_twice():
    features, labels, _ = _features(dimension=10)
    problem = GrowingGrid(HeldRows(features, labels), 96).first(600)
    first = problem.fits((0.0, 1e-9), (20, 96), (1.0, 1.0))
    second = problem.fits((1e-9,), (96,), (1.0,))
    assert torch.allclose(first.coefficients[:, 1, 1], second.coefficients[:, 0, 0], rtol=1e-6)


def test_several_outputs_are_fitted_at_once():
    features, labels, _ = _features()
    both = torch.cat([labels, labels**2], dim=1)
    (fits,) = nested_grid_fits(HeldRows(features, both), (10, 96), (600,), [1e-3])
    (alone,) = nested_grid_fits(HeldRows(features, labels**2), (10, 96), (600,), [1e-3])
    assert torch.allclose(fits.coefficients[..., 1:], alone.coefficients, rtol=1e-9, atol=1e-12)


def test_features_of_zeros_give_zero_and_infinite_ones_an_error():
    labels = torch.ones(8, 1, dtype=torch.float64)
    for penalty in (0.0, 1.0):
        (fits,) = nested_grid_fits(HeldRows(torch.zeros(8, 4).double(), labels), (1, 4), (8,), [penalty])
        assert not bool(fits.coefficients.any())
    with pytest.raises(NumericalFailure):
        list(nested_grid_fits(HeldRows(torch.full((8, 4), math.inf).double(), labels), (4,), (8,), [1.0]))


def test_condition_number_is_between_the_true_one_and_its_bound():
    for seed, size in enumerate((1, 3, 40)):
        lower = torch.linalg.cholesky(symmetric_product(_random(2 * size, size, seed=seed)))
        true = float(torch.linalg.cond(lower)) ** 2
        assert 0.3 * true <= condition_number(lower) <= size**1.5 * true * (1 + 1e-12)


@pytest.mark.parametrize("size", [50, 97, 200, 333])
def test_cholesky_by_blocks_is_the_factor(size):
    gram = symmetric_product(_random(2 * size, size))
    lower, order = cholesky(gram.clone())
    assert order == size
    assert torch.allclose(lower, torch.linalg.cholesky(gram), rtol=1e-9, atol=1e-9)
    gram[size - 5, size - 5] = -1.0
    lower, order = cholesky(gram.clone())
    assert order == size - 5
    assert torch.allclose(lower @ lower.T, gram[:order, :order])


def test_factors_by_either_way_solve_the_same_problem():
    features, labels = _random(60, 12), _random(60, 2, seed=1)
    gram, moments = symmetric_product(features), features.T @ labels
    stacked = torch.linalg.qr(torch.cat([features, labels], dim=1), mode="r").R
    for shift in (0.0, 0.5):
        first = cholesky_factor(gram, moments, shift).coefficients((4, 12))
        second = triangular_factor(stacked[:, :12], stacked[:, 12:], shift).coefficients((4, 12))
        assert torch.allclose(first, second, rtol=1e-11, atol=1e-12)


def test_a_singular_gram_matrix_gives_the_factor_of_its_leading_block():
    features = _random(60, 12)
    features[:, 7] = features[:, 2]
    gram = symmetric_product(features)
    gram[7, 7] -= 1e-6
    factor = cholesky_factor(gram, features.T @ features[:, :1], 0.0)
    assert factor.lower.shape[0] == 7
    assert torch.allclose(factor.lower @ factor.lower.T, gram[:7, :7])
