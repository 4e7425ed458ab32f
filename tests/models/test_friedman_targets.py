"""Friedman's three functions against quadrature and scikit-learn's generators."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from models.targets import TARGETS


def target(kind):
    return TARGETS[kind](kind=kind)


def test_moments_of_friedman_1_equal_quadrature_of_its_summands():
    uniform, normal = (target("friedman_1").known(7, measure) for measure in ("uniform", "gaussian"))
    sines = [integrate.dblquad(lambda y, x, p=power: math.sin(math.pi * x * y) ** p, 0, 1, 0, 1)[0] for power in (1, 2)]
    assert sines[0] == pytest.approx(integrate.quad(lambda t: (1 - math.cos(t)) / t, 0, math.pi)[0] / math.pi)
    assert 2 * math.pi * (1 - 2 * sines[1]) == pytest.approx(special.sici(2 * math.pi)[0])
    mean = 10 * sines[0] + 20 / 12 + 5 + 2.5
    assert uniform.mean == pytest.approx(mean, rel=1e-9)
    variance = 100 * (sines[1] - sines[0] ** 2) + 400 * (1 / 80 - 1 / 144) + 125 / 12
    assert uniform.l2_norm_squared == pytest.approx(variance + mean**2, rel=1e-9)
    z, w = np.polynomial.hermite_e.hermegauss(20)
    w = w / w.sum()
    squares = [w @ ((z - 0.5) ** 2) ** power for power in (1, 2)]
    cosine = integrate.quad(lambda t: stats.norm.pdf(t) * math.exp(-((2 * math.pi * t) ** 2) / 2), -10, 10, points=[0])[
        0
    ]
    assert normal.mean == pytest.approx(20 * squares[0], rel=1e-12)
    spread = 50 * (1 - cosine) + 400 * (squares[1] - squares[0] ** 2) + 125
    assert normal.l2_norm_squared == pytest.approx(spread + normal.mean**2, rel=1e-9)


def test_second_moment_of_friedman_2_equals_quadrature():
    known = target("friedman_2").known(4)
    nodes, weights = (np.polynomial.legendre.leggauss(24)[0] + 1) / 2, np.polynomial.legendre.leggauss(24)[1] / 2
    grid = torch.cartesian_prod(*[torch.tensor(nodes)] * 4)
    products = torch.cartesian_prod(*[torch.tensor(weights)] * 4).prod(dim=1)
    mean_square = float(products @ target("friedman_2").evaluate(grid)[:, 0] ** 2)
    assert known.l2_norm_squared == pytest.approx(mean_square, rel=1e-11)


def test_friedman_functions_agree_with_scikit_learns():
    datasets = pytest.importorskip("sklearn.datasets")
    inputs, labels = datasets.make_friedman1(50, 6, random_state=0)
    np.testing.assert_allclose(target("friedman_1").evaluate(torch.from_numpy(inputs))[:, 0], labels, rtol=1e-12)
    for kind, make in (("friedman_2", datasets.make_friedman2), ("friedman_3", datasets.make_friedman3)):
        physical, labels = make(50, random_state=0)
        scaled = (physical - [0, 40 * math.pi, 0, 1]) / [100, 520 * math.pi, 1, 10]
        np.testing.assert_allclose(target(kind).evaluate(torch.from_numpy(scaled))[:, 0], labels, rtol=1e-9)
