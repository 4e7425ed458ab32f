"""Norms of targets in kernels' spaces between their ends, and what they promise random features."""

import math

import pytest
import torch

from models.bounds import BOUNDS
from models.bounds.base import BoundSubject
from models.bounds.random_feature_approximation import best_blocks, feature_second_moment
from models.bounds.rkhs_norm_lower import interpolation_norm
from models.hypothesis_spaces.kernel_ridge import KernelRidge
from models.hypothesis_spaces.random_features import RandomFeatures
from models.kernels import kernel_matrix
from models.learned_model import LearnedModel, OutputRange
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.scaling import identity_scaling
from models.targets import TARGETS

LINEAR = {"kind": "linear", "weights": (1.0, -2.0)}
BUMP = {"kind": "gaussian", "width": 2.0}


def subject_of(target, space=None, measure="uniform", dimension=2, scaled=False, seed=0):
    problem = SyntheticProblem(TARGETS[target["kind"]](**target), dimension, 0.0, measure)
    sample = problem.training_sample(50, Randomness(seed))
    space = space or features("cosine")
    parameters = space.draw_on(sample.inputs, 1, Randomness(seed), torch.float64)
    limits = OutputRange(sample.labels.amin(dim=0), sample.labels.amax(dim=0))
    model = LearnedModel(space, parameters, identity_scaling(dimension), identity_scaling(1), limits)
    return BoundSubject(model, sample, sample, 1.0, scaled, problem.input_sup_bound, Randomness(seed), problem)


def features(feature, width=100, **fields):
    return RandomFeatures(kind="random_features", width=width, feature=feature, **fields)


def evaluate(kind, subject, delta=0.05, **fields):
    return BOUNDS[kind](kind=kind, **fields).evaluate(subject, delta)


def failed(report):
    assert report.value is None
    return [a.name for a in report.assumptions if a.standing == "failed"]


def test_bump_has_its_exact_norm_between_the_ends():
    subject = subject_of(BUMP)
    upper, lower = evaluate("rkhs_norm_upper", subject), evaluate("rkhs_norm_lower", subject)
    # (s^2 / (t sqrt(2 s^2 - t^2)))^{d/2} with s = 2, t^2 = d = 2.
    assert upper.value == pytest.approx(4 / math.sqrt(2 * 6))
    assert 0.99 * upper.value <= lower.value <= upper.value
    assert (lower.side, lower.delta, upper.delta) == ("lower", 0, 0)


def test_one_kernel_function_has_norm_one_and_is_recognised():
    """f = k(z, .) has norm sqrt(k(z, z)), reached as soon as z is among the points."""
    points = torch.rand(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gram = kernel_matrix("arc_cosine", points, points, None)
    assert interpolation_norm(gram, gram[:, 3]) == pytest.approx(math.sqrt(float(gram[3, 3])), rel=1e-3)
    assert interpolation_norm(gram, gram[:, 3]) <= math.sqrt(float(gram[3, 3]))
    assert interpolation_norm(gram, torch.zeros(30, dtype=torch.float64)) == 0


def test_affine_function_is_between_the_ends_for_the_arc_cosine_kernel():
    subject = subject_of(LINEAR)
    upper = evaluate("rkhs_norm_upper", subject, kernel="arc_cosine")
    assert upper.value == pytest.approx(2 * math.sqrt(3) * math.sqrt(5))
    values = [evaluate("rkhs_norm_lower", subject, kernel="arc_cosine", points=n).value for n in (3, 30, 300)]
    assert 0 < values[0] < values[1] < values[2] <= upper.value


def test_function_outside_the_space_has_no_upper_end_and_a_growing_lower_one():
    subject = subject_of({"kind": "cosine_ridge"})
    assert failed(evaluate("rkhs_norm_upper", subject)) == ["rkhs_norm_known"]
    few, many = (evaluate("rkhs_norm_lower", subject, points=n).value for n in (5, 50))
    assert many > 10 * few > 0


def test_norm_of_a_linear_model_stands_beside_the_targets():
    subject = subject_of(BUMP, KernelRidge(kind="kernel_ridge"))
    subject.model.parameters["coefficients"].copy_(torch.full((50, 1), 0.1))
    for kind in ("rkhs_norm_lower", "rkhs_norm_upper"):
        assert evaluate(kind, subject).inputs["norm_of_model"] == pytest.approx(0.1 * math.sqrt(50))


@pytest.mark.parametrize("measure", ["uniform", "sphere", "gaussian"])
@pytest.mark.parametrize("feature", ["relu", "cosine", "fourier"])
def test_second_moment_of_a_feature_is_an_upper_value_and_nearly_reached(feature, measure):
    problem = SyntheticProblem(TARGETS["linear"](kind="linear"), 3, 0.0, measure)
    inputs, space = problem.inputs(20_000, Randomness(0), "x"), features(feature, 400)
    values = space.features(space.draw(3, 1, Randomness(0), torch.float64), inputs) ** 2 * 400
    seen = values.mean(dim=0)
    if feature == "fourier":
        seen = seen.reshape(-1, 2).mean(dim=1)
    assert float(seen.max()) <= feature_second_moment(space, measure, 3) * 1.03
    assert float(seen.max()) >= feature_second_moment(space, measure, 3) / 2.5


def test_blocks_by_hand():
    assert best_blocks(2.0, 100, 0.5) == (1, pytest.approx(2.0 * 2 / 100))
    blocks, value = best_blocks(1.0, 100, 0.05)
    assert blocks == 3
    assert value == pytest.approx(20 ** (1 / 3) / 33)
    assert best_blocks(1.0, 0, 0.05) == (1, math.inf)
    # Near e ln(1/delta) / m, instead of Markov's 1/(delta m).
    assert best_blocks(1.0, 10**6, 1e-6)[1] == pytest.approx(math.e * math.log(1e6) / 1e6, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "feature"), [(BUMP, "cosine"), (BUMP, "fourier"), (LINEAR, "relu")])
