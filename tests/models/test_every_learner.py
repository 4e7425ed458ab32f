"""Checks generated for every learner from its examples, in the spaces that it accepts."""

import pytest
import torch

from models.errors import Stopped
from models.hypothesis_spaces import HYPOTHESIS_SPACES
from models.learners import LEARNERS
from models.optimisation import unwatched
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.risks import risk
from models.samples import Sample
from models.targets.cosine_ridge import CosineRidge

SPACES = [
    pytest.param(leaf.model_validate(example), id=f"{kind}-{index}")
    for kind, leaf in HYPOTHESIS_SPACES.items()
    for index, example in enumerate(leaf.examples)
]
EXAMPLES = [
    pytest.param(leaf.model_validate(example), id=f"{kind}-{index}")
    for kind, leaf in LEARNERS.items()
    for index, example in enumerate(leaf.examples)
]
# A space's further examples vary its features, which training does not see: its first one meets every learner. A
# learner's further examples meet one linear space and one network.
PAIRS = [
    pytest.param(space.values[0], learner.values[0], id=f"{space.id}-{learner.id}")
    for space in SPACES
    for learner in EXAMPLES
    if space.id.endswith("-0") and (learner.id.endswith("-0") or space.id in ("random_features-0", "two_layer-0"))
    if learner.values[0].refuses(space.values[0]) is None
]


@pytest.mark.parametrize(("space", "learner"), PAIRS)
class TestALearner:
    @pytest.fixture(autouse=True)
    def _small_width(self, space):
        self.space = space if space.width is None else space.with_width(min(space.width, 20))
        problem = SyntheticProblem(CosineRidge(kind="cosine_ridge"), 3, noise=0.1)
        self.sample = problem.training_sample(120, Randomness(5))

    def fitted(self, learner, advance=unwatched, sample=None):
        return learner.fit(self.space, sample or self.sample, Randomness(6), advance)

    def test_reduces_the_empirical_risk(self, space, learner):
        fitted = self.fitted(learner)
        start = self.space.draw_on(self.sample.inputs, 1, Randomness(6), torch.float64)
        before = risk(lambda rows: self.space.evaluate(start, rows), self.sample).value
        after = risk(lambda rows: self.space.evaluate(fitted.parameters, rows), self.sample).value
        assert after < before
        assert fitted.curve[-1].empirical_risk == pytest.approx(after, rel=1e-4)
        assert len(fitted.curve) <= 200

    def test_same_seed_gives_equal_bits(self, space, learner):
        first, second = self.fitted(learner).parameters, self.fitted(learner).parameters
        assert all(torch.equal(first[name], second[name]) for name in first)

    def test_leaves_frozen_parameters_and_precision_alone(self, space, learner):
        fitted = self.fitted(learner)
        start = self.space.draw_on(self.sample.inputs, 1, Randomness(6), torch.float64)
        for name, value in fitted.parameters.items():
            assert value.dtype == torch.float64
            assert not value.requires_grad
            if name not in self.space.trainable:
                assert torch.equal(value, start[name])

    def test_reports_progress_up_to_its_total_and_obeys_a_stop(self, space, learner):
        seen = []
        self.fitted(learner, lambda step, total, risk=None: seen.append((step, total)))
        assert seen[-1][0] == seen[-1][1]
        assert all(0 <= step <= total for step, total in seen)

        def stop(step, total, risk=None):
            raise Stopped

        with pytest.raises(Stopped):
            self.fitted(learner, stop)

    def test_reports_the_risks_of_its_curve(self, space, learner):
        seen = []
        if hasattr(learner, "validation_fraction"):
            learner = learner.model_copy(update={"validation_fraction": 0.0})
        fitted = self.fitted(learner, lambda step, total, risk=None: seen.append(risk))
        known = [risk for risk in seen if risk is not None]
        curve = [point.empirical_risk for point in fitted.curve]
        # The last report may come before the last point.
        assert len(known) >= len(curve) - 1
        if not hasattr(learner, "batch_size"):
            assert all(0.99 * min(curve) <= risk <= 1.01 * max(curve) for risk in known)
        assert len(curve) < 3 or min(known) < known[0]

    def test_cost_grows_with_the_sample(self, space, learner):
        assert 0 < learner.flops(self.space, 100, 3, 1) < learner.flops(self.space, 1000, 3, 1)

    def test_serves_several_outputs(self, space, learner):
        labels = torch.cat([self.sample.labels, -self.sample.labels], dim=1)
        both = Sample(self.sample.inputs, labels)
        fitted = self.fitted(learner, sample=both)
        assert self.space.evaluate(fitted.parameters, both.inputs).shape == (120, 2)


def test_refusal_says_why():
    leaf = next(leaf for leaf in HYPOTHESIS_SPACES.values() if not leaf.linear)
    nonlinear = leaf.model_validate(leaf.examples[0])
    refusals = {kind: leaf.model_validate(leaf.examples[0]).refuses(nonlinear) for kind, leaf in LEARNERS.items()}
    assert any(refusals.values())
    assert all(reason is None or (kind in reason and nonlinear.kind in reason) for kind, reason in refusals.items())
