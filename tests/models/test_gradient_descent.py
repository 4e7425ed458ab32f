"""Gradient descent against its closed form, its limits, and its stability threshold."""

import itertools
import math

import pytest
import torch

from models.curvature import largest_curvature
from models.errors import TrainingDiverged
from models.gradient_flow import gradient_flow, largest_eigenvalue, linear_trajectory
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import Adam
from models.learners.gradient_descent import GradientDescent
from models.least_squares import ridge_solution
from models.minibatch_descent import scheduled
from models.optimisation import empirical_risk, unwatched
from models.randomness import Randomness, normal_rows, uniform_rows
from models.samples import Sample


def a_sample(n=60, d=3, k=1):
    inputs = uniform_rows(Randomness(0), "x", n, d)
    return Sample(inputs, torch.sin(5 * inputs[:, :1]) + normal_rows(Randomness(0), "noise", n, k))


@pytest.mark.parametrize("width", [20, 200])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.01])
def test_iteration_agrees_with_the_closed_form_at_every_step(width, share):
    sample, space = a_sample(k=2), RandomFeatures(kind="random_features", width=width)
    start = space.draw(3, 2, Randomness(1), torch.float64)
    start["coefficients"] = normal_rows(Randomness(2), "a0", width, 2)
    features = space.features(start, sample.inputs)
    step_size = share / largest_eigenvalue(features)
    for steps in (1, 2, 17, 1000):
        learner = GradientDescent(kind="gradient_descent", steps=steps, step_size=step_size)
        fitted = learner.fit(space, sample, Randomness(1), unwatched, start)
        exact = linear_trajectory(features, sample.labels, start["coefficients"], step_size, [steps])[0]
        assert float((fitted.parameters["coefficients"] - exact).abs().max()) < 1e-10


@pytest.mark.parametrize("width", [20, 200])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "inverse_sqrt"])
@pytest.mark.parametrize("decay", [0.0, 0.02, 3.0])
def test_closed_form_holds_with_weight_decay_and_schedule(width, schedule, decay):
    sample, space = a_sample(k=2), RandomFeatures(kind="random_features", width=width)
    start = space.draw(3, 2, Randomness(1), torch.float64)
    start["coefficients"] = normal_rows(Randomness(2), "a0", width, 2)
    features = space.features(start, sample.inputs)
    step_size = 0.9 / (largest_eigenvalue(features) + decay / 2)
    for steps in (1, 17, 500):
        learner = GradientDescent(
            kind="gradient_descent", steps=steps, step_size=step_size, weight_decay=decay, schedule=schedule
        )
        fitted = learner.fit(space, sample, Randomness(1), unwatched, start)
        factors = None if schedule == "constant" else lambda step, total=steps: scheduled(schedule, step, total)
        exact = linear_trajectory(
            features, sample.labels, start["coefficients"], step_size, [steps], weight_decay=decay, schedule=factors
        )[0]
        assert float((fitted.parameters["coefficients"] - exact).abs().max()) < 1e-10


def test_trajectory_with_decay_ends_at_ridge_whatever_the_start():
    features, labels = normal_rows(Randomness(0), "phi", 10, 25), normal_rows(Randomness(0), "y", 10, 1)
    step_size = 0.9 / (largest_eigenvalue(features) + 0.05)
    limit = ridge_solution(features, labels, 0.05)[0]
    for name in ("a", "b"):
        start = normal_rows(Randomness(0), name, 25, 1)
        (last,) = linear_trajectory(features, labels, start, step_size, [10**6], weight_decay=0.1)
        torch.testing.assert_close(last, limit)


def test_trajectory_starts_at_the_start_and_ends_at_the_nearest_minimiser():
    features, labels = normal_rows(Randomness(0), "phi", 10, 25), normal_rows(Randomness(0), "y", 10, 1)
    start = normal_rows(Randomness(0), "a0", 25, 1)
    step_size = 0.9 / largest_eigenvalue(features)
    first, last = linear_trajectory(features, labels, start, step_size, [0, 10**7])
    torch.testing.assert_close(first, start)
    nearest = start + torch.linalg.pinv(features) @ (labels - features @ start)
    torch.testing.assert_close(last, nearest)
    torch.testing.assert_close(gradient_flow(features, labels, start, [math.inf])[0], nearest)
    from_zero = gradient_flow(features, labels, torch.zeros_like(start), [math.inf])[0]
    torch.testing.assert_close(from_zero, ridge_solution(features, labels, 0.0)[0])


def test_descent_tends_to_the_flow_with_first_order_in_the_step_size():
    features, labels = normal_rows(Randomness(0), "phi", 30, 10), normal_rows(Randomness(0), "y", 30, 1)
    start, time = torch.zeros(10, 1).double(), 1.0
    limit = gradient_flow(features, labels, start, [time])[0]
    errors = [
        float((linear_trajectory(features, labels, start, time / k, [k])[0] - limit).norm()) for k in (200, 400, 800)
    ]
    assert math.log2(errors[0] / errors[2]) / 2 == pytest.approx(1.0, abs=0.05)


