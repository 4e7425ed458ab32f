"""The targets' means and norms against tensor quadrature, one-dimensional integrals, and special functions."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from models.measures import draw_inputs
from models.randomness import Randomness
from models.targets import TARGETS

UNIT_RULE = np.polynomial.legendre.leggauss(48)
NORMAL_RULE = np.polynomial.hermite_e.hermegauss(80)


def target(kind, **parameters):
    return TARGETS[kind](kind=kind, **parameters)


def tensor_moments(f, dimension, measure="uniform", cuts=(0.0, 1.0)):
    """E f and E f^2 by a tensor rule: Gauss-Legendre between `cuts` of [0,1], or Gauss-Hermite for N(0, I)."""
    if measure == "gaussian":
        nodes, weights = torch.tensor(NORMAL_RULE[0]), torch.tensor(NORMAL_RULE[1] / NORMAL_RULE[1].sum())
    else:
        pieces = list(pairwise(cuts))
        nodes = torch.cat([torch.tensor(low + (high - low) * (UNIT_RULE[0] + 1) / 2) for low, high in pieces])
        weights = torch.cat([torch.tensor((high - low) * UNIT_RULE[1] / 2) for low, high in pieces])
    grid = torch.cartesian_prod(*[nodes] * dimension).reshape(-1, dimension)
    products = torch.cartesian_prod(*[weights] * dimension).reshape(-1, dimension).prod(dim=1)
    values = f.evaluate(grid)[:, 0]
    return float(products @ values), float(products @ values**2)


def circle_moments(f):
    """E f and E f^2 on S^1, by the trapezoidal rule in the angle."""
    angles = 2 * math.pi * torch.arange(100_000, dtype=torch.float64) / 100_000
    values = f.evaluate(torch.stack([angles.cos(), angles.sin()], dim=1))[:, 0]
    return float(values.mean()), float((values**2).mean())


WAVES = [
    {"frequencies": (1.0, -2.0), "coefficient": 0.7, "phase": 0.4},
    {"frequencies": (0.3,), "coefficient": -1.2},
    {"frequencies": (1.0, -2.0), "coefficient": 0.5, "phase": 2.0},
]
SMOOTH_ON_THE_CUBE = [
    (target("sum_of_cosines"), 3),
    (target("sum_of_cosines", waves=WAVES), 2),
    (target("linear"), 3),
    (target("linear", weights=(1.0, -2.0), bias=0.3), 2),
    (target("product_of_sines"), 3),
    (target("product_of_sines", half_waves=3), 2),
    (target("runge", steepness=1.0), 2),
    (target("single_neuron", weights=(0.5, 0.25), bias=0.1), 2),
    (target("euclidean_norm", center=-0.5), 3),
    (target("euclidean_norm", center=1.7), 2),
    (target("l1_norm", center=1.2), 2),
    (target("distance_to_sphere", center=2.0, radius=0.3), 2),
    (target("distance_to_sphere", center=-0.4, radius=2.5), 2),
]


@pytest.mark.parametrize(("f", "dimension"), SMOOTH_ON_THE_CUBE)
def test_moments_of_smooth_targets_equal_tensor_quadrature(f, dimension):
    known = f.known(dimension)
    mean, squared = tensor_moments(f, dimension)
    assert known.mean == pytest.approx(mean, rel=1e-9, abs=1e-13)
    assert known.l2_norm_squared == pytest.approx(squared, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(
    ("f", "dimension", "cut"),
    [
        (target("runge"), 2, 0.5),
        (target("l1_norm", center=0.3), 3, 0.3),
        (target("sobol_g", importance=(0.0, 2.0)), 3, 0.5),
        (target("sobol_g", form="product", importance=(0.0, 2.0), rest=5.0), 3, 0.5),
        (target("distance_to_sphere", center=0.5, radius=0.25), 1, 0.5),
        (target("single_neuron", weights=(2.0,), bias=-0.8), 1, 0.4),
        (target("euclidean_norm", center=0.25), 1, 0.25),
    ],
)
def test_moments_of_targets_with_kinks_on_a_grid_equal_quadrature_between_the_kinks(f, dimension, cut):
    cuts = (0.0, cut, 1.0) if f.kind != "distance_to_sphere" else (0.0, 0.25, 0.5, 0.75, 1.0)
    mean, squared = tensor_moments(f, dimension, cuts=cuts)
    known = f.known(dimension)
    assert known.mean == pytest.approx(mean, rel=1e-9)
    assert known.l2_norm_squared == pytest.approx(squared, rel=1e-9)


def test_mean_length_in_the_square_and_the_cube_are_the_box_integrals():
    """B_2(1) = (sqrt 2 + asinh 1) / 3 and B_3(1) = sqrt 3 / 4 + log(2 + sqrt 3) / 2 - pi / 24."""
    square = (math.sqrt(2) + math.asinh(1)) / 3
    cube = math.sqrt(3) / 4 + math.log(2 + math.sqrt(3)) / 2 - math.pi / 24
    assert target("euclidean_norm").known(1).mean == pytest.approx(0.5, rel=1e-12)
    assert target("euclidean_norm").known(2).mean == pytest.approx(square, rel=1e-12)
    assert target("euclidean_norm").known(3).mean == pytest.approx(cube, rel=1e-12)
    assert target("euclidean_norm", center=0.5).known(2).mean == pytest.approx(square / 2, rel=1e-12)
    assert target("euclidean_norm", center=1.0).known(3).mean == pytest.approx(cube, rel=1e-12)


def test_mean_length_in_high_dimension_follows_the_law_of_large_numbers():
    """E R = m - Var(R^2) / (8 m^3) + O(m^{-3}) with m^2 = E R^2; Var x^2 = 4/45 for x ~ U[0,1]."""
    d = 10_000
    root = math.sqrt(d / 3)
    assert target("euclidean_norm").known(d).mean == pytest.approx(root - d * (4 / 45) / (8 * root**3), rel=1e-7)


def test_moments_of_the_length_of_a_normal_vector_are_those_of_noncentral_chi():
    for dimension, center in ((1, 0.0), (3, 0.7), (8, -1.5)):
        law = stats.ncx2(dimension, dimension * center**2) if center else stats.chi2(dimension)
        mean = integrate.quad(lambda v, law=law: 2 * v**2 * law.pdf(v**2), 0, 40, limit=200)[0]
        known = target("euclidean_norm", center=center).known(dimension, "gaussian")
        assert known.mean == pytest.approx(mean, rel=1e-8)
        assert known.l2_norm_squared == pytest.approx(law.mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("center", "radius", "dimension"), [(0.5, 0.5, 2), (0.5, 0.3, 3), (0.0, 1.0, 2), (1.0, 0.7, 3)]
)
def test_mean_distance_to_a_sphere_equals_the_polar_integral_over_the_ball_inside_the_cube(center, radius, dimension):
    """E | R - r | = E R - r + 2 E relu(r - R), the last over the ball or its part in the cube's corner."""
    parts = 1 if center == 0.5 else 2**dimension
    surface = 2 * math.pi ** (dimension / 2) / special.gamma(dimension / 2) / parts
    shortfall = integrate.quad(lambda s: (radius - s) * surface * s ** (dimension - 1), 0, radius)[0]
    length = target("euclidean_norm", center=center).known(dimension).mean
    known = target("distance_to_sphere", center=center, radius=radius).known(dimension)
    assert known.mean == pytest.approx(length - radius + 2 * shortfall, rel=1e-10)


