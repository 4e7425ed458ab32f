"""Residual networks: the flow, its special cases, and the weighted path norm on hand values."""

import itertools

import pytest
import torch

from models.errors import InvalidData
from models.experiments.fit import Fit
from models.hypothesis_spaces.residual import Residual
from models.hypothesis_spaces.two_layer import TwoLayer
from models.randomness import Randomness, uniform_rows

INPUTS = uniform_rows(Randomness(5), "inputs", 30, 3)


def drawn(space, dimension=3, outputs=1):
    return space.draw(dimension, outputs, Randomness(0), torch.float64)


def test_no_layer_is_an_affine_function_with_the_norm_of_its_weights():
    space = Residual(kind="residual", depth=0)
    theta = drawn(space)
    slope, offset = theta["input_weights"].T @ theta["coefficients"], theta["input_biases"] @ theta["coefficients"]
    torch.testing.assert_close(space.evaluate(theta, INPUTS), INPUTS @ slope + offset)
    norm = theta["coefficients"].abs().T @ theta["input_weights"].abs()
    expected = float(norm.sum()) + float(theta["coefficients"].abs().T @ theta["input_biases"].abs())
    assert float(space.weighted_path_norm(theta)) == pytest.approx(expected)


def test_one_layer_into_a_new_coordinate_is_a_two_layer_network_of_three_times_its_path_norm():
    """V = (I, 0), U writes to the last coordinate, alpha reads it: f = sum_j u_j relu(w_j.x~)."""
    network = TwoLayer(kind="two_layer", width=6)
    inner = drawn(network)
    space = Residual(kind="residual", width=6, depth=1, state_dimension=5)
    theta = drawn(space)
    homogeneous = torch.cat([inner["weights"], inner["biases"][:, None]], dim=1)
    theta["inner_weights"][0] = torch.cat([homogeneous, torch.zeros(6, 1).double()], dim=1)
    theta["outer_weights"][0] = torch.cat([torch.zeros(4, 6).double(), inner["coefficients"].T])
    theta["coefficients"] = torch.tensor([[0.0], [0], [0], [0], [1]], dtype=torch.float64)
    torch.testing.assert_close(space.evaluate(theta, INPUTS), network.evaluate(inner, INPUTS))
    path_norm = float(inner["coefficients"][:, 0].abs() @ homogeneous.abs().sum(dim=1))
    assert float(space.weighted_path_norm(theta)) == pytest.approx(3 * path_norm)


def scalar_network(depth, outer, inner):
    """D = 2, d = 1, m = 1: z = (x, 1), one neuron a layer that reads and writes the first coordinate."""
    space = Residual(kind="residual", width=1, depth=depth, state_dimension=2)
    theta = drawn(space, dimension=1)
    theta["inner_weights"] = torch.tensor([[[weight, 0.0]] for weight in inner], dtype=torch.float64)
    theta["outer_weights"] = torch.tensor([[[weight], [0.0]] for weight in outer], dtype=torch.float64)
    theta["coefficients"] = torch.tensor([[2.0], [0.0]], dtype=torch.float64)
    return space, theta


def test_hand_values_of_two_layers():
    """z: 1 -> 1 + (1/2)(3)(1) = 2.5 -> 2.5 + (1/2)(-4)(2)(2.5) = -7.5, f = -15.

    Norm 2 (1 + (3/2) 3) (1 + (3/2) 8) = 143, the 1/L inside each bracket once.
    """
    space, theta = scalar_network(2, outer=[3.0, -4.0], inner=[1.0, 2.0])
    assert float(space.evaluate(theta, torch.ones(1, 1, dtype=torch.float64))) == pytest.approx(-15.0)
    assert float(space.weighted_path_norm(theta)) == pytest.approx(143.0)


def test_weighted_path_norm_is_the_sum_over_paths():
    """Each path takes the skip or one neuron in every layer; p neurons multiply its weight by (3/L)^p."""
    space = Residual(kind="residual", width=2, depth=2, state_dimension=3)
    theta = drawn(space, dimension=1)
    outer, inner = theta["outer_weights"].abs(), theta["inner_weights"].abs()
    embedding = torch.cat([theta["input_weights"], theta["input_biases"][:, None]], dim=1).abs()
    total = 0.0
    for start, middle, end in itertools.product(range(3), repeat=3):
        steps = []
        for layer, (source, goal) in enumerate(((start, middle), (middle, end))):
            skip = 1.0 if source == goal else 0.0
            neurons = sum(float(outer[layer, goal, j] * inner[layer, j, source]) for j in range(2))
            steps.append(skip + 1.5 * neurons)
        total += float(theta["coefficients"][end, 0].abs()) * steps[1] * steps[0] * float(embedding[start].sum())
    assert float(space.weighted_path_norm(theta)) == pytest.approx(total)


def test_depth_refines_the_flow():
    """z' = z on [0, 1] (U W = I on positive states): Euler's method gives (1 + 1/L)^L and the norm (1 + 3/L)^L."""
    for depth in (1, 4, 64):
        space, theta = scalar_network(depth, outer=[1.0] * depth, inner=[1.0] * depth)
        value = float(space.evaluate(theta, torch.ones(1, 1, dtype=torch.float64)))
        assert value == pytest.approx(2 * (1 + 1 / depth) ** depth)
        assert float(space.weighted_path_norm(theta)) == pytest.approx(2 * (1 + 3 / depth) ** depth)


def test_weighted_path_norm_dominates_the_function_on_the_unit_cube():
    space = Residual(kind="residual", width=8, depth=6)
    theta = drawn(space, outputs=2)
    norms = space.weighted_path_norm(theta)
    assert norms.shape == (2,)
    assert bool((space.evaluate(theta, INPUTS).abs().amax(dim=0) <= norms).all())


def test_input_that_does_not_fit_into_the_state_is_refused():
    space = Residual(kind="residual", state_dimension=4)
    assert space.check_dimension(3) is None
    assert "needs 5" in space.check_dimension(4)
    fit = Fit(
        kind="fit", hypothesis_space=space, learner={"kind": "adam"}, sample_size=40,
        data={"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 4},
    )  # fmt: skip
    with pytest.raises(InvalidData, match="4 dimensions"):
        fit.plan({})