def test_unstable_step_size_names_the_step_and_the_stable_one():
    sample, space = a_sample(), RandomFeatures(kind="random_features", width=20)
    top = largest_eigenvalue(space.features(space.draw(3, 1, Randomness(1), torch.float64), sample.inputs))
    learner = GradientDescent(kind="gradient_descent", steps=5000, step_size=1.2 / top)
    with pytest.raises(TrainingDiverged, match=r"at step \d+\. The step size is .* stable below") as caught:
        learner.fit(space, sample, Randomness(1), unwatched)
    assert f"{1 / top:.3g}" in caught.value.message
    stable = GradientDescent(kind="gradient_descent", steps=500, step_size=0.95 / top)
    curve = stable.fit(space, sample, Randomness(1), unwatched).curve
    assert curve[-1].empirical_risk < curve[0].empirical_risk


@pytest.mark.parametrize("scaling", ["mean_field", "standard"])
@pytest.mark.parametrize("initialisation", ["random", "zero_coefficients"])
def test_chosen_step_size_never_raises_the_risk(scaling, initialisation):
    space = TwoLayer(kind="two_layer", width=30, scaling=scaling, initialisation=initialisation)
    fitted = GradientDescent(kind="gradient_descent", steps=100).fit(space, a_sample(), Randomness(1), unwatched)
    risks = [point.empirical_risk for point in fitted.curve]
    assert all(later <= earlier * (1 + 1e-10) for earlier, later in itertools.pairwise(risks))
    assert risks[-1] < 0.95 * risks[0]


def test_duplicated_neurons_with_the_mean_field_step_leave_the_function_unchanged():
    """With the factor 1/m and a step size proportional to m, each neuron is a particle of one common flow."""
    sample, small = a_sample(), TwoLayer(kind="two_layer", width=7, scaling="mean_field")
    start = small.draw(3, 1, Randomness(1), torch.float64)
    twice = {name: torch.cat([value, value]) for name, value in start.items()}
    large = small.with_width(14)
    first = GradientDescent(kind="gradient_descent", steps=50, step_size=0.7)
    second = GradientDescent(kind="gradient_descent", steps=50, step_size=1.4)
    f = small.evaluate(first.fit(small, sample, Randomness(0), unwatched, start).parameters, sample.inputs)
    g = large.evaluate(second.fit(large, sample, Randomness(0), unwatched, twice).parameters, sample.inputs)
    torch.testing.assert_close(f, g, rtol=1e-12, atol=1e-12)


def test_largest_curvature_is_twice_the_largest_eigenvalue_on_a_linear_model():
    features, labels = normal_rows(Randomness(0), "phi", 50, 12), normal_rows(Randomness(0), "y", 50, 1)
    top = largest_curvature(
        lambda theta: empirical_risk(features @ theta["a"], labels),
        {"a": torch.zeros(12, 1).double()},
        ("a",),
        torch.Generator().manual_seed(0),
        iterations=300,
    )
    assert top == pytest.approx(2 * largest_eigenvalue(features), rel=1e-6)


def test_power_iteration_agrees_with_the_exact_eigenvalue(monkeypatch):
    features = uniform_rows(Randomness(0), "phi", 300, 40)
    exact = largest_eigenvalue(features)
    monkeypatch.setattr("models.gradient_flow.LARGEST_EXACT", 0)
    assert largest_eigenvalue(features) == pytest.approx(exact, rel=1e-9)


def test_adam_diverges_with_a_message_and_not_with_nan():
    learner = Adam(kind="adam", steps=400, learning_rate=10.0, schedule="constant", validation_fraction=0.0)
    space = TwoLayer(kind="two_layer", width=200)
    with pytest.raises(TrainingDiverged, match="try a tenth"):
        learner.fit(space, a_sample(), Randomness(1), unwatched)


def test_adam_stops_early_on_noise_and_late_without_it():
    space = TwoLayer(kind="two_layer", width=50)
    inputs = normal_rows(Randomness(0), "x", 200, 5)
    noise = 2 * normal_rows(Randomness(0), "noise", 200, 1)
    learner = Adam(kind="adam", steps=1000)
    noisy = learner.fit(space, Sample(inputs, inputs[:, :1] + noise), Randomness(1), unwatched)
    clean = learner.fit(space, Sample(inputs, inputs[:, :1]), Randomness(1), unwatched)
    assert noisy.details["steps"] < 300 < clean.details["steps"]


def test_adam_in_one_precision_follows_the_other():
    space, sample = TwoLayer(kind="two_layer", width=10), a_sample()
    outputs = [
        space.evaluate(
            Adam(kind="adam", steps=50, precision=precision).fit(space, sample, Randomness(1), unwatched).parameters,
            sample.inputs,
        )
        for precision in ("float32", "float64")
    ]
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-2, atol=1e-3)
