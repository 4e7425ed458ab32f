"""Orthonormal bases, exact reproduction, rates and the curse of dimensionality."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from models.errors import InvalidData
from models.experiments.decompose_error import DecomposeError
from models.experiments.fit import Fit
from models.hypothesis_spaces.piecewise_linear import PiecewiseLinear
from models.hypothesis_spaces.polynomial import Polynomial
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.trigonometric import Trigonometric
from models.kernels import kernel_matrix
from models.least_squares import ridge_solution
from models.randomness import Randomness, uniform_rows
from models.targets.cosine_ridge import CosineRidge


def polynomial(**size):
    return Polynomial(kind="polynomial", **size)


def trigonometric(**size):
    return Trigonometric(kind="trigonometric", **size)


def mesh(**size):
    return PiecewiseLinear(kind="piecewise_linear", **size)


def drawn(space, dimension, seed=0):
    return space.draw(dimension, 1, Randomness(seed), torch.float64)


def interpolant(space, inputs, labels):
    """Least squares of smallest norm."""
    parameters = drawn(space, inputs.shape[1])
    parameters["coefficients"], _ = ridge_solution(space.features(parameters, inputs), labels, 0.0)
    return lambda rows: space.evaluate(parameters, rows)


def tensor_grid(nodes, weights, dimension):
    points = torch.cartesian_prod(*[nodes] * dimension).reshape(-1, dimension)
    return points, torch.cartesian_prod(*[weights] * dimension).reshape(-1, dimension).prod(dim=1)


def gauss_legendre(count, dimension):
    nodes, weights = (torch.from_numpy(array) for array in np.polynomial.legendre.leggauss(count))
    return tensor_grid((nodes + 1) / 2, weights / 2, dimension)


def gram(space, points, weights):
    features = space.features(drawn(space, points.shape[1]), points)
    return features.T @ (weights[:, None] * features)


@pytest.mark.parametrize(("dimension", "degree"), [(1, 20), (2, 7), (3, 4)])
def test_polynomials_are_orthonormal_and_as_many_as_the_formula_says(dimension, degree):
    space = polynomial(degree=degree)
    products = gram(space, *gauss_legendre(degree + 1, dimension))
    assert products.shape[0] == math.comb(dimension + degree, degree) == space.feature_count(dimension)
    torch.testing.assert_close(products, torch.eye(len(products)).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("dimension", "settings", "count"),
    [
        (1, {"frequency": 9}, 19),
        (2, {"frequency": 3}, 49),
        (3, {"frequency": 1}, 27),
        (3, {"frequency": 2, "frequencies": "total"}, 25),
        (2, {"frequency": 3, "frequencies": "total"}, 25),
    ],
)
def test_trigonometric_polynomials_are_orthonormal(dimension, settings, count):
    """Equal weights on an equispaced grid integrate products of such low frequencies exactly."""
    space = trigonometric(**settings)
    nodes = 2 * settings["frequency"] + 2
    grid = torch.arange(nodes, dtype=torch.float64) / nodes
    products = gram(space, *tensor_grid(grid, torch.full((nodes,), 1 / nodes, dtype=torch.float64), dimension))
    assert products.shape[0] == count == space.feature_count(dimension)
    torch.testing.assert_close(products, torch.eye(count).double(), rtol=0, atol=1e-12)


def test_polynomials_reproduce_polynomials_on_any_box():
    def target(rows):
        return 1 - 2 * rows[:, :1] ** 3 + rows[:, :1] * rows[:, 1:2] * rows[:, 2:3] - rows[:, 2:3] ** 2

    inputs = 6 * uniform_rows(Randomness(0), "inputs", 60, 3) - 3
    fresh = 6 * uniform_rows(Randomness(0), "fresh", 60, 3) - 3
    fit = interpolant(polynomial(degree=3, lower=-3.0, upper=3.0), inputs, target(inputs))
    torch.testing.assert_close(fit(fresh), target(fresh), rtol=0, atol=1e-10)
    short = interpolant(polynomial(degree=2, lower=-3.0, upper=3.0), inputs, target(inputs))
    assert float((short(fresh) - target(fresh)).abs().max()) > 1


def test_mesh_reproduces_multilinear_functions_and_its_coefficients_are_nodal_values():
    def target(rows):
        return 2 + rows[:, :1] - 3 * rows[:, :1] * rows[:, 1:2] * rows[:, 2:3]

    space, points = mesh(cells=3), uniform_rows(Randomness(0), "points", 300, 3)
    nodes, _ = tensor_grid(torch.arange(4).double() / 3, torch.ones(4).double(), 3)
    parameters = drawn(space, 3)
    parameters["coefficients"] = target(nodes)
    torch.testing.assert_close(space.evaluate(parameters, points), target(points))
    torch.testing.assert_close(interpolant(space, points, target(points))(nodes), target(nodes))
    torch.testing.assert_close(space.features(parameters, points).sum(dim=1), torch.ones(300).double())


def log_log_slope(sizes, errors):
    """Slope and half width of its 95 % interval, as if deviations from the line were normal."""
    fit = stats.linregress(np.log(sizes), np.log(errors))
    return fit.slope, stats.t.ppf(0.975, len(sizes) - 2) * fit.stderr


def bump(rows):
    return torch.exp(-((rows - 0.4) ** 2).sum(dim=1, keepdim=True) / 0.18)


@pytest.mark.parametrize(("dimension", "cells"), [(1, (32, 64, 128, 256)), (2, (8, 12, 16, 24))])
def test_mesh_error_falls_like_m_to_the_minus_two_over_d(dimension, cells):
    fresh = uniform_rows(Randomness(0), "fresh", 5_000, dimension)
    inputs = uniform_rows(Randomness(0), "inputs", 5_000, dimension)
    errors, widths = [], []
    for count in cells:
        space = mesh(cells=count)
        widths.append(space.feature_count(dimension))
        fit = interpolant(space, inputs, bump(inputs))
        errors.append(float((fit(fresh) - bump(fresh)).square().mean().sqrt()))
    slope, half_width = log_log_slope(widths, errors)
    assert half_width < 0.15
    # m = (c + 1)^d instead of c^d makes the measured slope a little steeper at these sizes.
    assert -2 / dimension * 1.15 < slope < -2 / dimension * 0.98


@pytest.mark.parametrize("dimension", [1, 10])
def test_monte_carlo_error_falls_like_n_to_the_minus_one_half_in_every_dimension(dimension):
    """E f*(x) by the mean of n draws; the root of the mean square error over 400 samples of each size."""
    target = CosineRidge(kind="cosine_ridge", frequencies=(0.4,) * dimension)
    mean = target.known(dimension, "uniform").mean
    sizes, errors = (50, 100, 200, 400, 800, 1600), []
    for size in sizes:
        inputs = uniform_rows(Randomness(size), "inputs", 400 * size, dimension)
        means = target.evaluate(inputs).reshape(400, size).mean(dim=1)
        errors.append(float((means - mean).square().mean().sqrt()))
    slope, half_width = log_log_slope(sizes, errors)
    assert half_width < 0.1
    assert abs(slope + 0.5) < half_width


@pytest.mark.parametrize(("feature", "kernel"), [("relu", "arc_cosine"), ("fourier", "gaussian")])
def test_random_features_beat_the_monte_carlo_rate_in_the_mean_square(feature, kernel):
    """f* = k(., z) = E phi(.; w) phi(z; w): coefficients phi(z; w_j) / sqrt m already give the Monte Carlo error.

    mu is the law of 3,000 points themselves, so that least squares is the projection and nothing is estimated.
    """
    inputs = uniform_rows(Randomness(0), "inputs", 3_000, 5)
    center = torch.full((1, 5), 0.9, dtype=torch.float64)
    truth = kernel_matrix(kernel, inputs, center, None)
    widths, errors = (64, 96, 128, 192, 256, 384), []
    for width in widths:
        space = RandomFeatures(kind="random_features", width=width, feature=feature)
        best, simulated = [], []
        for seed in range(6):
            parameters = drawn(space, 5, seed)
            features = space.features(parameters, inputs)
            simulated.append(float((features @ space.features(parameters, center).T - truth).square().mean()))
            coefficients, _ = ridge_solution(features, truth, 0.0)
            best.append(float((features @ coefficients - truth).square().mean()))
        errors.append(math.sqrt(sum(best) / 6))
        assert sum(best) < sum(simulated) / 10
    slope, half_width = log_log_slope(widths, errors)
    assert slope + half_width < -0.5


def runge(rows):
    return 1 / (1 + 25 * (2 * rows - 1) ** 2)


def runge_error(degree, inputs):
    grid = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    fit = interpolant(polynomial(degree=degree), inputs, runge(inputs))
    return float((fit(grid) - runge(grid)).abs().max())


def test_runge_phenomenon_is_one_of_equally_spaced_points():
    degrees = (8, 12, 16, 20)
    equispaced, chebyshev, random = [], [], []
    for degree in degrees:
        index = torch.arange(degree + 1, dtype=torch.float64)[:, None]
        equispaced.append(runge_error(degree, index / degree))
        chebyshev.append(runge_error(degree, (1 - torch.cos((index + 0.5) * math.pi / (degree + 1))) / 2))
        # Least squares at random points is stable from about p^2 points on.
        random.append(runge_error(degree, uniform_rows(Randomness(0), "rows", 4 * (degree + 1) ** 2, 1)))
    assert all(later > 3 * earlier for earlier, later in pairwise(equispaced))
    for errors in (chebyshev, random):
        assert all(later < 0.8 * earlier for earlier, later in pairwise(errors))


@pytest.mark.parametrize(
    ("space", "dimension", "resolution", "count"),
    [
        (polynomial(width=100), 3, 6, 84),
        (polynomial(width=10), 10, 0, 1),
        (polynomial(width=11), 10, 1, 11),
        (trigonometric(width=100), 2, 4, 81),
        (trigonometric(width=1000, frequencies="total"), 3, 8, 833),
        (mesh(width=100), 2, 9, 100),
        (mesh(width=99), 2, 8, 81),
        (mesh(), 1, 99, 100),
    ],
)
def test_width_gives_the_finest_resolution_that_fits(space, dimension, resolution, count):
    assert space.resolution(dimension) == resolution
    assert space.check_dimension(dimension) is None
    assert len(drawn(space, dimension)["coefficients"]) == count == space.feature_count(dimension) <= space.width


def test_width_and_resolution_together_are_refused():
    for space, field in ((Polynomial, "degree"), (Trigonometric, "frequency"), (PiecewiseLinear, "cells")):
        with pytest.raises(ValidationError, match=f"either width or {field}"):
            space(kind=space.model_fields["kind"].annotation.__args__[0], width=10, **{field: 2})
    with pytest.raises(ValidationError, match="box is empty"):
        polynomial(degree=1, lower=1.0)


def test_a_mesh_that_cannot_fit_names_the_nodes_it_needs():
    assert "needs 1,024 basis functions; 1,000 are allowed" in mesh(width=1000).check_dimension(10)
    assert "about 10^30" in mesh(cells=9).check_dimension(30).replace("1,000,000", "")
    with pytest.raises(InvalidData, match="1,024"):
        drawn(mesh(width=1000), 10)


def test_jobs_refuse_the_curse_before_they_run():
    data = {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 12}
    grid = {"kind": "decompose_error", "data": data, "learner": {"kind": "ridge"}, "sample_sizes": [50]}
    with pytest.raises(ValidationError, match="needs 4,096 basis functions"):
        DecomposeError(**grid, hypothesis_space={"kind": "piecewise_linear"}, widths=[5000, 1000])
    fit = Fit(
        kind="fit", data=data, learner={"kind": "ridge"}, sample_size=50,
        hypothesis_space={"kind": "trigonometric", "frequency": 2},
    )  # fmt: skip
    with pytest.raises(InvalidData, match="244,140,625") as refusal:
        fit.plan({})
    assert refusal.value.param == "/hypothesis_space"
