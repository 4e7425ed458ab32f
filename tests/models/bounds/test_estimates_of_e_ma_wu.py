"""The a posteriori and a priori estimates: published magnitudes, comparison network, epsilon, refusals, coverage."""

import dataclasses
import math

import pytest
import torch
from miss_rates import misses_no_more_often_than

from models.bounds._comparison_network import comparison_network
from models.bounds.a_posteriori_estimate import APosterioriEstimate, half_loss_terms
from models.bounds.a_priori_estimate import APrioriEstimate
from models.bounds.base import BoundSubject
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel, OutputRange
from models.measures import draw_inputs
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.risks import range_loss_cap
from models.scaling import identity_scaling
from models.targets.cosine_ridge import CosineRidge
from models.targets.euclidean_norm import EuclideanNorm
from models.targets.planted_two_layer import PlantedTwoLayer
from models.targets.single_neuron import SingleNeuron

PLANTED = PlantedTwoLayer(kind="planted_two_layer", neurons=4, path_norm=3.0)


@pytest.mark.parametrize(
    ("size", "columns", "norm", "published"),
    [(60_000, 785, 1.0, 0.132), (60_000, 785, 10.0, 0.698), (10_000, 11, 5.0, 0.616), (10**5, 6, 3.0, 0.119)],
)
def test_a_posteriori_form_has_the_published_magnitudes(size, columns, norm, published):
    assert sum(half_loss_terms(norm, columns, size, 0.05)) == pytest.approx(published, abs=6e-4)


def problem_of(target, dimension=3, noise=0.0, measure="uniform"):
    return SyntheticProblem(target, dimension, noise, measure)


def subject_of(problem, size=400, width=6, seed=0, network="target", space=None, held_out=2000):
    """A two-layer network clipped to its training labels: the target's own neurons, or those drawn at random."""
    training = problem.training_sample(size, Randomness(seed))
    test = problem.test_sample(held_out, Randomness(seed))
    space = space or TwoLayer(kind="two_layer", width=width)
    parameters = space.draw(problem.dimension, 1, Randomness(seed), torch.float64)
    if network == "target":
        found = comparison_network(problem, width, Randomness(seed).child("model"))
        count = found.weights.inner.shape[0]
        for name, value in (
            ("weights", found.weights.inner),
            ("biases", found.weights.biases),
            ("coefficients", found.weights.outer),
        ):
            parameters[name].zero_()
            parameters[name][:count] = value
    limits = OutputRange(training.labels.amin(dim=0), training.labels.amax(dim=0))
    model = LearnedModel(space, parameters, identity_scaling(problem.dimension), identity_scaling(1), limits)
    cap = range_loss_cap(limits.lower, limits.upper)
    return BoundSubject(model, training, test, cap, False, problem.input_sup_bound, Randomness(seed), problem)


def test_a_posteriori_report_is_the_formula_in_label_units():
    subject = subject_of(problem_of(PLANTED))
    report = APosterioriEstimate(kind="a_posteriori_estimate").evaluate(subject, 0.05)
    cap, lower = subject.loss_cap, float(subject.model.output_range.lower[0])
    parameters = subject.model.parameters
    lengths = parameters["weights"].abs().sum(dim=1) + parameters["biases"].abs()
    norm = (float(parameters["coefficients"][:, 0].abs() @ lengths) + abs(lower)) / math.sqrt(cap)
    assert report.inputs["path_norm_in_unit_range"] == pytest.approx(norm)
    log_term = math.log(2 * math.pi**2 / 6 * 400 * 399 * (1 + norm) ** 2 / 0.05)
    expected = 4 * math.sqrt(2 * math.log(8) / 398) * (norm + 1) + 0.5 * math.sqrt(2 * log_term / 398)
    left_out = {term.name: term.value for term in report.terms}["rows_left_out"]
    assert report.value == pytest.approx(2 * cap * expected + left_out)
    assert report.value > report.measured.value


@pytest.mark.parametrize(
    "target",
    [
        PLANTED,
        SingleNeuron(kind="single_neuron"),
        CosineRidge(kind="cosine_ridge"),
        CosineRidge(kind="cosine_ridge", frequencies=(1.0, -0.5)),
    ],
)
@pytest.mark.parametrize("measure", ["uniform", "sphere"])
def test_comparison_network_has_the_barron_norm_and_constant_one(target, measure):
    problem = problem_of(target, measure=measure)
    inputs = draw_inputs(measure, Randomness(1), "inputs", 2000, 3)
    gamma = problem.known_facts().barron_norm_bound
    width, true = 3, target.evaluate(inputs)[:, 0]
    networks = [comparison_network(problem, width, Randomness(seed)) for seed in range(200)]
    errors = torch.tensor([float(((network(inputs) - true) ** 2).mean()) for network in networks])
    assert all(network.norm == pytest.approx(gamma, rel=1e-6) for network in networks)
    assert float(errors.mean()) <= gamma**2 / width + 3 * float(errors.std()) / math.sqrt(200)
    # Whole representations are the function itself, up to the error of the sum over midpoints.
    whole = comparison_network(problem, 50_000, Randomness(0))
    assert whole.exact
    assert float((whole(inputs) - true).abs().max()) <= whole.representation_error + 1e-9
    assert whole.representation_error < 1e-5


def test_drawn_comparison_is_within_its_error_as_often_as_promised():
    problem = problem_of(PLANTED)
    inputs = draw_inputs("uniform", Randomness(1), "inputs", 4000, 3)
    true = PLANTED.evaluate(inputs)[:, 0]
    limit = 3.0 / math.sqrt(2) * (1 + math.sqrt(2 * math.log(1 / 0.1)))
    errors = [
        float(((comparison_network(problem, 2, Randomness(s))(inputs) - true) ** 2).mean().sqrt()) for s in range(300)
    ]
    assert sum(error > limit for error in errors) / 300 <= 0.1


