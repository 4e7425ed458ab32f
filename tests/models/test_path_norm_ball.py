"""The complexity of a path-norm ball, the folding of scalings, and the bound that rests on them."""

import dataclasses
import math
from itertools import product

import pytest
import torch

from models.bounds._uniform_gap import radius_weight
from models.bounds.base import BoundSubject
from models.bounds.path_norm_ball import PathNormBall
from models.complexities.path_norm_ball import (
    PathNormed,
    PathWeights,
    homogeneous,
    path_norm,
    path_norm_ball_complexity,
)
from models.complexities.rademacher_sums import rademacher_sums
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel, OutputRange
from models.randomness import Randomness
from models.risks import range_loss_cap
from models.samples import Sample
from models.scaling import AffineScaling, identity_scaling, standardisation


def bracket(inputs, draws, failure_probability, randomness):
    """Of the complexity of the path-norm ball of radius one on these inputs."""
    drawn = rademacher_sums(inputs, homogeneous, draws, randomness)
    return path_norm_ball_complexity(drawn, bool((inputs >= 0).all()), failure_probability)


def points(size, dimension, lower=-1.0, seed=0):
    uniform = torch.rand(size, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return lower + (1 - lower) * uniform


def exact_for_one_input(inputs):
    """(1/n) E sup over ||(w, c)||_1 <= 1 of |sum_i xi_i max(0, w x_i + c)|, d = 1, over all 2^n sign vectors.

    The objective is piecewise linear on the diamond: its maximum lies at a vertex or where an edge meets a kink
    w x_i + c = 0, that is at (w, c) proportional to +-(1, -x_i).
    """
    kinks = [(1.0, -float(x)) for x in inputs[:, 0]]
    neurons = [(1.0, 0.0), (0.0, 1.0), *kinks]
    weights = torch.tensor(
        [(s * w / (abs(w) + abs(c)), s * c / (abs(w) + abs(c))) for w, c in neurons for s in (1, -1)]
    )
    homogeneous = torch.cat([inputs, torch.ones_like(inputs)], dim=1)
    outputs = torch.relu(homogeneous @ weights.to(torch.float64).T)
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=len(inputs))), dtype=torch.float64)
    return float((signs @ outputs).abs().amax(dim=1).mean()) / len(inputs)


@pytest.mark.parametrize("lower", [-1.0, 0.0])
def test_bracket_holds_the_exact_breakpoint_value(lower):
    inputs = points(10, 1, lower)
    complexity = bracket(inputs, 20_000, 0.01, Randomness(0))
    true = exact_for_one_input(inputs)
    assert complexity.lower_factor == (1.0 if lower == 0 else 0.5)
    assert complexity.lower - 4 * complexity.standard_error <= true <= complexity.upper


def test_breakpoints_reach_what_a_fine_grid_of_neurons_finds():
    inputs = points(8, 1)
    angles = torch.linspace(0, 2 * math.pi, 4001, dtype=torch.float64)
    weights = torch.stack([angles.cos(), angles.sin()])
    weights = weights / weights.abs().sum(dim=0)
    outputs = torch.relu(torch.cat([inputs, torch.ones_like(inputs)], dim=1) @ weights)
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=8)), dtype=torch.float64)
    grid = float((signs @ outputs).abs().amax(dim=1).mean()) / 8
    assert grid <= exact_for_one_input(inputs) + 1e-12
    assert grid == pytest.approx(exact_for_one_input(inputs), rel=1e-3)


def test_monte_carlo_agrees_with_a_dense_reference():
    inputs = points(300, 4)
    complexity = bracket(inputs, 4000, 0.01, Randomness(3))
    signs = torch.randint(0, 2, (20_000, 300), generator=torch.Generator().manual_seed(9)).to(torch.float64) * 2 - 1
    dense = (signs @ torch.cat([inputs, torch.ones(300, 1, dtype=torch.float64)], dim=1)).abs().amax(dim=1).mean() / 300
    assert complexity.estimate == pytest.approx(float(dense), abs=5 * complexity.standard_error)


def test_upper_end_pays_for_the_random_signs():
    inputs = points(300, 4, 0.0)
    complexity = bracket(inputs, 1000, 0.01, Randomness(3))
    # The constant coordinate is the largest on the cube, so sum_i ||x~_i||_inf^2 = n.
    slack = math.sqrt(2 * math.log(100) / (1000 * 300))
    assert complexity.upper == pytest.approx(1.5 * (complexity.estimate + slack))


def test_complexity_falls_like_one_over_root_n():
    sizes = (100, 400, 1600, 6400)
    values = [bracket(points(n, 3), 1000, 0.01, Randomness(0)).estimate for n in sizes]
    slope = math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0])
    assert slope == pytest.approx(-0.5, abs=0.05)


