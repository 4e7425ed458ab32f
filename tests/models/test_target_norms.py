"""The targets' Barron norm bounds and C_f against their own representations and against lower bounds."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from models.randomness import Randomness, normal_rows
from models.targets import TARGETS
from models.targets._waves import curvature_norm


def target(kind, **parameters):
    return TARGETS[kind](kind=kind, **parameters)


def column(values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


@pytest.mark.parametrize("phase", [0.0, 0.7, -1.5, 4.0, math.pi / 2])
@pytest.mark.parametrize(("positive", "negative"), [(5.0, 0.0), (0.4, 9.3), (2.0, 2.0)])
def test_curvature_norm_of_a_wave_equals_the_integral_over_its_thresholds(positive, negative, phase):
    total = positive + negative
    ends = {"uniform": (positive, negative), "sphere": (total, total)}
    for measure, (up, down) in ends.items():
        # A fine midpoint rule: the integrand is Lipschitz.
        expected = 0.0
        for end, sign in ((up, 1), (down, -1)):
            u = (np.arange(200_000) + 0.5) * end / 200_000
            expected += np.sum(np.abs(np.cos(sign * u + phase)) * (total + u)) * end / 200_000
        assert curvature_norm(positive, negative, phase, measure) == pytest.approx(expected, rel=1e-8)
    assert curvature_norm(positive, negative, phase, "gaussian") == math.inf


@pytest.mark.parametrize(
    "f",
    [
        target("runge"),
        target("runge", steepness=1.0),
        target("product_of_sines"),
        target("product_of_sines", half_waves=3),
        target("gaussian", width=0.3),
        target("sum_of_cosines"),
        target("sum_of_cosines", waves=[{"frequencies": (1.3,), "phase": 0.4}]),
        target("cosine_ridge", frequencies=(1.3,)),
    ],
)
def test_norm_bound_on_the_interval_dominates_its_own_ridge_representation(f):
    """f = f(0) + f'(0) x + int_0^1 f''(u) relu(x - u) du costs |f(0)| + |f'(0)| + int |f''(u)| (1 + u) du."""
    nodes = torch.linspace(0, 1, 20_001, dtype=torch.float64)[:, None].requires_grad_()
    values = f.evaluate(nodes)
    (slopes,) = torch.autograd.grad(values.sum(), nodes, create_graph=True)
    (curvatures,) = torch.autograd.grad(slopes.sum(), nodes)
    density = (curvatures.abs() * (1 + nodes))[:, 0].detach().numpy()
    norm = abs(values[0].item()) + abs(slopes[0].item()) + float(integrate.trapezoid(density, dx=1 / 20_000))
    known = f.known(1)
    assert norm <= known.barron_norm_bound * (1 + 1e-6)
    one_wave = f.kind in ("product_of_sines", "cosine_ridge") or (f.kind == "sum_of_cosines" and f.waves is not None)
    if one_wave:
        assert norm == pytest.approx(known.barron_norm_bound, rel=1e-6)
    assert known.barron_norm_bound <= 3 * known.spectral_bound + abs(slopes[0].item()) + abs(values[0].item()) + 1e-9


def test_product_of_sines_is_the_mean_of_its_waves():
    """The bound in d dimensions is at most 3 C_f, and about a quarter of it."""
    inputs = torch.rand(20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 5)
    waves = signs.prod(dim=1) * torch.cos(math.pi * inputs @ signs.T - 5 * math.pi / 2)
    torch.testing.assert_close(waves.mean(dim=1, keepdim=True), target("product_of_sines").evaluate(inputs))
    for dimension in (2, 5, 12):
        known = target("product_of_sines").known(dimension)
        assert known.spectral_bound == pytest.approx((math.pi * dimension) ** 2)
        assert 0.2 < known.barron_norm_bound / (3 * known.spectral_bound) < 0.35


def test_spectral_bound_of_runge_is_the_second_moment_of_laplace_frequencies():
    """1 / (1 + s^2 t^2) = int e^{-|w|/s} / (2s) cos(w t) dw, and C_f = E (sum |w_j|)^2."""
    s = 2 * 5.0
    for t in (0.0, 0.13, 0.5):
        value = integrate.quad(lambda w, t=t: math.exp(-w / s) / s * math.cos(w * t), 0, 400, limit=500)[0]
        assert value == pytest.approx(float(target("runge").evaluate(column([0.5 + t]))), rel=1e-8)
    frequencies = np.random.default_rng(0).exponential(s, (400_000, 3)).sum(axis=1) ** 2
    error = frequencies.std() / math.sqrt(len(frequencies))
    assert abs(target("runge").known(3).spectral_bound - frequencies.mean()) < 4 * error


def test_spectral_bound_of_a_sum_of_waves_is_the_sum():
    f = target("sum_of_cosines", waves=[{"frequencies": (1.0, -2.0), "coefficient": -3.0}, {"frequencies": (0.5,)}])
    assert f.known(2).spectral_bound == pytest.approx(4 * math.pi**2 * (3 * 9 + 0.25))
    one = target("sum_of_cosines", waves=[{"frequencies": (1.3, -0.8)}]).known(2)
    wave = target("cosine_ridge", frequencies=(1.3, -0.8)).known(2)
    assert one.barron_norm_bound == pytest.approx(wave.barron_norm_bound, rel=1e-12)


@pytest.mark.parametrize(("dimension", "center"), [(1, 0.4), (3, 0.0), (4, -0.7)])
def test_euclidean_norm_is_its_mean_of_neurons_and_costs_what_is_said(dimension, center):
    """|z| = (2 / E|u_1|) E relu(u.z): the value and the norm, bias weight counted, by Monte Carlo over u."""
    normal = normal_rows(Randomness(0), "u", 400_000, dimension)
    directions = normal / normal.norm(dim=1, keepdim=True)
    factor = 2 / (math.gamma(dimension / 2) / (math.sqrt(math.pi) * math.gamma((dimension + 1) / 2)))
    point = torch.linspace(0.1, 0.9, dimension, dtype=torch.float64) - center
    shifts = -center * directions.sum(dim=1)
    f = target("euclidean_norm", center=center)
    for draws, exact in (
        (factor * torch.relu(directions @ point), float(f.evaluate((point + center)[None, :]))),
        (factor * (directions.abs().sum(dim=1) + shifts.abs()), f.known(dimension).barron_norm_bound),
    ):
        assert abs(float(draws.mean()) - exact) < 5 * float(draws.std()) / math.sqrt(len(draws)) + 1e-12


@pytest.mark.parametrize(
    ("f", "affine", "neurons"),
    [
        (target("l1_norm", center=0.3), (0.0, 0.0), [(1, 1, -0.3), (1, -1, 0.3)]),
        (target("l1_norm", center=1.5), (1.5, -1.0), []),
        (target("sobol_g", importance=(2.0,)), (2 / 3, 0.0), [(4 / 3, 1, -0.5), (4 / 3, -1, 0.5)]),
        (
            target("distance_to_sphere", center=0.5, radius=0.25),
            (0.25, -1.0),
            [(2, 1, -0.25), (-2, 1, -0.5), (2, 1, -0.75)],
        ),
        (target("linear", weights=(-2.0,), bias=0.5), (0.5, -2.0), []),
        (target("single_neuron", weights=(-2.0,), bias=0.5), (0.0, 0.0), [(1, -2, 0.5)]),
    ],
)
def test_kinked_targets_on_the_interval_are_the_networks_whose_norm_is_the_bound(f, affine, neurons):
    """f(x) = b + s x + sum a relu(w x + c) has norm |b| + |s| + sum |a| (|w| + |c|) on [0,1]."""
    x = torch.linspace(0, 1, 201, dtype=torch.float64)[:, None]
    network = affine[0] + affine[1] * x + sum(a * torch.relu(w * x + c) for a, w, c in neurons)
    torch.testing.assert_close(network, f.evaluate(x))
    norm = abs(affine[0]) + abs(affine[1]) + sum(abs(a) * (abs(w) + abs(c)) for a, w, c in neurons)
    # The distance counts -x twice, so that its bound holds on the whole line.
    slack = 1.0 if f.kind == "distance_to_sphere" else 0.0
    assert f.known(1).barron_norm_bound == pytest.approx(norm + slack)


def slope_jump(f, point, direction, step=1e-6):
    """The jump of the derivative along `direction` at `point`."""
    at = torch.stack([point + shift * step * direction for shift in (-1, 0, 1)])
    before, here, after = f.evaluate(at)[:, 0].tolist()
    return (after - 2 * here + before) / step


def test_slope_of_a_function_outside_the_barron_space_jumps_along_a_curve():
    """At N points of the sphere, no three on a line, the jump is 2; along one line its sum stays bounded."""
    f = target("distance_to_sphere", center=0.5, radius=0.4)
    for angle in np.linspace(0, 2 * math.pi, 40):
        direction = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        assert slope_jump(f, 0.5 + 0.4 * direction, direction) == pytest.approx(2.0, rel=1e-4)
    assert f.known(2).barron_norm_bound == math.inf
    assert f.known(2).in_barron_space is False
    assert f.known(1).in_barron_space is True


def test_slope_of_a_product_jumps_by_different_amounts_along_one_hyperplane_and_that_of_a_sum_does_not():
    direction = torch.tensor([1.0, 0.0], dtype=torch.float64)
    jumps = {
        form: [
            slope_jump(target("sobol_g", form=form), torch.tensor([0.5, t], dtype=torch.float64), direction)
            for t in (0.1, 0.3, 0.45)
        ]
        for form in ("sum", "product")
    }
    assert jumps["sum"] == pytest.approx([8.0] * 3, rel=1e-6)
    assert max(jumps["product"]) > 1.3 * min(jumps["product"])
    assert target("sobol_g", form="product").known(2).in_barron_space is False
    assert target("sobol_g", form="product").known(1).in_barron_space is True


def test_friedman_2_has_its_kink_on_a_curve_of_a_face_and_friedman_3_a_jump_there():
    """On x_1 = 0, with x_4 = 0 and z_2 = 40 pi + 520 pi x_2, the curve is x_3 = z_2^{-2}."""
    direction = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    for x2 in (0.0, 0.2, 0.6):
        z2 = 40 * math.pi + 520 * math.pi * x2
        point = torch.tensor([0.0, x2, z2**-2, 0.0], dtype=torch.float64)
        assert slope_jump(target("friedman_2"), point, direction, 1e-7) == pytest.approx(2 * z2, rel=1e-4)
        sides = target("friedman_3").evaluate(torch.stack([point - 1e-7 * direction, point + 1e-7 * direction]))
        assert float(sides[1] - sides[0]) == pytest.approx(math.pi)


def test_whether_a_sphere_crosses_the_cube_decides_its_norm():
    def norm(center, radius):
        return target("distance_to_sphere", center=center, radius=radius).known(2).barron_norm_bound

    assert norm(0.5, 0.7) == math.inf  # the corners are sqrt(1/2) = 0.707 away
    assert norm(0.5, 0.71) < math.inf
    assert norm(2.0, 1.4) < math.inf  # the nearest corner is sqrt 2 away
    assert norm(2.0, 1.42) == math.inf


def test_spectral_bound_is_infinite_exactly_where_a_kink_lies_inside():
    assert target("l1_norm", center=1.0).known(2).spectral_bound == 0
    assert target("l1_norm", center=0.9).known(2).spectral_bound == math.inf
    assert target("single_neuron", weights=(1.0, 1.0), bias=0.0).known(2).spectral_bound == 0
    assert target("single_neuron", weights=(1.0, 1.0), bias=-0.1).known(2).spectral_bound == math.inf
    assert target("euclidean_norm").known(2).spectral_bound == math.inf
    assert target("euclidean_norm", center=-0.1).known(2).spectral_bound is None