def test_features_approximate_as_promised(target, feature):
    """Least squares on many fresh rows stands for the infimum; the mean of its draws is far below V / m."""
    misses, repeats = 0, 1000
    for seed in range(repeats):
        subject = subject_of(target, features(feature, 20), seed=seed)
        report = evaluate("random_feature_approximation", subject, 0.2)
        inputs = subject.problem.inputs(500, Randomness(seed), "fresh")
        phi = subject.model.space.features(subject.model.parameters, inputs)
        values = subject.problem.target.evaluate(inputs)
        best = torch.linalg.lstsq(phi, values, driver="gelsd").solution
        misses += float(((phi @ best - values) ** 2).mean()) > report.value
    assert misses / repeats <= 0.2


def test_random_feature_rate_is_one_over_the_width_and_grows_with_the_norm():
    reports = [
        evaluate("random_feature_approximation", subject_of(BUMP, features("cosine", m))) for m in (300, 600, 1200)
    ]
    assert [reports[0].value / r.value for r in reports] == pytest.approx([1, 2, 4])
    assert not reports[-1].vacuous
    steep = evaluate("random_feature_approximation", subject_of({**BUMP, "width": 1.1}, features("cosine", 300)))
    assert steep.value > reports[0].value
    smaller_delta = evaluate("random_feature_approximation", subject_of(BUMP, features("cosine", 300)), 0.01)
    assert smaller_delta.value > reports[0].value


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (subject_of(BUMP, features("tanh")), "limit_kernel_known"),
        (subject_of(BUMP, features("cosine", bandwidth=0.3)), "limit_kernel_known"),
        (subject_of(BUMP, features("cosine"), scaled=True), "limit_kernel_known"),
        (subject_of(BUMP, KernelRidge(kind="kernel_ridge")), "limit_kernel_known"),
        (subject_of(BUMP, features("relu")), "rkhs_norm_known"),
        (subject_of({"kind": "cosine_ridge"}, features("cosine")), "rkhs_norm_known"),
    ],
)
def test_missing_hypotheses_are_refused_by_name(subject, name):
    assert failed(evaluate("random_feature_approximation", subject)) == [name]


def test_tables_have_no_known_norm(linear_subject):
    for kind in ("rkhs_norm_upper", "rkhs_norm_lower"):
        report = evaluate(kind, linear_subject())
        assert failed(report) == ["target_known"]
        assert report.side == kind.rsplit("_", 1)[1]
    space = linear_subject(feature="cosine", law="gaussian")
    assert failed(evaluate("random_feature_approximation", space)) == ["target_known"]
