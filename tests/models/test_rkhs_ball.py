"""The complexity of an RKHS ball and the bound that rests on it."""

import math
from itertools import product

import pytest
import torch

from models.bounds.base import BoundSubject
from models.bounds.rkhs_ball import RkhsBall
from models.complexities.rademacher_sums import rademacher_sums
from models.complexities.rkhs_ball import rkhs_ball_complexity
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel, OutputRange
from models.randomness import Randomness
from models.risks import capped_losses, range_loss_cap
from models.samples import Sample
from models.scaling import identity_scaling, standardisation


def features_of(inputs):
    return torch.cat([inputs, inputs**2 - 0.5], dim=1)


@pytest.fixture
def inputs():
    return torch.rand(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def exact(inputs):
    """(1/n) E sqrt(xi^T K xi) over all 2^n sign vectors."""
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=len(inputs))), dtype=torch.float64)
    kernel = features_of(inputs) @ features_of(inputs).T
    return float(torch.sqrt(torch.einsum("bi,ij,bj->b", signs, kernel, signs).clamp(min=0)).mean()) / len(inputs)


def test_monte_carlo_agrees_with_all_sign_vectors(inputs):
    complexity = rkhs_ball_complexity(rademacher_sums(inputs, features_of, 20_000, Randomness(0)), 0.01)
    assert complexity.estimate == pytest.approx(exact(inputs), abs=4 * complexity.standard_error)


def test_trace_bounds_enclose_the_complexity(inputs):
    complexity = rkhs_ball_complexity(rademacher_sums(inputs, features_of, 100, Randomness(0)), 0.01)
    assert complexity.trace_lower_bound <= exact(inputs) <= complexity.trace_bound
    kernel = features_of(inputs) @ features_of(inputs).T
    assert complexity.trace_bound == pytest.approx(math.sqrt(float(kernel.trace())) / len(inputs))


def test_rank_one_and_two_rows_attain_the_lower_trace_bound():
    complexity = rkhs_ball_complexity(
        rademacher_sums(torch.ones(2, 1, dtype=torch.float64), lambda rows: rows, 4000, Randomness(1)), 0.01
    )
    # sum of two signs is +-2 or 0 with equal chance: the mean of |.| is 1, over n = 2.
    assert complexity.trace_lower_bound == pytest.approx(0.5)
    assert complexity.estimate == pytest.approx(0.5, abs=4 * complexity.standard_error)


def test_upper_end_covers_the_exact_value_as_often_as_promised(inputs):
    true, misses, repeats, delta = exact(inputs), 0, 400, 0.1
    for seed in range(repeats):
        misses += rkhs_ball_complexity(rademacher_sums(inputs, features_of, 100, Randomness(seed)), delta).upper < true
    assert misses / repeats <= delta + 3 * math.sqrt(delta * (1 - delta) / repeats)


@pytest.mark.parametrize("size", [1e-6, 0.1, 3.0, 1e5])
def test_upper_end_is_never_below_the_mean_although_one_row_leaves_nothing_to_chance(size):
    row = torch.tensor([[size, 1.0]], dtype=torch.float64)
    complexity = rkhs_ball_complexity(rademacher_sums(row, lambda rows: rows, 100, Randomness(0)), 0.05)
    assert complexity.estimate * (1 - 1e-15) <= complexity.upper <= complexity.trace_bound


def test_upper_end_is_never_above_the_trace_bound_and_tightens_with_draws(inputs):
    few, many = (
        rkhs_ball_complexity(rademacher_sums(inputs, features_of, k, Randomness(0)), 0.01) for k in (100, 50_000)
    )
    assert many.upper <= few.upper <= few.trace_bound
    assert many.upper == pytest.approx(exact(inputs), rel=0.01)


