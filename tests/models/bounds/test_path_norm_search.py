"""The searched lower end of the path-norm ball: exact for D <= 3, below the upper end, near the published values."""

import math
from itertools import product

import pytest
import torch
from miss_rates import misses_no_more_often_than

from models.complexities.path_norm_ball import homogeneous, path_norm_ball_complexity
from models.complexities.path_norm_search import _best_on_segment, searched_lower_end
from models.complexities.rademacher_sums import rademacher_sums
from models.randomness import Randomness


def bracket(inputs, draws, failure_probability, randomness):
    """Of the complexity of the path-norm ball of radius one on these inputs."""
    drawn = rademacher_sums(inputs, homogeneous, draws, randomness)
    return path_norm_ball_complexity(drawn, bool((inputs >= 0).all()), failure_probability)


def points(size, dimension, lower, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return lower + (1 - lower) * torch.rand(size, dimension, generator=draw, dtype=torch.float64)


def all_signs(size):
    return torch.tensor(list(product((-1.0, 1.0), repeat=size)), dtype=torch.float64)


def by_grid(inputs, count=400_000):
    """(1/n) E sup over many random neurons on the l1 sphere, sparse ones among them; all sign vectors."""
    rows = homogeneous(inputs)
    draw = torch.Generator().manual_seed(11)
    weights = torch.randn(count, rows.shape[1], generator=draw, dtype=torch.float64)
    weights[: count // 3, 0] = 0
    weights = torch.cat([weights / weights.abs().sum(dim=1, keepdim=True), torch.eye(rows.shape[1]).double()])
    signs, best = all_signs(len(rows)), None
    for block in torch.cat([weights, -weights]).split(50_000):
        values = (signs @ torch.relu(rows @ block.T)).abs().amax(dim=1)
        best = values if best is None else torch.maximum(best, values)
    return float(best.mean()) / len(rows)


@pytest.mark.parametrize(("dimension", "lower"), [(1, -1.0), (1, 0.0), (2, -1.0), (2, 0.0)])
def test_breakpoints_are_exact_and_inside_the_bracket(dimension, lower):
    inputs = points(8, dimension, lower)
    found = searched_lower_end(inputs, 4000, 0.01, Randomness(0))
    grid = by_grid(inputs)
    assert found.exact
    assert found.estimate == pytest.approx(grid, abs=4 * found.standard_error + 2e-3 * grid)
    enclosing = bracket(inputs, 20_000, 0.01, Randomness(1))
    assert found.lower <= grid <= enclosing.upper
    assert enclosing.lower - 4 * enclosing.standard_error <= found.estimate + 4 * found.standard_error


def test_no_neuron_beats_the_breakpoints_for_any_sign_vector():
    inputs = points(30, 2, -1.0, seed=3)
    rows = homogeneous(inputs)
    found = searched_lower_end(inputs, 50, 0.01, Randomness(4))
    generator = Randomness(4).generator("search_signs")
    signs = torch.randint(0, 2, (50, 30), generator=generator, dtype=torch.int8).double() * 2 - 1
    weights = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    weights = weights / weights.abs().sum(dim=1, keepdim=True)
    reached = (signs @ torch.relu(rows @ weights.T)).abs().amax(dim=1)
    assert float(reached.mean()) / 30 <= found.estimate
    assert float(reached.mean()) / 30 >= 0.98 * found.estimate


@pytest.mark.parametrize(
    ("size", "dimension", "lower", "upper_end"),
    [(100, 1, -1.0, 0.136), (1000, 10, -1.0, 0.059), (1000, 100, 0.0, 0.0554)],
)
def test_bracket_on_uniform_inputs(size, dimension, lower, upper_end):
    """The upper ends 1.5 E||.||_inf / n are known; for one input the exact value is .0894."""
    inputs = points(size, dimension, lower)
    found = searched_lower_end(inputs, 300, 0.01, Randomness(0))
    upper = bracket(inputs, 1000, 0.01, Randomness(0))
    assert 1.5 * upper.estimate == pytest.approx(upper_end, rel=0.04)
    assert upper.lower <= found.estimate <= 1.5 * upper.estimate
    if dimension == 1:
        assert found.estimate == pytest.approx(0.0894, rel=0.05)


def test_search_is_never_below_the_best_vertex():
    inputs = points(200, 6, 0.0)
    found = searched_lower_end(inputs, 500, 0.01, Randomness(2))
    factor_one = bracket(inputs, 4000, 0.01, Randomness(3))
    assert not found.exact
    assert found.estimate >= factor_one.lower - 4 * (factor_one.standard_error + found.standard_error)


def test_segment_search_agrees_with_a_fine_grid():
    draw = torch.Generator().manual_seed(0)
    start, end = (torch.randn(40, 5, generator=draw, dtype=torch.float64) for _ in range(2))
    signs = torch.randn(5, 40, generator=draw, dtype=torch.float64).sign()
    share, value = _best_on_segment(start, end, signs)
    times = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    for column in range(5):
        path = (1 - times)[:, None] * start[:, column] + times[:, None] * end[:, column]
        heights = torch.relu(path) @ signs[column]
        assert float(value[column]) == pytest.approx(float(heights.max()), abs=1e-3)
        assert float(value[column]) >= float(heights.max()) - 1e-9
        point = (1 - share[column]) * start[:, column] + share[column] * end[:, column]
        assert float(torch.relu(point) @ signs[column]) == pytest.approx(float(value[column]), abs=1e-9)


def test_lower_limit_pays_for_the_random_signs():
    inputs = points(300, 4, 0.0)
    found = searched_lower_end(inputs, 400, 0.01, Randomness(3))
    assert found.lower == pytest.approx(found.estimate - math.sqrt(2 * math.log(100) / (400 * 300)))


@pytest.mark.slow
def test_bracket_misses_the_exact_value_no_more_often_than_promised():
    inputs = points(6, 1, -1.0)
    rows = homogeneous(inputs)
    kinks = torch.stack([torch.ones(6, dtype=torch.float64), -inputs[:, 0]], dim=1)
    neurons = torch.cat([kinks, torch.eye(2, dtype=torch.float64)])
    neurons = torch.cat([neurons, -neurons]) / torch.cat([neurons, neurons]).abs().sum(dim=1, keepdim=True)
    exact = float((all_signs(6) @ torch.relu(rows @ neurons.T)).abs().amax(dim=1).mean()) / 6

    def missed(seed):
        lower = searched_lower_end(inputs, 100, 0.05, Randomness(seed)).lower
        upper = bracket(inputs, 100, 0.05, Randomness(seed)).upper
        return not lower <= exact <= upper

    misses_no_more_often_than(0.1, missed)
