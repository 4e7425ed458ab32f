"""Closed forms against quadrature, simulation and each other."""

import math

import onnxruntime
import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel

from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.kernels import kernel_matrix, kernel_nodes
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows, uniform_rows

POINTS = uniform_rows(Randomness(1), "points", 7, 3) * 2 - 0.5
LIMITS = [("relu", "arc_cosine"), ("cosine", "gaussian"), ("fourier", "gaussian")]


def test_gaussian_kernel_is_that_of_scikit_learn():
    ours = kernel_matrix("gaussian", POINTS, POINTS[:4], 0.7)
    theirs = rbf_kernel(POINTS.numpy(), POINTS[:4].numpy(), gamma=1 / (2 * 0.7**2))
    torch.testing.assert_close(ours, torch.from_numpy(theirs))


def test_arc_cosine_kernel_on_hand_angles():
    """x~ = (1, 1) and (-1, 1) in D = 2 are at a right angle, of length sqrt 2: |x~| |x~'| / (2 pi D) = 1 / (2 pi)."""
    one = torch.ones(1, 1, dtype=torch.float64)
    assert float(kernel_matrix("arc_cosine", one, -one, None)) == pytest.approx(1 / (2 * math.pi))
    # Same point: J(0) = pi, so |x~|^2 / (2 D) = 1/2 = E relu(w.x~)^2 = |x~|^2 E w_1^2 / 2.
    assert float(kernel_matrix("arc_cosine", one, one, None)) == pytest.approx(0.5)
    # ntk at the right angle: 2 (2/2) (1) / (2 pi) + 0; at the same point 2 pi / (2 pi) + 2 / 2.
    assert float(kernel_matrix("ntk", one, -one, None)) == pytest.approx(1 / math.pi)
    assert float(kernel_matrix("ntk", one, one, None)) == pytest.approx(2.0)


def test_arc_cosine_kernel_in_the_plane_by_quadrature():
    """D = 2: the mean of relu(w.x~) relu(w.x~') over the circle, by the trapezoidal rule."""
    inputs = torch.tensor([[0.3], [-1.2], [2.0]], dtype=torch.float64)
    angles = torch.arange(200_000, dtype=torch.float64) * (2 * math.pi / 200_000)
    circle = torch.stack([torch.cos(angles), torch.sin(angles)], dim=1)
    activations = torch.relu(torch.cat([inputs, torch.ones_like(inputs)], dim=1) @ circle.T)
    by_quadrature = activations @ activations.T / 200_000
    torch.testing.assert_close(kernel_matrix("arc_cosine", inputs, inputs, None), by_quadrature, rtol=1e-8, atol=0)


@pytest.mark.parametrize(("feature", "kernel"), LIMITS)
def test_kernel_of_many_random_features_is_the_closed_form(feature, kernel):
    space = RandomFeatures(kind="random_features", width=60_000, feature=feature)
    features = space.features(space.draw(3, 1, Randomness(0), torch.float64), POINTS)
    products = 60_000 * features[:, None, :] * features[None, :, :]
    if feature == "fourier":
        products = products.unflatten(2, (-1, 2)).mean(dim=3)
    error = products.std(dim=2) / math.sqrt(products.shape[2])
    z = (products.mean(dim=2) - kernel_matrix(kernel, POINTS, POINTS, None)).abs() / (error + 1e-12)
    assert float(z.max()) < 4.5


def test_tangent_kernel_of_a_wide_network_is_the_closed_form():
    space = TwoLayer(kind="two_layer", width=40_000, scaling="ntk")
    parameters = space.draw(3, 1, Randomness(0), torch.float64)
    moving = [parameters[name].requires_grad_() for name in space.trainable]
    jacobian = torch.stack(
        [
            torch.cat([part.flatten() for part in torch.autograd.grad(output, moving, retain_graph=True)])
            for output in space.evaluate(parameters, POINTS)[:, 0]
        ]
    )
    closed = kernel_matrix("ntk", POINTS, POINTS, None)
    assert float((jacobian @ jacobian.T - closed).abs().max()) < 0.03 * float(closed.max())


@pytest.mark.parametrize("kernel", ["arc_cosine", "gaussian", "ntk"])
def test_kernels_are_symmetric_and_positive_definite_with_equal_rows(kernel):
    rows = torch.cat([POINTS, POINTS[:2], normal_rows(Randomness(0), "more", 40, 3)])
    gram = kernel_matrix(kernel, rows, rows, None)
    torch.testing.assert_close(gram, gram.T, rtol=1e-13, atol=0)
    assert float(torch.linalg.eigvalsh(gram)[0]) > -1e-12
    # Equal rows have equal angles 0, so that the cusp of the NTK hides no rounding.
    torch.testing.assert_close(gram[:2, 7:9], gram[:2, :2], rtol=1e-13, atol=0)


@pytest.mark.parametrize("kernel", ["arc_cosine", "gaussian", "ntk"])
def test_graph_equals_torch_at_every_angle(kernel):
    """Angles from 1e-7 to nearly pi, at which the graph's arccosine, a polynomial and a Newton step, is tried."""
    anchors = torch.tensor([[3.0], [0.0], [-3.0]], dtype=torch.float64)
    near = 3 + torch.logspace(-7, 0, 30, dtype=torch.float64)
    inputs = torch.cat([anchors[:, 0], near, torch.linspace(-1e4, 1e4, 4001, dtype=torch.float64)])[:, None]
    graph = OnnxGraph()
    value = kernel_nodes(graph, kernel, graph.input("inputs"), anchors, None)
    session = onnxruntime.InferenceSession(graph.finish({"inputs": 1}, "outputs", 3, value))
    (served,) = session.run(None, {"inputs": inputs.numpy()})
    torch.testing.assert_close(
        torch.from_numpy(served), kernel_matrix(kernel, inputs, anchors, None), rtol=1e-13, atol=1e-13
    )