def test_scalings_fold_into_the_weights():
    weights = PathWeights(
        torch.tensor([[2.0], [-1.0]], dtype=torch.float64),
        torch.tensor([[1.0, -1.0], [0.5, 0.0]], dtype=torch.float64),
        torch.tensor([0.5, -0.25], dtype=torch.float64),
    )
    inputs = AffineScaling(torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor([2.0, 4.0], dtype=torch.float64))
    outputs = AffineScaling(torch.tensor([-3.0], dtype=torch.float64), torch.tensor([10.0], dtype=torch.float64))
    # neuron 1: w/s = (.5, -.25), c = .5 - (.5 - .5) = .5; neuron 2: w/s = (.25, 0), c = -.25 - .25 = -.5.
    assert path_norm(weights, inputs, outputs) == pytest.approx(20 * 1.25 + 10 * 0.75 + 3)
    assert path_norm(weights, identity_scaling(2), identity_scaling(1)) == pytest.approx(2 * 2.5 + 0.75)


@pytest.mark.parametrize("scaling", ["mean_field", "standard"])
def test_two_layer_weights_reproduce_the_network(scaling):
    space = TwoLayer(kind="two_layer", width=7, scaling=scaling)
    parameters = space.draw(3, 1, Randomness(0), torch.float64)
    assert isinstance(space, PathNormed)
    weights = space.path_norm_weights(parameters)
    inputs = points(20, 3)
    direct = torch.relu(inputs @ weights.inner.T + weights.biases) @ weights.outer
    torch.testing.assert_close(direct, space.evaluate(parameters, inputs))


def test_cosine_features_have_no_path_norm():
    space = RandomFeatures(kind="random_features", width=5, feature="cosine")
    assert space.path_norm_weights(space.draw(3, 1, Randomness(0), torch.float64)) is None
    relu = RandomFeatures(kind="random_features", width=5)
    assert relu.path_norm_weights(relu.draw(3, 1, Randomness(0), torch.float64)) is not None


def subject_of(size=1000, scaled=True, units=1.0, space=None, outputs=1):
    """An untrained network on x ~ U[0,1]^3 in other units, clipped to its label range."""
    inputs = points(2 * size, 3, 0.0) * units
    labels = (inputs[:, :1] / units - 0.5).abs().expand(-1, outputs).contiguous()
    training, held_out = Sample(inputs[:size], labels[:size]), Sample(inputs[size:], labels[size:])
    space = space or TwoLayer(kind="two_layer", width=4)
    parameters = space.draw(3, outputs, Randomness(0), torch.float64)
    limits = OutputRange(training.labels.amin(dim=0), training.labels.amax(dim=0))
    model = LearnedModel(
        space,
        parameters,
        standardisation(training.inputs) if scaled else identity_scaling(3),
        standardisation(training.labels) if scaled else identity_scaling(outputs),
        limits,
    )
    cap = range_loss_cap(limits.lower, limits.upper)
    return BoundSubject(model, training, held_out, cap, scaled, None, Randomness(0))


def test_bound_is_valid_although_the_scaling_was_learnt():
    report = PathNormBall(kind="path_norm_ball").evaluate(subject_of(), 0.05)
    assert report.refused_because is None
    assert report.value == pytest.approx(sum(term.value for term in report.terms))
    assert report.value > report.measured.value
    assert report.inputs["delta_for_monte_carlo"] + report.inputs["delta_for_sample"] == pytest.approx(0.05)


def test_deviation_term_is_the_formula():
    report = PathNormBall(kind="path_norm_ball").evaluate(subject_of(), 0.05)
    inputs = report.inputs
    log_term = math.log(1000 * 999 / (0.95 * 0.05 * inputs["radius_weight"]))
    deviation = inputs["loss_cap"] * math.sqrt(2 * log_term / 998)
    terms = {term.name: term.value for term in report.terms}
    assert terms["deviation"] == pytest.approx(deviation)
    contraction = 2 * inputs["lipschitz_constant"] * inputs["radius"] * inputs["unit_ball_complexity_upper"]
    assert terms["complexity"] == pytest.approx(contraction)


def test_radius_weights_sum_to_one():
    # The tail beyond |k| = 1000 is at most 2/1000.
    assert sum(radius_weight(step) for step in range(-1000, 1001)) == pytest.approx(1, abs=2e-3)