def test_own_neurons_certify_that_epsilon_is_zero():
    subject = subject_of(problem_of(PLANTED), size=1000)
    report = APrioriEstimate(kind="a_priori_estimate").evaluate(subject, 0.05)
    terms = {term.name: term.value for term in report.terms}
    assert terms["optimization_epsilon"] == 0
    assert terms["approximation"] == 0
    assert report.inputs["objective"] == pytest.approx(report.inputs["comparison_objective"])
    # Everything by hand: v = 0, A = lambda gamma, u = sqrt(M), N = 998.
    cap = subject.loss_cap
    rows_penalty = 6 * math.sqrt(cap) * math.sqrt(2 * math.log(8) / 998)
    penalty = rows_penalty * 0.998
    total = penalty * 3.0
    log_term = math.log(2 * 1000 * 999 * math.pi**2 * (total / (penalty * math.sqrt(cap)) + 1) ** 2 / (6 * 0.05))
    expected = total / 0.998 + rows_penalty * math.sqrt(cap) + cap * math.sqrt(log_term / (2 * 998))
    assert report.value == pytest.approx(expected)
    assert math.fsum(terms.values()) == pytest.approx(report.value)


def test_worse_objective_is_paid_for_by_epsilon():
    good = subject_of(problem_of(PLANTED))
    parameters = {**good.model.parameters, "coefficients": good.model.parameters["coefficients"] * 2}
    bad = dataclasses.replace(good, model=dataclasses.replace(good.model, parameters=parameters))
    bound = APrioriEstimate(kind="a_priori_estimate")
    first, second = bound.evaluate(good, 0.05), bound.evaluate(bad, 0.05)
    epsilon = {term.name: term.value for term in second.terms}["optimization_epsilon"]
    assert epsilon == pytest.approx(second.inputs["objective"] - second.inputs["comparison_objective"])
    assert epsilon > 0
    assert second.value > first.value + epsilon


def test_norm_without_a_known_representation_serves_too():
    problem = problem_of(EuclideanNorm(kind="euclidean_norm"))
    report = APrioriEstimate(kind="a_priori_estimate").evaluate(subject_of(problem, network="drawn"), 0.05)
    assert "comparison_objective" not in report.inputs
    gamma = problem.known_facts().barron_norm_bound
    terms = {term.name: term.value for term in report.terms}
    assert terms["approximation"] == pytest.approx(gamma**2 / 6)
    assert terms["optimization_epsilon"] == pytest.approx(
        max(0.0, report.inputs["objective"] - report.inputs["comparison_objective_bound"])
    )


def failed(report):
    assert report.value is None
    return [a.name for a in report.assumptions if a.standing == "failed"]


def test_missing_hypotheses_are_refused_by_name(drawn_subject):
    bound = APrioriEstimate(kind="a_priori_estimate")
    noisy = subject_of(problem_of(PLANTED, noise=0.1))
    assert failed(bound.evaluate(noisy, 0.05)) == ["labels_without_noise"]
    unbounded = subject_of(problem_of(PLANTED, measure="gaussian"))
    assert failed(bound.evaluate(unbounded, 0.05)) == ["inputs_bounded_beforehand"]
    assert failed(bound.evaluate(drawn_subject(), 0.05)) == ["barron_norm_known"]
    tanh = subject_of(
        problem_of(PLANTED), network="drawn", space=TwoLayer(kind="two_layer", width=3, activation="tanh")
    )
    assert failed(bound.evaluate(tanh, 0.05)) == ["two_layer_relu"]
    posterior = APosterioriEstimate(kind="a_posteriori_estimate")
    assert failed(posterior.evaluate(unbounded, 0.05)) == ["inputs_in_unit_cube"]
    assert failed(posterior.evaluate(tanh, 0.05)) == ["two_layer_relu"]


def test_values_fall_with_the_sample_and_grow_with_the_norm():
    bound = APrioriEstimate(kind="a_priori_estimate")
    values = [bound.evaluate(subject_of(problem_of(PLANTED), size=n), 0.05).value for n in (200, 2000, 20_000)]
    assert values == sorted(values, reverse=True)
    larger = PlantedTwoLayer(kind="planted_two_layer", neurons=4, path_norm=6.0)
    scaled = bound.evaluate(subject_of(problem_of(larger), size=2000), 0.05)
    # Twice the function in twice the units: four times every squared number.
    assert scaled.value == pytest.approx(4 * values[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a_posteriori_estimate", "a_priori_estimate"])
def test_estimates_hold_on_fresh_samples(kind):
    """Vacuous or loose at these sizes: the misses are expected to be none."""
    bound = {"a_posteriori_estimate": APosterioriEstimate, "a_priori_estimate": APrioriEstimate}[kind](kind=kind)

    def missed(seed):
        report = bound.evaluate(subject_of(problem_of(PLANTED), size=30, width=3, seed=seed, held_out=400), 0.05)
        return report.value < report.measured.value - 4 * report.measured.standard_error

    misses_no_more_often_than(0.05, missed)


def test_random_features_of_relu_are_such_networks():
    space = RandomFeatures(kind="random_features", width=20)
    subject = subject_of(problem_of(PLANTED), network="drawn", space=space)
    assert APrioriEstimate(kind="a_priori_estimate").evaluate(subject, 0.05).value is not None