def test_moments_of_the_distance_to_a_sphere_under_the_normal_law_are_integrals_over_chi():
    for dimension, radius in ((1, 0.5), (4, 2.0), (9, 1.0)):
        law = stats.chi(dimension)
        known = target("distance_to_sphere", center=0.0, radius=radius).known(dimension, "gaussian")

        def moment(power, law=law, radius=radius):
            return integrate.quad(lambda s: abs(s - radius) ** power * law.pdf(s), 0, 20, points=[radius])[0]

        assert known.mean == pytest.approx(moment(1), rel=1e-8)
        assert known.l2_norm_squared == pytest.approx(moment(2), rel=1e-8)


def test_moments_of_a_neuron_on_the_cube_equal_nested_integrals():
    weights, bias = (1.5, -0.7, 0.3), -0.2
    known = target("single_neuron", weights=weights, bias=bias).known(3)
    # The inner integral of relu(s + w t)^p over t in [0,1] is closed; the outer rule is fine enough for its kinks.
    points, rule = (np.polynomial.legendre.leggauss(800)[0] + 1) / 2, np.polynomial.legendre.leggauss(800)[1] / 2
    s = bias + weights[1] * points[:, None] + weights[2] * points[None, :]
    for power, value in ((1, known.mean), (2, known.l2_norm_squared)):
        upper, lower = np.maximum(s + weights[0], 0), np.maximum(s, 0)
        inner = (upper ** (power + 1) - lower ** (power + 1)) / ((power + 1) * weights[0])
        assert value == pytest.approx(rule @ inner @ rule, rel=1e-7)