def test_bound_does_not_depend_on_the_units_of_labels():
    subject = subject_of(scaled=False)
    grown = LearnedModel(
        subject.model.space,
        subject.model.parameters,
        subject.model.input_scaling,
        AffineScaling(torch.zeros(1, dtype=torch.float64), torch.full((1,), 0.001, dtype=torch.float64)),
        OutputRange(subject.model.output_range.lower * 1000, subject.model.output_range.upper * 1000),
    )
    in_label_units = LearnedModel(
        grown.space,
        grown.parameters,
        grown.input_scaling,
        AffineScaling(torch.zeros(1, dtype=torch.float64), torch.full((1,), 1000.0, dtype=torch.float64)),
        grown.output_range,
    )
    training = Sample(subject.training.inputs, subject.training.labels * 1000)
    held_out = Sample(subject.held_out.inputs, subject.held_out.labels * 1000)
    moved = BoundSubject(in_label_units, training, held_out, subject.loss_cap * 1e6, False, None, subject.randomness)
    bound = PathNormBall(kind="path_norm_ball")
    assert bound.evaluate(moved, 0.05).value == pytest.approx(1e6 * bound.evaluate(subject, 0.05).value, rel=1e-6)


def test_bound_shrinks_with_the_sample_size_and_with_delta():
    bound = PathNormBall(kind="path_norm_ball")
    assert bound.evaluate(subject_of(4000), 0.05).value < bound.evaluate(subject_of(500), 0.05).value
    assert bound.evaluate(subject_of(), 0.2).value < bound.evaluate(subject_of(), 0.001).value


def test_several_outputs_and_other_spaces_are_refused_by_name():
    bound = PathNormBall(kind="path_norm_ball")
    several = bound.evaluate(subject_of(outputs=2), 0.05)
    assert several.value is None
    assert [a.name for a in several.assumptions if a.standing == "failed"] == ["one_output"]
    cosine = RandomFeatures(kind="random_features", width=5, feature="cosine")
    other = bound.evaluate(subject_of(space=cosine), 0.05)
    assert [a.name for a in other.assumptions if a.standing == "failed"] == ["two_layer_relu"]


def test_vacuous_bound_is_reported_not_hidden():
    report = PathNormBall(kind="path_norm_ball").evaluate(subject_of(30), 0.05)
    assert report.vacuous is True
    assert math.isfinite(report.value)


@pytest.mark.parametrize("sides", ["one", "two"])
def test_forms_differ_by_their_deviation_terms(sides):
    def terms(form, **changes):
        subject = dataclasses.replace(subject_of(scaled=False), input_sup_bound=1.0)
        report = PathNormBall(kind="path_norm_ball", form=form, sides=sides, **changes).evaluate(subject, 0.05)
        return {term.name: term.value for term in report.terms}, report.inputs

    (sharp, inputs), (textbook, _), (expected, always) = terms("sharp"), terms("textbook"), terms("expected")
    factor = 1 if sides == "one" else 2
    choices = 1000 * 999 / inputs["radius_weight"]
    cap, paid = inputs["loss_cap"], 0.95 * 0.05
    assert sharp["deviation"] == pytest.approx(cap * math.sqrt(2 * math.log(factor * choices / paid) / 998))
    events = 2 if sides == "one" else 3
    assert textbook["deviation"] == pytest.approx(3 * cap * math.sqrt(math.log(events * choices / paid) / (2 * 998)))
    choices = 1000 * 999 / always["radius_weight"]
    assert expected["deviation"] == pytest.approx(cap * math.sqrt(math.log(factor * choices / 0.05) / (2 * 998)))
    assert always["unit_ball_complexity_upper"] == pytest.approx(1.5 * math.sqrt(2 * math.log(8) / 998))
    assert always["delta_for_monte_carlo"] == 0


def test_form_of_every_sample_needs_bounded_inputs():
    report = PathNormBall(kind="path_norm_ball", form="expected").evaluate(subject_of(), 0.05)
    assert report.value is None
    assert [a.name for a in report.assumptions if a.standing == "failed"] == ["inputs_bounded_beforehand"]


def test_absolute_gap_is_bounded_and_measured_as_such():
    report = PathNormBall(kind="path_norm_ball", sides="two").evaluate(subject_of(), 0.05)
    one = PathNormBall(kind="path_norm_ball").evaluate(subject_of(), 0.05)
    assert report.measured.value == abs(one.measured.value)
    assert report.value > one.value


def test_searched_lower_end_stands_beside_the_upper_end():
    report = PathNormBall(kind="path_norm_ball", search_draws=50).evaluate(subject_of(100, scaled=False), 0.05)
    inputs = report.inputs
    assert 0 <= inputs["unit_ball_complexity_lower"] < inputs["unit_ball_complexity_searched"]
    assert inputs["unit_ball_complexity_searched"] < inputs["unit_ball_complexity_upper"]
    assert inputs["delta_for_lower_end"] == pytest.approx(0.0025)
