"""Adam's runs in one batch are its runs one after another by autograd."""

import statistics

import pytest
import torch

from models.errors import TrainingDiverged
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.residual import Residual
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import DECAY_CANDIDATES, Adam
from models.optimisation import opened, unwatched
from models.problems import SyntheticProblem
from models.randomness import Randomness, normal_rows
from models.risks import risk
from models.samples import Sample
from models.targets.cosine_ridge import CosineRidge
from models.targets.friedman_1 import Friedman1


def a_sample(n=200, outputs=1, noise=1.0):
    inputs = normal_rows(Randomness(0), "x", n, 5)
    return Sample(inputs, inputs[:, :outputs] + noise * normal_rows(Randomness(0), "noise", n, outputs))


def both(learner, space, sample, compiled=True, randomness=None):
    """Trained in one batch, and one after another."""
    given = randomness or Randomness(1)
    opening = opened(space, sample, given, None, learner.precision)
    together = learner.train_together(space, opening, given, unwatched, compiled)
    return opening, together, learner.train_one_after_another(opening, given, unwatched)


def assert_same(opening, one, other, tolerance):
    for name, value in other.parameters.items():
        torch.testing.assert_close(one.parameters[name], value, rtol=0, atol=tolerance)
    assert [point.step for point in one.curve.points] == [point.step for point in other.curve.points]
    for point, expected in zip(one.curve.points, other.curve.points, strict=True):
        assert point.empirical_risk == pytest.approx(expected.empirical_risk, rel=1e-3)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"averaging": 0.0, "gradient_clip": 0.3},
        {"schedule": "inverse_sqrt", "weight_decay": 0.5, "batch_size": 32},
        {"schedule": "constant", "batch_size": 1000},
    ],
    ids=["defaults", "clipped", "decayed", "full_batch"],
)
def test_hundred_steps_are_those_of_autograd(options, compiled):
    learner = Adam(kind="adam", **{"steps": 100, "learning_rate": 3e-3, "validation_fraction": 0.0, **options})
    assert_same(*both(learner, TwoLayer(kind="two_layer", width=30), a_sample(), compiled), tolerance=1e-4)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_hundred_steps_with_two_outputs_are_those_of_autograd(activation, precision):
    learner = Adam(
        kind="adam", steps=100, learning_rate=3e-3, validation_fraction=0.0, precision=precision, gradient_clip=1.0
    )
    space = TwoLayer(kind="two_layer", width=20, activation=activation, scaling="ntk")
    assert_same(*both(learner, space, a_sample(outputs=2)), tolerance={"float32": 1e-4, "float64": 1e-10}[precision])


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_validation_rows_choose_what_they_choose_one_after_another(precision):
    """Decay and step: the same rows are held out, and every candidate sees the same minibatches."""
    learner = Adam(kind="adam", steps=400, learning_rate=1e-2, precision=precision)
    opening, together, alone = both(learner, TwoLayer(kind="two_layer", width=40), a_sample())
    assert 0 < together.candidate == alone.candidate
    assert together.last_step == pytest.approx(alone.last_step, abs=0 if precision == "float64" else 5)
    assert together.last_step < 400
    if precision == "float64":
        assert_same(opening, together, alone, 1e-8)


@pytest.mark.parametrize("target", [CosineRidge(kind="cosine_ridge"), Friedman1(kind="friedman_1")])
def test_batch_learns_as_well_as_one_after_another(target):
    problem = SyntheticProblem(target, 6, noise=0.2)
    space, test = TwoLayer(kind="two_layer", width=40), problem.training_sample(2000, Randomness(99))
    ratios = []
    for seed in range(4):
        learner = Adam(kind="adam", steps=300)
        opening, *trained = both(learner, space, problem.training_sample(150, Randomness(seed)))
        risks = []
        for one in trained:
            parameters = opening.closed(one.parameters)
            risks.append(risk(lambda rows, theta=parameters: space.evaluate(theta, rows), test).value)
        ratios.append(risks[0] / risks[1])
    assert statistics.mean(ratios) == pytest.approx(1, abs=0.05)


def test_progress_ends_at_its_total():
    seen = []
    learner = Adam(kind="adam", steps=130)
    fitted = learner.fit(
        TwoLayer(kind="two_layer", width=10), a_sample(), Randomness(1), lambda *pair: seen.append(pair)
    )
    assert fitted.details["weight_decay"] in DECAY_CANDIDATES
    assert seen == sorted(seen, key=lambda pair: pair[0])
    assert seen[-1][0] == seen[-1][1]


def test_a_decay_that_diverges_is_no_candidate():
    """At rate 1 the decay 3 multiplies the parameters by -2 at every step."""
    learner = Adam(kind="adam", steps=200, learning_rate=1.0, schedule="constant")
    fitted = learner.fit(TwoLayer(kind="two_layer", width=3), a_sample(), Randomness(1), unwatched)
    assert fitted.details["weight_decay"] < 3
    with pytest.raises(TrainingDiverged, match="try a tenth"):
        Adam(kind="adam", steps=200, learning_rate=1.0, schedule="constant", weight_decay=3.0).fit(
            TwoLayer(kind="two_layer", width=3), a_sample(), Randomness(1), unwatched
        )


@pytest.mark.parametrize("space", [Deep(kind="deep", width=12, depth=3), Residual(kind="residual", width=8, depth=3)])
def test_layered_networks_choose_what_they_choose_one_after_another(space):
    learner = Adam(kind="adam", steps=200, learning_rate=1e-2, precision="float64")
    opening, together, alone = both(learner, space, a_sample(noise=0.3))
    assert together.candidate == alone.candidate
    assert together.last_step == alone.last_step < 200
    assert_same(opening, together, alone, 1e-8)


def test_other_spaces_are_trained_by_autograd():
    learner, sample = Adam(kind="adam", steps=30), a_sample()
    space = RandomFeatures(kind="random_features", width=8)
    fitted = learner.fit(space, sample, Randomness(1), unwatched)
    opening = opened(space, sample, Randomness(1), None, "float32")
    expected = learner.train_one_after_another(opening, Randomness(1), unwatched)
    for name, value in opening.closed(expected.parameters).items():
        assert torch.equal(fitted.parameters[name], value)