def test_neuron_with_many_weights_keeps_its_digits_and_beyond_ten_says_nothing():
    """Small weights beside large ones: in floating point the 2^10 terms lose every digit."""
    small = target("single_neuron", weights=(1.0, *[1e-4] * 9), bias=-0.5).known(10)
    # With S = sum of the nine others: E relu(x - 1/2 + S) = E (1/2 + S)^2 / 2.
    expected = ((0.5 + 9e-4 / 2) ** 2 + 9 * 1e-8 / 12) / 2
    assert small.mean == pytest.approx(expected, rel=1e-13)
    assert target("single_neuron").known(11).mean is None
    assert target("single_neuron", weights=(1.0,) * 11, bias=0.0).known(11).mean == pytest.approx(5.5)


@pytest.mark.parametrize(
    ("f", "dimension"),
    [
        (target("sum_of_cosines", waves=[{"frequencies": (0.3, -0.4), "phase": 0.7}, {"frequencies": (0.2,)}]), 2),
        (target("cosine_ridge", frequencies=(0.3, 0.5)), 2),
        (target("gaussian", center=0.3, width=1.2), 2),
        (target("linear", weights=(1.0, -2.0), bias=0.4), 2),
        (target("product_of_sines"), 2),
    ],
)
def test_moments_under_the_normal_law_equal_gauss_hermite(f, dimension):
    mean, squared = tensor_moments(f, dimension, "gaussian")
    known = f.known(dimension, "gaussian")
    assert known.mean == pytest.approx(mean, rel=1e-8, abs=1e-12)
    assert known.l2_norm_squared == pytest.approx(squared, rel=1e-8)


def test_moments_of_kinked_targets_under_the_normal_law_equal_one_dimensional_integrals():
    density = stats.norm.pdf
    neuron = target("single_neuron", weights=(0.6, -0.8), bias=0.5).known(2, "gaussian")
    planted = target("planted_two_layer", neurons=3)
    directions, coefficients = planted.neuron_weights(4)
    folded = {
        p: integrate.quad(lambda z, p=p: abs(z - 0.5) ** p * density(z), -20, 20, points=[0.5])[0] for p in (1, 2)
    }
    for power, value in ((1, neuron.mean), (2, neuron.l2_norm_squared)):
        assert value == pytest.approx(integrate.quad(lambda z, p=power: (z + 0.5) ** p * density(z), -0.5, 20)[0])
    lengths, shifts = directions[:, :-1].norm(dim=1).tolist(), directions[:, -1].tolist()
    means = [
        integrate.quad(lambda z, s=s, c=c: (c + s * z) * density(z), -c / s, 20)[0]
        for s, c in zip(lengths, shifts, strict=True)
    ]
    assert planted.known(4, "gaussian").mean == pytest.approx(np.dot(coefficients.tolist(), means) / 3, rel=1e-8)
    norm = target("l1_norm").known(3, "gaussian")
    assert norm.mean == pytest.approx(3 * folded[1], rel=1e-9)
    assert norm.l2_norm_squared == pytest.approx(3 * folded[2] + 6 * folded[1] ** 2, rel=1e-9)
    product = target("sobol_g", form="product", importance=(0.0,), rest=1.0).known(2, "gaussian")
    assert product.mean == pytest.approx(4 * folded[1] * (4 * folded[1] + 1) / 2, rel=1e-9)
    square = (16 * folded[2] + 8 * folded[1] + 1) / 4
    assert product.l2_norm_squared == pytest.approx(16 * folded[2] * square, rel=1e-9)


