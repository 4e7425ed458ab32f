"""The Barron norm between its ends, and the approximation it buys."""

import math

import pytest
import torch

from models.bounds.barron_approximation import BarronApproximation
from models.bounds.barron_norm_lower import BarronNormLower
from models.bounds.barron_norm_upper import BarronNormUpper
from models.bounds.base import BoundSubject
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel, OutputRange
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.scaling import identity_scaling
from models.targets import TARGETS


def subject_of(kind, dimension=2, measure="uniform", space=None, **fields):
    target = TARGETS[kind](kind=kind, **fields)
    problem = SyntheticProblem(target, dimension, 0.0, measure)
    sample = problem.training_sample(20, Randomness(0))
    space = space or TwoLayer(kind="two_layer", width=8)
    parameters = space.draw(dimension, 1, Randomness(0), torch.float64)
    limits = OutputRange(sample.labels.amin(dim=0), sample.labels.amax(dim=0))
    model = LearnedModel(space, parameters, identity_scaling(dimension), identity_scaling(1), limits)
    return BoundSubject(model, sample, sample, 1.0, False, problem.input_sup_bound, Randomness(0), problem)


def lower(subject, **fields):
    return BarronNormLower(kind="barron_norm_lower", **fields).evaluate(subject, 0.05)


def upper(subject):
    return BarronNormUpper(kind="barron_norm_upper").evaluate(subject, 0.05)


def test_one_neuron_has_its_jump_below_and_its_norm_above():
    subject = subject_of("single_neuron", weights=(2.0, -1.0), bias=-0.5)
    # Along (1, -1) through the middle w.v = 3 and the neuron turns once.
    assert lower(subject).value == pytest.approx(3.0, rel=1e-6)
    assert upper(subject).value == pytest.approx(3.5)


def test_wave_varies_by_the_integral_of_its_second_derivative():
    subject = subject_of("cosine_ridge", frequencies=(1.0,))
    # int_0^1 4 pi^2 |cos(2 pi t)| dt = 8 pi.
    assert lower(subject, points=20_001).value == pytest.approx(8 * math.pi, rel=1e-3)
    assert lower(subject).value <= upper(subject).value


@pytest.mark.parametrize(
    "kind", ["single_neuron", "cosine_ridge", "linear", "l1_norm", "planted_two_layer", "gaussian"]
)
def test_ends_are_in_order(kind):
    subject = subject_of(kind)
    assert 0 <= lower(subject).value <= upper(subject).value * (1 + 1e-9)


def test_affine_functions_have_no_variation():
    assert lower(subject_of("linear", weights=(1.0, -2.0))).value <= 1e-9
    assert lower(subject_of("linear", weights=(1.0, -2.0))).vacuous


def test_functions_outside_the_space_have_no_upper_end_and_a_growing_lower_one():
    subject = subject_of("distance_to_sphere", dimension=3)
    assert [a.name for a in upper(subject).assumptions if a.standing == "failed"] == ["barron_norm_known"]
    assert lower(subject).value > 0


def test_rate_has_the_constant_one():
    bound = BarronApproximation(kind="barron_approximation")
    report = bound.evaluate(subject_of("planted_two_layer", path_norm=3.0), 0.05)
    assert report.value == pytest.approx(9 / 8)
    assert report.delta == 0
    wave = bound.evaluate(subject_of("cosine_ridge"), 0.05)
    gamma = wave.inputs["barron_norm_bound"]
    assert wave.value == pytest.approx((gamma**2 - 0.5) / 8)
    assert wave.trivial_value == pytest.approx(0.5)
    narrow = bound.evaluate(subject_of("cosine_ridge", space=TwoLayer(kind="two_layer", width=4)), 0.05)
    assert narrow.value == pytest.approx(2 * wave.value)


FROZEN = RandomFeatures(kind="random_features", width=8)


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (
            subject_of("planted_two_layer", space=FROZEN),
            "two_layer_relu_trained",
        ),
        (subject_of("planted_two_layer", measure="gaussian"), "inputs_bounded_beforehand"),
        (subject_of("distance_to_sphere"), "barron_norm_known"),
    ],
)
def test_missing_hypotheses_are_refused_by_name(subject, name):
    report = BarronApproximation(kind="barron_approximation").evaluate(subject, 0.05)
    assert report.value is None
    assert [a.name for a in report.assumptions if a.standing == "failed"] == [name]


def test_tables_have_no_known_target(drawn_subject):
    for bound in (BarronNormLower(kind="barron_norm_lower"), BarronNormUpper(kind="barron_norm_upper")):
        report = bound.evaluate(drawn_subject(), 0.05)
        assert [a.name for a in report.assumptions if a.standing == "failed"] == ["target_known"]
        assert report.side == ("lower" if "lower" in bound.kind else "upper")
