"""A run that goes on from a state ends where the uninterrupted one ends, to the bit, wherever it was interrupted."""

import json

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.catalogue import parse_experiment
from models.checkpoints import StageCheckpoints, number
from models.errors import Stopped
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners import LEARNERS
from models.learners.adam import Adam
from models.minibatch_descent import Minibatches
from models.optimisation import unwatched
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.samples import Sample
from models.targets.cosine_ridge import CosineRidge

SAMPLE = SyntheticProblem(CosineRidge(kind="cosine_ridge"), 3, noise=0.3).training_sample(150, Randomness(5))
LINEAR = RandomFeatures(kind="random_features", width=20)
NETWORK = TwoLayer(kind="two_layer", width=20)
SPACES = {
    "linear": LINEAR,
    "network": NETWORK,
    "tanh": TwoLayer(kind="two_layer", width=7, activation="tanh"),
    "deep": Deep(kind="deep", width=8),
}
EXAMPLES = {
    f"{kind}-{index}": leaf.model_validate(one)
    for kind, leaf in LEARNERS.items()
    for index, one in enumerate(leaf.examples)
}
SHORT = {
    **{
        name: one.model_copy(update={"steps": 24} if "steps" in type(one).model_fields else {})
        for name, one in EXAMPLES.items()
    },
    # Several passes over the rows, several stretches of the batch, decays that end one after another.
    "adam-passes": Adam(kind="adam", steps=100, batch_size=16, learning_rate=0.03),
}
ITERATING = [
    pytest.param(learner, space, id=f"{name}-{which}")
    for name, learner in SHORT.items()
    for which, space in SPACES.items()
    if learner.update_count(space, SAMPLE.size) > 0 and learner.refuses(space) is None
    # Every example meets a linear space and a network; the other networks differ in the batch's arithmetic.
    if space in (LINEAR, NETWORK) or name in ("adam-0", "gradient_descent-0")
]


class Interrupting:
    """Checkpoints that end the run where a state was offered for the `stop`-th time, and keep it."""

    def __init__(self, state=None, stop=None):
        self.state, self.stop, self.offers = state, stop, 0

    def resumed(self):
        return self.state

    def offer(self, state):
        self.offers += 1
        if self.offers == self.stop:
            self.state = {name: value.clone() for name, value in state().items()}
            raise Stopped


def fit(learner, space, checkpoints, advance=unwatched):
    return learner.fit(space, SAMPLE, Randomness(6), advance, checkpoints=checkpoints)


def assert_equal(first, second):
    assert first.curve == second.curve
    assert first.details == second.details
    assert first.parameters.keys() == second.parameters.keys()
    assert all(torch.equal(value, second.parameters[name]) for name, value in first.parameters.items())


@pytest.mark.parametrize(("learner", "space"), ITERATING)
def test_a_run_interrupted_anywhere_ends_with_the_same_bits(learner, space):
    counting = Interrupting()
    whole = fit(learner, space, counting)
    assert counting.offers > 0

    @settings(max_examples=2, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.integers(1, counting.offers), min_size=1, max_size=3))
    @example([1])
    @example([counting.offers])
    def check(stops):
        state = None
        for stop in stops:
            attempt = Interrupting(state, stop)
            try:
                fit(learner, space, attempt)
            except Stopped:
                state = attempt.state
        assert_equal(fit(learner, space, Interrupting(state)), whole)

    check()


@pytest.mark.parametrize("space", [LINEAR, NETWORK], ids=["linear", "network"])
@pytest.mark.parametrize("kind", [kind for kind in LEARNERS if EXAMPLES[f"{kind}-0"].update_count(LINEAR, 100) > 0])
def test_a_stopped_run_offers_the_state_where_it_stopped(kind, space):
    """The poll that raises comes first: what is kept then is the last step, not the one before."""
    learner, seen, offered, resumed = EXAMPLES[f"{kind}-0"], [], [], []

    class Keeping(Interrupting):
        def offer(self, state):
            offered.append({name: value.clone() for name, value in state().items()})

    def advance(step, total, risk=None):
        seen.append(step)
        if len(seen) == 8:
            raise Stopped

    with pytest.raises(Stopped):
        fit(learner, space, Keeping(), advance)
    assert len(offered) == len(seen)
    fit(learner, space, Interrupting(offered[-1]), lambda step, total, risk=None: resumed.append(step))
    assert resumed[0] == seen[-1] > 0


def test_a_fit_resumed_from_its_context_leaves_the_same_files(context):
    specification = {
        "kind": "fit",
        "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
        "hypothesis_space": {"kind": "two_layer", "width": 8},
        "learner": {"kind": "stochastic_gradient_descent", "steps": 60, "validation_fraction": 0.2},
        "sample_size": 100,
        "test_size": 200,
        "bounds": "none",
    }
    experiment = parse_experiment(specification)
    counting = context.checkpoints = Interrupting()
    whole = experiment.run(context)
    files = dict(context.saved)
    context.checkpoints = Interrupting(stop=counting.offers - 5)
    with pytest.raises(Stopped):
        experiment.run(context)
    context.saved.clear()
    context.checkpoints = Interrupting(context.checkpoints.state)
    resumed = experiment.run(context)
    assert context.saved == files
    assert json.dumps(resumed.model_dump(mode="json")) == json.dumps(whole.model_dump(mode="json"))


def test_closed_forms_offer_nothing():
    counting = Interrupting()
    for name, learner in EXAMPLES.items():
        if learner.update_count(LINEAR, SAMPLE.size) == 0:
            fit(learner, LINEAR, counting)
            assert counting.offers == 0, name


@pytest.mark.parametrize("taken", [0, 1, 5, 6, 17])
def test_minibatches_go_on_where_they_were(taken):
    rows = torch.arange(12.0)[:, None]

    def fresh():
        return Minibatches(Sample(rows, rows), 4, Randomness(0).generator("batches"))

    first, second = fresh(), fresh()
    for _ in range(taken):
        next(first)
    second.restore({name: value.clone() for name, value in first.state().items()})
    for _ in range(7):
        assert torch.equal(next(first).inputs, next(second).inputs)


def test_a_stage_keeps_its_state_beside_what_is_around_it():
    outer = Interrupting(stop=1)
    with pytest.raises(Stopped):
        StageCheckpoints(outer, None, lambda: {"done": number(3)}).offer(lambda: {"step": number(0.1)})
    assert {name: value.item() for name, value in outer.state.items()} == {"done": 3, "stage/step": 0.1}
    again = StageCheckpoints(outer, outer.state, dict).resumed()
    assert again is not None
    assert list(again) == ["step"]