@pytest.mark.parametrize(
    "f",
    [
        target("cosine_ridge", frequencies=(2.3, -1.0)),
        target("sum_of_cosines", waves=WAVES),
        target("gaussian", center=0.7, width=0.3),
        target("gaussian", center=-3.0, width=0.2),
        target("linear", weights=(1.0, -2.0), bias=0.4),
        target("single_neuron", weights=(0.6, -0.8), bias=0.5),
        target("single_neuron", weights=(0.6, -0.8), bias=-1.5),
        target("l1_norm", center=0.0),
        target("euclidean_norm"),
    ],
)
def test_moments_on_the_circle_equal_the_trapezoidal_rule(f):
    mean, squared = circle_moments(f)
    known = f.known(2, "sphere")
    assert known.mean == pytest.approx(mean, rel=1e-8, abs=1e-13)
    assert known.l2_norm_squared == pytest.approx(squared, rel=1e-8)


@pytest.mark.parametrize(("dimension", "length"), [(3, 0.4), (7, 3.0), (50, 2.0), (1000, 9.0)])
def test_mean_of_a_wave_on_the_sphere_is_a_bessel_function(dimension, length):
    """Gamma(d/2) (2/z)^{d/2-1} J_{d/2-1}(z), z = 2 pi |b|, equals 0F1(d/2; -z^2/4); for d = 3 it is sinc."""
    known = target("cosine_ridge", frequencies=(length,)).known(dimension, "sphere")
    z = 2 * math.pi * length
    order = dimension / 2 - 1
    if order < 100:
        expected = math.exp(special.gammaln(dimension / 2) + order * math.log(2 / z)) * special.jv(order, z)
    else:
        # 0F1 by its series, whose terms neither grow nor cancel while z^2 is below d^2.
        terms = (
            (-(z**2) / 4) ** np.arange(80.0) / special.poch(dimension / 2, np.arange(80)) / special.factorial(range(80))
        )
        expected = float(terms.sum())
    assert known.mean == pytest.approx(expected, rel=1e-9, abs=1e-12)
    if dimension == 3:
        assert known.mean == pytest.approx(math.sin(z) / z, rel=1e-10)


def test_drawn_sum_of_cosines_has_waves_of_its_degree_and_unit_size():
    f = target("sum_of_cosines", terms=500, degree=4, seed=3)
    b, c, p = f.parts(6)
    assert bool((b == b.round()).all())
    assert set(b.abs().sum(dim=1).tolist()) == {1.0, 2.0, 3.0, 4.0}
    assert float((c**2).sum()) == pytest.approx(2.0, abs=0.4)
    assert 0 <= float(p.min()) < 0.1 < 6.2 < float(p.max()) <= 2 * math.pi
    assert f.known(6).l2_norm_squared is None
    assert target("sum_of_cosines", terms=40).known(6).l2_norm_squared > 0
    other = target("sum_of_cosines", terms=500, degree=4, seed=4)
    inputs = draw_inputs("uniform", Randomness(0), "x", 10, 6)
    assert not torch.equal(f.evaluate(inputs), other.evaluate(inputs))


def test_targets_that_do_not_fit_the_dimension_are_refused():
    assert "2 entries" in target("linear", weights=(1.0, 2.0)).check_dimension(1)
    assert "3 entries" in target("single_neuron", weights=(1.0, 2.0, 0.0)).check_dimension(2)
    assert "2 entries" in target("sum_of_cosines", waves=WAVES).check_dimension(1)
    assert "5 inputs" in target("friedman_1").check_dimension(4)
    assert all("4 inputs" in target(kind).check_dimension(3) for kind in ("friedman_2", "friedman_3"))
    assert all("poles" in target(kind).check_measure("sphere") for kind in ("friedman_2", "friedman_3"))