def test_blocks_of_rows_are_a_matter_of_memory_only():
    rows = torch.rand(3000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = []

    def feature_map(block):
        seen.append(len(block))
        return block

    complexity = rkhs_ball_complexity(rademacher_sums(rows, feature_map, 2000, Randomness(0)), 0.01)
    assert max(seen) <= 1024
    signs = torch.randint(0, 2, (2000, 3000), generator=torch.Generator().manual_seed(5)).to(torch.float64) * 2 - 1
    dense = torch.linalg.vector_norm(signs @ rows, dim=1) / 3000
    assert complexity.estimate == pytest.approx(float(dense.mean()), abs=6 * complexity.standard_error)


def subject_of(size=400, outputs=1, seed=0, scaled=False, coefficient_scale=1.0):
    """A ridge-free least squares fit on random features of y = sin(3 x_1) + noise, clipped to its label range."""
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.rand(2 * size, 2, generator=draw, dtype=torch.float64)
    noise = 0.1 * torch.randn(2 * size, outputs, generator=draw, dtype=torch.float64)
    labels = torch.sin(3 * inputs[:, :1]).expand(-1, outputs) + noise
    training, held_out = Sample(inputs[:size], labels[:size]), Sample(inputs[size:], labels[size:])
    space = RandomFeatures(kind="random_features", width=20)
    parameters = space.draw(2, outputs, Randomness(seed), torch.float64)
    features = space.features(parameters, training.inputs)
    gram = features.T @ features + 0.01 * torch.eye(20, dtype=torch.float64)
    parameters["coefficients"] = coefficient_scale * torch.linalg.solve(gram, features.T @ training.labels)
    limits = OutputRange(training.labels.amin(dim=0), training.labels.amax(dim=0))
    input_scaling = standardisation(training.inputs) if scaled else identity_scaling(2)
    model = LearnedModel(space, parameters, input_scaling, identity_scaling(outputs), limits)
    cap = range_loss_cap(limits.lower, limits.upper)
    return BoundSubject(model, training, held_out, cap, scaled, 1.0, Randomness(seed))


def test_bound_is_the_sum_of_its_terms_and_above_the_measured_gap():
    report = RkhsBall(kind="rkhs_ball").evaluate(subject_of(), 0.05)
    assert report.value == pytest.approx(sum(term.value for term in report.terms))
    assert report.value > report.measured.value + 4 * report.measured.standard_error
    assert {a.name: a.standing for a in report.assumptions}["loss_fixed_before_sample"] == "checked"


def test_bound_radius_contains_the_model_and_wastes_at_most_one_step():
    report = RkhsBall(kind="rkhs_ball").evaluate(subject_of(), 0.05)
    norm, radius, scale = (report.inputs[k] for k in ("norm", "radius", "lipschitz_constant"))
    assert norm <= radius
    assert radius <= max(norm * 2 ** (1 / 8), scale / 2) * (1 + 1e-12)


def test_bound_shrinks_with_the_sample_size():
    values = [RkhsBall(kind="rkhs_ball").evaluate(subject_of(size), 0.05).value for size in (100, 400, 1600)]
    assert values[0] > values[1] > values[2]


def test_vacuous_bound_is_reported_not_hidden():
    report = RkhsBall(kind="rkhs_ball").evaluate(subject_of(coefficient_scale=1e6), 0.05)
    assert report.vacuous is True
    assert report.value > report.trivial_value


def test_given_range_costs_no_union_over_pairs_of_rows():
    subject = subject_of()
    limits = OutputRange(torch.tensor([-2.0], dtype=torch.float64), torch.tensor([2.0], dtype=torch.float64))
    model = LearnedModel(
        subject.model.space,
        subject.model.parameters,
        subject.model.input_scaling,
        subject.model.output_scaling,
        limits,
    )
    given = BoundSubject(model, subject.training, subject.held_out, 16.0, False, 1.0, Randomness(0))
    report = RkhsBall(kind="rkhs_ball").evaluate(given, 0.05)
    assert report.inputs["range_choices_in_union"] == 1
    assert report.inputs["rows"] == 400
    assert {a.name: a.standing for a in report.assumptions}["loss_fixed_before_sample"] == "declared"
    losses = capped_losses(model(subject.training.inputs), subject.training.labels, 16.0)
    assert report.measured.value < 16.0 - float(losses.mean())


def test_features_scaled_by_the_sample_are_refused_by_name():
    report = RkhsBall(kind="rkhs_ball").evaluate(subject_of(scaled=True), 0.05)
    assert report.value is None
    assert report.vacuous is None
    assert "standardised" in report.refused_because
    assert [a.name for a in report.assumptions if a.standing == "failed"] == ["features_fixed_before_sample"]


def test_several_outputs_and_nonlinear_spaces_are_refused():
    assert "outputs" in RkhsBall(kind="rkhs_ball").evaluate(subject_of(outputs=2), 0.05).refused_because
    linear = subject_of()
    space = TwoLayer(kind="two_layer", width=4)
    parameters = space.draw(2, 1, Randomness(0), torch.float64)
    model = LearnedModel(space, parameters, identity_scaling(2), identity_scaling(1), linear.model.output_range)
    subject = BoundSubject(model, linear.training, linear.held_out, linear.loss_cap, False, 1.0, Randomness(0))
    assert "not linear" in RkhsBall(kind="rkhs_ball").evaluate(subject, 0.05).refused_because


def test_output_offset_is_one_more_feature():
    subject = subject_of()
    shifted = standardisation(subject.training.labels)
    model = LearnedModel(
        subject.model.space,
        subject.model.parameters,
        subject.model.input_scaling,
        shifted,
        subject.model.output_range,
    )
    moved = BoundSubject(model, subject.training, subject.held_out, subject.loss_cap, False, 1.0, Randomness(0))
    report = RkhsBall(kind="rkhs_ball").evaluate(moved, 0.05)
    coefficients = model.parameters["coefficients"][:, 0] * shifted.scale[0]
    expected = math.sqrt(float((coefficients**2).sum()) + float(shifted.shift[0]) ** 2)
    assert report.inputs["norm"] == pytest.approx(expected)
