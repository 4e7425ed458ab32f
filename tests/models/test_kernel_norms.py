"""RKHS norms of targets against the norms of interpolants, which rise to them as points become dense."""

import math

import mpmath
import pytest
import torch

from models.kernels import kernel_matrix
from models.targets import TARGETS
from models.targets._kernel_norms import norms_of_affine, norms_of_bump


def target(kind, **parameters):
    return TARGETS[kind](kind=kind, **parameters)


def interpolant_norm(f, points: int, low=0.0, high=1.0) -> float:
    """sqrt(y^T K^{-1} y) for the Gaussian kernel of bandwidth 1 in d = 1, with 200 digits: K is hardly regular."""
    with mpmath.workdps(200):
        grid = [mpmath.mpf(low) + (mpmath.mpf(high) - low) * i / (points - 1) for i in range(points)]
        kernel = mpmath.matrix(points, points)
        for i, x in enumerate(grid):
            for j, y in enumerate(grid):
                kernel[i, j] = mpmath.exp(-((x - y) ** 2) / 2)
        values = mpmath.matrix([f(x) for x in grid])
        return float(mpmath.sqrt((values.T * mpmath.lu_solve(kernel, values))[0]))


@pytest.mark.parametrize(("width", "center"), [(1.0, 0.5), (0.8, 0.5), (1.5, 0.2), (3.0, -1.0)])
def test_bump_in_the_gaussian_space_is_the_limit_of_interpolants_on_a_part_of_the_line(width, center):
    exact = target("gaussian", width=width, center=center).known(1).rkhs_norms["gaussian"]

    def bump(x):
        return mpmath.exp(-((x - center) ** 2) / (2 * mpmath.mpf(width) ** 2))

    norms = [interpolant_norm(bump, points) for points in (4, 8, 30)]
    assert norms[0] <= norms[1] <= norms[2] <= exact * (1 + 1e-12)
    assert norms[2] == pytest.approx(exact, rel=0.03)


def test_narrow_bumps_and_waves_leave_the_gaussian_space():
    assert target("gaussian", width=0.7).known(1).rkhs_norms["gaussian"] == math.inf
    assert target("cosine_ridge", frequencies=(0.5,)).known(1).rkhs_norms["gaussian"] == math.inf
    norms = [interpolant_norm(lambda x: mpmath.cos(mpmath.pi * x), points) for points in (10, 20, 40)]
    # The partial sums of Hermite functions grow like the root of their number: no limit.
    assert norms[1] / norms[0] > 1.05
    assert norms[2] / norms[1] > 1.05


def test_bump_of_the_kernels_own_width_is_a_kernel_function():
    for dimension in (1, 3, 10):
        assert norms_of_bump(math.sqrt(dimension), dimension, "uniform")["gaussian"] == pytest.approx(1.0)
    assert norms_of_bump(1.0, 1, "sphere") == {}


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_affine_functions_are_within_their_bound_in_the_arc_cosine_space(dimension):
    generator = torch.Generator().manual_seed(dimension)
    weights = torch.randn(dimension, generator=generator, dtype=torch.float64)
    bound = norms_of_affine(weights, 0.3, "uniform")["arc_cosine"]
    points = 20 * torch.randn(300, dimension, generator=generator, dtype=torch.float64)
    kernel = kernel_matrix("arc_cosine", points, points, None)
    values = points @ weights + 0.3
    jitter = 1e-10 * float(kernel.diagonal().mean()) * torch.eye(300, dtype=torch.float64)
    reached = math.sqrt(float(values @ torch.linalg.solve(kernel + jitter, values)))
    assert 0.4 * bound < reached < bound


def test_affine_function_is_the_mean_of_its_neurons():
    weights, bias, count = torch.tensor([1.0, -2.0]).double(), 0.5, 2_000_000
    directions = torch.randn(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    directions /= directions.norm(dim=1, keepdim=True)
    target_direction = torch.tensor([1.0, -2.0, 0.5]).double()
    coefficients = 6 * directions @ target_direction
    point = torch.tensor([0.3, 0.9, 1.0]).double()
    values = coefficients * (directions @ point).clamp(min=0)
    error = float(values.std()) / math.sqrt(count)
    assert float(values.mean()) == pytest.approx(0.3 - 1.8 + bias, abs=5 * error)
    norm = norms_of_affine(weights, bias, "uniform")["arc_cosine"]
    assert float((coefficients**2).mean()) == pytest.approx(norm**2, rel=0.01)
