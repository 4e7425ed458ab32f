"""One eigendecomposition against the iteration itself, the closed form by singular values, and single ridge fits."""

import pytest
import torch

from models.gradient_flow import linear_trajectory
from models.least_squares import ridge_solution
from models.linear_grid.spectrum import spectrum_of_gram, spectrum_of_rows


def _rows(n, m, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, m, generator=generator, dtype=torch.float64) @ torch.diag(
        torch.logspace(0, -2, m, dtype=torch.float64)
    )
    return features, torch.randn(n, 2, generator=generator, dtype=torch.float64)


SHAPES = [(60, 12), (12, 60), (30, 30)]


@pytest.mark.parametrize(("n", "m"), SHAPES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.02])
def test_descent_equals_the_iteration_to_ten_digits(n, m, weight_decay):
    features, labels = _rows(n, m)
    spectrum = spectrum_of_rows(features, labels)
    step_size = 0.9 / (float(spectrum.eigenvalues[-1]) + weight_decay / 2)
    steps = [0, 1, 2, 7, 100, 2_000]
    path = spectrum.descent(step_size, steps, weight_decay)
    coefficients = torch.zeros(m, 2, dtype=torch.float64)
    for step in range(steps[-1] + 1):
        if step in steps:
            difference = (path[steps.index(step)] - coefficients).abs().max()
            assert float(difference) < 1e-10 * max(1.0, float(coefficients.abs().max()))
        gradient = 2 * features.T @ (features @ coefficients - labels) / n + weight_decay * coefficients
        coefficients = coefficients - step_size * gradient


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_predictions_along_ten_million_steps_are_those_of_the_singular_values(n, m):
    features, labels = _rows(n, m)
    step_size = 0.5 * n / float(torch.linalg.matrix_norm(features, 2)) ** 2
    steps = [10**power for power in range(8)]
    exact = linear_trajectory(features, labels, torch.zeros(m, 2, dtype=torch.float64), step_size, steps)
    path = spectrum_of_rows(features, labels).descent(step_size, steps)
    assert float((features @ (path - exact)).abs().max()) < 1e-9 * float(labels.abs().max())


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_penalties_are_single_ridge_fits(n, m):
    features, labels = _rows(n, m)
    penalties = [1e-6, 1e-2, 1.0, 100.0]
    path = spectrum_of_rows(features, labels).ridge(penalties)
    for coefficients, penalty in zip(path, penalties, strict=True):
        assert torch.allclose(coefficients, ridge_solution(features, labels, penalty)[0], rtol=1e-7, atol=1e-9)


def test_features_of_zeros_stay_at_the_start():
    spectrum = spectrum_of_gram(torch.zeros(3, 3).double(), torch.zeros(3, 1).double(), 5)
    assert not bool(spectrum.descent(0.5, [10**7]).any())
