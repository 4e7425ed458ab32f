"""Norms of layered networks by enumeration and optimisation; complexities of their balls; the bounds on them."""

import dataclasses
import math
from itertools import pairwise, product

import pytest
import torch
from scipy import optimize

from models.bounds import BOUNDS
from models.bounds._relu_layers import relu_layers
from models.bounds.weighted_path_norm_ball import weighted_path_norm, weighted_path_norm_factor
from models.complexities.relu_networks import (
    ReluLayers,
    dudley,
    frobenius_product,
    group_norm_factor,
    path_norm_of_layers,
    path_norm_without_biases,
    size_independent_frobenius,
    size_independent_l1,
    spectral_entropy_factor,
    spectral_norms,
)
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.residual import Residual
from models.hypothesis_spaces.two_layer import TwoLayer

LAYERED_BOUNDS = (
    "group_norm_ball",
    "size_independent_l1_ball",
    "size_independent_frobenius_ball",
    "spectral_norm_ball",
    "lipschitz_ball",
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def layers():
    return ReluLayers(
        weights=(normal(3, 2, seed=1), normal(4, 3, seed=2)),
        biases=(normal(3, seed=3), normal(4, seed=4)),
        outer=normal(4, seed=5),
        offset=-0.7,
    )


def evaluated(layers, inputs):
    hidden = inputs
    for weights, biases in zip(layers.weights, layers.biases, strict=True):
        hidden = torch.relu(hidden @ weights.T + biases)
    return hidden @ layers.outer + layers.offset


def test_path_norm_is_the_sum_over_all_paths(layers):
    (first, second), (low, high) = layers.weights, layers.biases
    total = abs(layers.offset)
    for k in range(4):
        total += abs(float(layers.outer[k] * high[k]))
        for j in range(3):
            total += abs(float(layers.outer[k] * second[k, j] * low[j]))
            total += sum(abs(float(layers.outer[k] * second[k, j] * first[j, i])) for i in range(2))
    assert path_norm_of_layers(layers) == pytest.approx(total)


def test_path_norm_without_biases_is_a_lipschitz_constant(layers):
    left, right = normal(2000, 2, seed=6), normal(2000, 2, seed=7)
    slopes = (evaluated(layers, left) - evaluated(layers, right)).abs() / (left - right).abs().amax(dim=1)
    assert float(slopes.max()) <= path_norm_without_biases(layers) < path_norm_of_layers(layers)


def test_frobenius_product_is_the_least_over_the_scales_of_the_constant(layers):
    def log_product(logs):
        k = [1.0, *[math.exp(value) for value in logs]]
        total = 0.0
        for index, (weights, biases) in enumerate(zip(layers.weights, layers.biases, strict=True)):
            matrix = torch.zeros(weights.shape[0] + 1, weights.shape[1] + 1, dtype=torch.float64)
            matrix[:-1, :-1], matrix[:-1, -1] = weights, biases / k[index]
            matrix[-1, -1] = k[index + 1] / k[index]
            total += math.log(float(torch.linalg.matrix_norm(matrix)))
        return total + math.log(math.hypot(float(layers.outer.norm()), layers.offset / k[-1]))

    found = optimize.minimize(log_product, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert frobenius_product(layers) == pytest.approx(math.exp(found.fun), rel=1e-6)


def test_frobenius_product_without_biases_is_the_plain_product(layers):
    bare = dataclasses.replace(layers, biases=tuple(torch.zeros_like(b) for b in layers.biases), offset=0.0)
    plain = math.prod(float(weights.norm()) for weights in layers.weights) * float(layers.outer.norm())
    assert frobenius_product(bare) == pytest.approx(plain)


def test_spectral_norms_are_those_of_the_augmented_matrices(layers):
    norms = spectral_norms(layers)
    matrix = torch.zeros(4, 3, dtype=torch.float64)
    matrix[:3, :2], matrix[:3, 2], matrix[3, 2] = layers.weights[0], layers.biases[0], 1.0
    assert norms.spectral[0] == pytest.approx(float(torch.linalg.svdvals(matrix)[0]))
    assert norms.ratios[0] == pytest.approx(float(matrix.norm(dim=1).sum()) / norms.spectral[0])
    assert norms.spectral[-1] == pytest.approx(math.hypot(float(layers.outer.norm()), 0.7))
    assert norms.ratios[-1] == pytest.approx(1.0)
    assert norms.width == 5


def test_spectral_norm_of_large_matrices_is_an_upper_value(layers, monkeypatch):
    exact = spectral_norms(layers)
    monkeypatch.setattr("models.complexities.relu_networks.LARGEST_DECOMPOSED", 0)
    upper = spectral_norms(layers)
    assert all(high >= low * (1 - 1e-12) for high, low in zip(upper.spectral, exact.spectral, strict=True))


def test_dudley_is_the_best_cut(layers):
    for root, size in ((0.3, 100), (5.0, 400), (0.01, 20)):
        c = 12 * root / size
        cut = optimize.minimize_scalar(lambda a, c=c: 4 * a - c * math.log(a), bounds=(1e-9, 1), method="bounded")
        assert dudley(root, size) == pytest.approx(min(1.0, cut.fun), rel=1e-5)
    assert dudley(1e9, 10) == 1.0
    assert dudley(0.0, 10) == 0.0


def test_complexity_factors_by_hand():
    inputs = torch.tensor([[3.0], [4.0]], dtype=torch.float64)
    assert group_norm_factor(1) == 1.5
    assert group_norm_factor(3) == 6.0
    # D = 2, largest column (3, 4): B = 5.
    assert size_independent_l1(inputs, 2) == pytest.approx(5 / 2 * math.sqrt(2 * (2 * math.log(2) + math.log(4))))
    # Rows (3, 1) and (4, 1): 9 + 1 + 16 + 1 = 27.
    expected = (math.sqrt(4 * math.log(2)) + 1) * math.sqrt(27) / 2
    assert size_independent_frobenius(inputs, 2) == pytest.approx(expected)
    assert spectral_entropy_factor((1.0, 8.0), 3) == pytest.approx(math.sqrt(2 * math.log(18)) * 5**1.5)
    assert weighted_path_norm_factor(0) == pytest.approx(1.0)
    assert weighted_path_norm_factor(1) == pytest.approx(5 / 3)
    assert weighted_path_norm_factor(500) == pytest.approx(3.0)


def random_unit_networks(depth, norm, count=400, width=3):
    """Values on 8 points of networks of one input whose norm is 1: rows, and their negatives."""
    inputs = torch.linspace(-1, 1, 8, dtype=torch.float64)[:, None]
    values = []
    for seed in range(count):
        sizes = [1] + [width] * depth
        shape = dict(enumerate(pairwise(sizes)))
        layers = ReluLayers(
            tuple(normal(b, a, seed=10 * seed + i) for i, (a, b) in shape.items()),
            tuple(normal(b, seed=10 * seed + 5 + i) for i, (_, b) in shape.items()),
            normal(width, seed=10 * seed + 9),
            0.0,
        )
        values.append(evaluated(layers, inputs) / norm(layers))
    rows = torch.stack(values)
    return inputs, torch.cat([rows, -rows])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_finite_part_of_a_ball_exceeds_its_complexity(depth):
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=8)), dtype=torch.float64)
    inputs, rows = random_unit_networks(depth, path_norm_of_layers)
    reached = float((signs @ rows.T).amax(dim=1).mean()) / 8
    exact_sup = float((signs @ torch.cat([inputs, torch.ones_like(inputs)], dim=1)).abs().amax(dim=1).mean()) / 8
    assert reached <= min(group_norm_factor(depth) * exact_sup, size_independent_l1(inputs, depth))
    inputs, rows = random_unit_networks(depth, frobenius_product)
    assert float((signs @ rows.T).amax(dim=1).mean()) / 8 <= size_independent_frobenius(inputs, depth)


