"""The targets' closed forms against quadrature, another formula, or their own representation."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from models.targets.cosine_ridge import CosineRidge
from models.targets.gaussian import Gaussian
from models.targets.planted_two_layer import PlantedTwoLayer

RULE = np.polynomial.legendre.leggauss(60)


def squared_and_mean_by_quadrature(target, dimension):
    """Tensor Gauss-Legendre rule on [0,1]^d."""
    nodes, weights = torch.tensor((RULE[0] + 1) / 2), torch.tensor(RULE[1] / 2)
    grid = torch.cartesian_prod(*[nodes] * dimension).reshape(-1, dimension)
    products = torch.cartesian_prod(*[weights] * dimension).reshape(-1, dimension).prod(dim=1)
    values = target.evaluate(grid)[:, 0]
    return float(products @ values), float(products @ values**2)


@pytest.mark.parametrize(
    "target",
    [
        CosineRidge(kind="cosine_ridge"),
        CosineRidge(kind="cosine_ridge", frequencies=(1.3, -0.4)),
        CosineRidge(kind="cosine_ridge", frequencies=(0.0,)),
        CosineRidge(kind="cosine_ridge", frequencies=(2.0, -2.0)),
        Gaussian(kind="gaussian"),
        Gaussian(kind="gaussian", center=-1.0, width=0.4),
        Gaussian(kind="gaussian", center=2.0, width=0.7),
    ],
)
def test_moments_equal_quadrature(target):
    for dimension in (2, 3):
        known = target.known(dimension)
        mean, squared = squared_and_mean_by_quadrature(target, dimension)
        assert known.mean == pytest.approx(mean, rel=1e-10, abs=1e-13)
        assert known.l2_norm_squared == pytest.approx(squared, rel=1e-10, abs=1e-13)


@pytest.mark.parametrize("frequencies", [(1.0,), (0.1,), (0.25,), (3.7, -1.2), (0.0, 2.0), (-5.25,), (0.5, 0.5)])
def test_barron_bound_of_a_plane_wave_equals_the_integral_of_its_ridge_representation(frequencies):
    positive = sum(b for b in frequencies if b > 0)
    negative = -sum(b for b in frequencies if b < 0)
    total = positive + negative

    def density(u):
        return 4 * math.pi**2 * abs(math.cos(2 * math.pi * u)) * (total + u)

    kinks = [0.25 + 0.5 * k for k in range(40)]
    expected = 1.0 + sum(
        integrate.quad(density, 0, end, points=[k for k in kinks if k < end] or None, limit=200)[0]
        for end in (positive, negative)
        if end > 0
    )
    known = CosineRidge(kind="cosine_ridge", frequencies=frequencies).known(2)
    assert known.barron_norm_bound == pytest.approx(expected, rel=1e-9)
    # The general statement ||f||_B <= 3 C_f + |grad f(0)|_1 + |f(0)| is never better.
    assert known.barron_norm_bound <= 3 * known.spectral_bound + 1 + 1e-9
    assert known.spectral_bound == pytest.approx(4 * math.pi**2 * total**2)


def test_ridge_representation_of_a_plane_wave_is_the_plane_wave():
    """f(x) = 1 + int g''(u) relu(t - u) du over [0, B+], and the mirror image, at t = b.x."""
    x = torch.tensor([[0.3, 0.9]]).double()
    b = (1.3, -0.8)
    t = float(x[0, 0] * b[0] + x[0, 1] * b[1])

    def second(u):
        return -4 * math.pi**2 * math.cos(2 * math.pi * u)

    # relu(t - u) vanishes beyond u = t, so the integrals end at max(t, 0) and max(-t, 0).
    up = integrate.quad(lambda u: second(u) * (t - u), 0, max(t, 0.0))[0]
    down = integrate.quad(lambda u: second(-u) * (-t - u), 0, max(-t, 0.0))[0]
    value = CosineRidge(kind="cosine_ridge", frequencies=b).evaluate(x)
    assert float(value) == pytest.approx(1 + up + down, rel=1e-9)


def test_spectral_bound_of_a_gaussian_equals_the_moment_of_its_fourier_transform():
    for dimension, width in ((1, 0.5), (4, 1.3)):
        normal = np.random.default_rng(0).standard_normal((400_000, dimension)) / width
        moments = np.abs(normal).sum(axis=1) ** 2
        known = Gaussian(kind="gaussian", width=width).known(dimension)
        assert abs(known.spectral_bound - moments.mean()) < 5 * moments.std() / math.sqrt(len(moments))


def test_far_gaussian_keeps_its_digits():
    """erf differences cancel where both ends lie far on one side."""
    exact = integrate.quad(lambda x: math.exp(-((x - 10) ** 2) / 2), 0, 1, epsabs=0)[0]
    assert Gaussian(kind="gaussian", center=10.0, width=1.0).known(1).mean == pytest.approx(exact, rel=1e-9)


def test_wave_with_more_entries_than_dimensions_is_refused():
    target = CosineRidge(kind="cosine_ridge", frequencies=(1.0, 2.0, 3.0))
    assert "3 entries" in target.check_dimension(2)
    assert target.check_dimension(3) is None


def test_planted_path_norm_is_its_barron_bound():
    target = PlantedTwoLayer(kind="planted_two_layer", neurons=13, path_norm=4.0, seed=3)
    directions, coefficients = target.neuron_weights(5)
    path_norm = float((coefficients.abs() * directions.abs().sum(dim=1)).mean())
    assert path_norm == pytest.approx(4.0)
    assert target.known(5).barron_norm_bound == pytest.approx(path_norm)


def test_planted_neurons_of_a_smaller_width_are_the_first_of_a_larger_one():
    small, large = (PlantedTwoLayer(kind="planted_two_layer", neurons=m).neuron_weights(4) for m in (5, 400))
    assert torch.equal(small[0], large[0][:5])
    assert torch.equal(small[1], large[1][:5])


def test_planted_network_is_realised_by_a_two_layer_space_of_its_width():
    from models.hypothesis_spaces.two_layer import TwoLayer

    target = PlantedTwoLayer(kind="planted_two_layer", neurons=6)
    directions, coefficients = target.neuron_weights(3)
    space = TwoLayer(kind="two_layer", width=6, scaling="mean_field")
    parameters = {"weights": directions[:, :-1], "biases": directions[:, -1], "coefficients": coefficients[:, None]}
    inputs = torch.rand(20, 3, dtype=torch.float64)
    torch.testing.assert_close(space.evaluate(parameters, inputs), target.evaluate(inputs))
