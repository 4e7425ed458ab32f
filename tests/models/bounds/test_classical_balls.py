"""Lipschitz and bounded functions: complexities against linear programmes and enumeration, and their rates."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy import optimize

from models.bounds.lipschitz_ball import LipschitzBall
from models.bounds.sup_norm_ball import SupNormBall
from models.complexities.classical_balls import (
    cell_counts,
    distinct_share,
    lipschitz_ball_complexity,
    lipschitz_rate,
    sup_norm_ball_complexity,
)


def uniform(size, dimension, seed=0):
    return torch.rand(size, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact_lipschitz(points, lipschitz, half_range):
    """(1/n) E sup over |f| <= B of Lipschitz constant L: values extend (McShane), so it is a linear programme."""
    n = len(points)
    distance = (points[:, None] - points[None]).abs().amax(dim=2).numpy()
    rows = [(i, j) for i in range(n) for j in range(n) if i != j]
    matrix = np.zeros((len(rows), n))
    for row, (i, j) in enumerate(rows):
        matrix[row, i], matrix[row, j] = 1, -1
    limits = [lipschitz * distance[i, j] for i, j in rows]
    total = 0.0
    for signs in product((-1.0, 1.0), repeat=n - 1):
        found = optimize.linprog([-1.0, *signs], matrix, limits, bounds=[(-half_range, half_range)] * n)
        total -= found.fun
    return total / 2 ** (n - 1) / n


@pytest.mark.parametrize(("dimension", "lipschitz"), [(1, 1.0), (1, 10.0), (2, 2.0)])
def test_lipschitz_complexity_is_above_the_exact_one(dimension, lipschitz):
    points = uniform(7, dimension)
    upper = lipschitz_ball_complexity(cell_counts(points), lipschitz, 0.5)
    exact = exact_lipschitz(points, lipschitz, 0.5)
    assert exact <= upper <= 0.5
    assert upper <= lipschitz_rate(7, dimension, lipschitz, 0.5) + 1e-12


def test_cells_by_hand():
    counts = cell_counts(torch.tensor([[0.0], [0.1], [0.4], [1.0]], dtype=torch.float64))
    # Level 0: all four; level 1: three and one; level 2: two, one, one; level 3 and 4: 0 and .1 part at 1/16.
    assert counts.side == 1.0
    expected = [2.0, math.sqrt(3) + 1, math.sqrt(2) + 2, math.sqrt(2) + 2, 4.0]
    assert list(counts.roots) == pytest.approx([value / 4 for value in expected])


def test_equal_points_leave_one_cell():
    counts = cell_counts(torch.ones(9, 2, dtype=torch.float64))
    assert lipschitz_ball_complexity(counts, 5.0, 1.0) == pytest.approx(1 / 3)


@pytest.mark.parametrize("dimension", [3, 5, 8])
def test_lipschitz_rate_is_the_curse_of_dimensionality(dimension):
    # Steps of 2^d in n, so that each adds one level.
    sizes = [2 ** (dimension * level) for level in (4, 8)]
    values = [lipschitz_rate(size, dimension, 1.0, 1.0) for size in sizes]
    slope = math.log(values[1] / values[0]) / math.log(sizes[1] / sizes[0])
    assert slope == pytest.approx(-1 / dimension, rel=0.12)


def test_complexities_grow_with_their_radii():
    counts = cell_counts(uniform(200, 2))
    values = [lipschitz_ball_complexity(counts, constant, 1.0) for constant in (0.0, 0.1, 1.0, 10.0, 1e9)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(1 / math.sqrt(200))
    assert values[-1] == 1.0


def test_bounded_functions_have_the_whole_range_on_distinct_points():
    assert distinct_share(uniform(50, 2)) == pytest.approx(1.0)
    points = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 2.0], dtype=torch.float64)[:, None]
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=6)), dtype=torch.float64)
    groups = signs[:, :3].sum(dim=1).abs() + signs[:, 3:5].sum(dim=1).abs() + signs[:, 5].abs()
    assert distinct_share(points) == pytest.approx(float(groups.mean()) / 6)
    assert sup_norm_ball_complexity(0.5, 3.0) == 1.5


def test_bounded_functions_make_a_vacuous_bound_whatever_the_sample_size(drawn_subject):
    for size in (100, 3000):
        report = SupNormBall(kind="sup_norm_ball").evaluate(drawn_subject(size=size), 0.05)
        assert report.vacuous
        assert report.value >= 2 * report.inputs["loss_cap"]


def test_smoothness_helps_in_one_dimension_and_not_in_ten(drawn_subject):
    def complexity(dimension):
        report = LipschitzBall(kind="lipschitz_ball").evaluate(drawn_subject(size=4000, dimension=dimension), 0.05)
        return report.inputs["unit_ball_complexity_upper"]

    assert complexity(1) < complexity(10) / 3