@pytest.mark.parametrize("space", [Deep(kind="deep", width=5, depth=3), TwoLayer(kind="two_layer", width=6)])
@pytest.mark.parametrize("scaled", [True, False])
def test_folded_layers_are_the_model(drawn_subject, space, scaled):
    subject = drawn_subject(space, scaled=scaled)
    layers = relu_layers(subject.model)
    inputs = subject.held_out.inputs
    model = dataclasses.replace(subject.model, output_range=None)
    torch.testing.assert_close(evaluated(layers, inputs), model(inputs)[:, 0])


@pytest.mark.parametrize("scaled", [True, False])
def test_weighted_path_norm_of_raw_inputs_bounds_the_function(drawn_subject, scaled):
    subject = drawn_subject(Residual(kind="residual", width=4, depth=3), scaled=scaled)
    outputs = dataclasses.replace(subject.model, output_range=None)(subject.held_out.inputs)
    norm = weighted_path_norm(subject.model.space, subject.model)
    assert float(outputs.abs().max()) <= norm
    if not scaled:
        assert norm == pytest.approx(float(subject.model.space.weighted_path_norm(subject.model.parameters)[0]))


@pytest.mark.parametrize("name", LAYERED_BOUNDS)
@pytest.mark.parametrize("space", [Deep(kind="deep", width=5, depth=2), TwoLayer(kind="two_layer", width=4)])
def test_bounds_are_sums_above_the_measured_gap_and_know_two_forms(drawn_subject, name, space):
    subject = drawn_subject(space, size=2000)
    for form in ("sharp", "expected"):
        report = BOUNDS[name](kind=name, form=form).evaluate(subject, 0.05)
        assert report.value == pytest.approx(sum(term.value for term in report.terms))
        assert report.value > report.measured.value
        assert report.inputs["norm"] <= report.inputs["radius"]
        assert report.vacuous == (report.value >= report.trivial_value)
    assert BOUNDS[name](kind=name).evaluate(subject, 0.2).value < BOUNDS[name](kind=name).evaluate(subject, 0.001).value


