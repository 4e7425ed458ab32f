"""Activations, scalings and starts of two-layer networks."""

import math

import onnxruntime
import pytest
import torch

from models.activations import ACTIVATIONS, activation_nodes, gelu
from models.bounds.path_norm_ball import PathNormBall
from models.experiments.fit import Fit
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.gradient_descent import GradientDescent
from models.onnx_graph import OnnxGraph
from models.optimisation import unwatched
from models.randomness import Randomness, normal_rows, uniform_rows
from models.samples import Sample

INPUTS = uniform_rows(Randomness(4), "inputs", 60, 3)
SAMPLE = Sample(INPUTS, torch.sin(5 * INPUTS[:, :1]) + INPUTS[:, 1:2])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_graph_of_an_activation_equals_torch_in_float64(activation):
    values = torch.linspace(-40, 40, 4001, dtype=torch.float64)[:, None]
    graph = OnnxGraph()
    value = activation_nodes(graph, activation, graph.input("values"))
    session = onnxruntime.InferenceSession(graph.finish({"values": 1}, "outputs", 1, value))
    (served,) = session.run(None, {"values": values.numpy()})
    torch.testing.assert_close(torch.from_numpy(served), ACTIVATIONS[activation](values), rtol=1e-12, atol=1e-14)


def test_gelu_is_near_the_gaussian_gate():
    values = torch.linspace(-8, 8, 1601, dtype=torch.float64)
    exact = values * torch.special.ndtr(values)
    assert float((gelu(values) - exact).abs().max()) < 5e-4


@pytest.mark.parametrize(("scaling", "factor"), [("mean_field", 1 / 16), ("ntk", 1 / 4), ("standard", 1.0)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_formula_by_hand(scaling, factor, activation):
    space = TwoLayer(kind="two_layer", width=16, scaling=scaling, activation=activation)
    theta = space.draw(3, 1, Randomness(0), torch.float64)
    expected = sum(
        factor * theta["coefficients"][j] * ACTIVATIONS[activation](INPUTS @ theta["weights"][j] + theta["biases"][j])
        for j in range(16)
    )
    torch.testing.assert_close(space.evaluate(theta, INPUTS)[:, 0], expected)


def test_start_of_the_lectures_is_zero_with_inner_weights_of_variance_one_over_d():
    space = TwoLayer(kind="two_layer", width=20_000, initialisation="lectures")
    theta = space.draw(4, 1, Randomness(0), torch.float64)
    assert not theta["coefficients"].any()
    for name in ("weights", "biases"):
        assert float(theta[name].var()) == pytest.approx(1 / 5, rel=0.03)


@pytest.mark.parametrize(("activation", "gain"), [("relu", 2), ("gelu", 2), ("tanh", 1), ("cosine", 1)])
def test_gain_of_the_random_start_belongs_to_the_activation(activation, gain):
    space = TwoLayer(kind="two_layer", width=20_000, activation=activation)
    assert float(space.draw(4, 1, Randomness(0), torch.float64)["weights"].var()) == pytest.approx(gain / 5, rel=0.03)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_duplicated_neurons_leave_the_mean_field_trajectory_unchanged(activation):
    """f = (1/m) sum: with a step size proportional to m, every neuron moves as a particle of the same flow."""
    small = TwoLayer(kind="two_layer", width=10, scaling="mean_field", activation=activation)
    large = small.with_width(20)
    start = small.draw(3, 1, Randomness(0), torch.float64)
    doubled = {name: torch.cat([value, value]) for name, value in start.items()}
    outputs = []
    for space, theta in ((small, start), (large, doubled)):
        learner = GradientDescent(kind="gradient_descent", steps=150, step_size=0.02 * space.width)
        fitted = learner.fit(space, SAMPLE, Randomness(0), unwatched, theta)
        outputs.append(space.evaluate(fitted.parameters, INPUTS))
        moved = float((outputs[-1] - space.evaluate(theta, INPUTS)).abs().max())
        assert moved > 0.1
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-12)


def test_tangent_scaling_trains_lazily_and_mean_field_does_not():
    """In the m^{-1/2} scaling the inner weights move less and less as m grows; in 1/m with time m they keep moving."""
    moves = {}
    for scaling, unit in (("ntk", 1.0), ("mean_field", None)):
        for width in (50, 800):
            space = TwoLayer(kind="two_layer", width=width, scaling=scaling)
            start = space.draw(3, 1, Randomness(0), torch.float64)
            learner = GradientDescent(kind="gradient_descent", steps=100, step_size=0.1 * (unit or width))
            end = learner.fit(space, SAMPLE, Randomness(0), unwatched, start).parameters
            moves[scaling, width] = float((end["weights"] - start["weights"]).norm() / start["weights"].norm())
    assert moves["ntk", 800] < 0.4 * moves["ntk", 50]
    assert moves["mean_field", 800] > 0.5 * moves["mean_field", 50]


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gelu", "cosine"])
def test_path_norm_bound_is_for_relu_only(context, activation):
    space = TwoLayer(kind="two_layer", width=5, activation=activation)
    assert space.path_norm_weights(space.draw(3, 1, Randomness(0), torch.float64)) is None
    fit = Fit(
        kind="fit", hypothesis_space=space, learner={"kind": "adam", "steps": 20}, sample_size=40, test_size=50,
        data={"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 3},
        bounds=[PathNormBall(kind="path_norm_ball")],
    )  # fmt: skip
    (report,) = fit.run(context).learned_models[0].bounds
    assert report.value is None
    assert "max(0, t)" in report.model_dump_json()


def test_old_specification_draws_the_same_numbers():
    """m^{1/2} a of the standard start is the a of the other scalings, and w_j the first rows of the stream."""
    rows = normal_rows(Randomness(0), "directions", 6, 4) * math.sqrt(2 / 4)
    theta = TwoLayer.model_validate({"kind": "two_layer", "width": 6}).draw(3, 1, Randomness(0), torch.float64)
    assert torch.equal(theta["weights"], rows[:, :3])
    unit = TwoLayer(kind="two_layer", width=6, scaling="ntk").draw(3, 1, Randomness(0), torch.float64)
    torch.testing.assert_close(unit["coefficients"], theta["coefficients"] * math.sqrt(6))