@pytest.mark.parametrize("name", LAYERED_BOUNDS)
def test_other_spaces_and_several_outputs_are_refused_by_name(drawn_subject, name):
    cosine = RandomFeatures(kind="random_features", width=5, feature="cosine")
    report = BOUNDS[name](kind=name).evaluate(drawn_subject(cosine), 0.05)
    expected = "lipschitz_constant_known" if name == "lipschitz_ball" else "layered_relu"
    assert [a.name for a in report.assumptions if a.standing == "failed"] == [expected]
    report = BOUNDS[name](kind=name).evaluate(drawn_subject(outputs=2), 0.05)
    assert [a.name for a in report.assumptions if a.standing == "failed"] == ["one_output"]


def test_residual_networks_have_a_bound_of_their_own(drawn_subject):
    bound = BOUNDS["weighted_path_norm_ball"](kind="weighted_path_norm_ball")
    report = bound.evaluate(drawn_subject(Residual(kind="residual", width=4, depth=3), size=1000), 0.05)
    assert report.value == pytest.approx(sum(term.value for term in report.terms))
    assert report.value > report.measured.value
    refused = bound.evaluate(drawn_subject(), 0.05)
    assert [a.name for a in refused.assumptions if a.standing == "failed"] == ["residual_relu"]


def test_depth_multiplies_one_bound_and_hardly_moves_the_other(drawn_subject):
    """The same function at more depth, by layers that are the identity on nonnegative numbers."""

    def complexity(name, depth):
        space = Deep(kind="deep", width=3, depth=depth)
        subject = drawn_subject(space, size=500, limits=(-1.0, 1.0))
        report = BOUNDS[name](kind=name).evaluate(subject, 0.05)
        return report.inputs["unit_ball_complexity_upper"]

    assert complexity("group_norm_ball", 6) == pytest.approx(32 * complexity("group_norm_ball", 1), rel=1e-9)
    assert complexity("size_independent_l1_ball", 6) < 2 * complexity("size_independent_l1_ball", 1)
