"""Checks generated for every discovered kind of every family, from its examples."""

import importlib
import json
import math
from typing import get_args

import onnxruntime
import pytest
import torch
from pydantic import ValidationError

from models import artefacts
from models.errors import Stopped
from models.kinds import Kind
from models.learned_model import LearnedModel, OutputRange
from models.measures import Measure, draw_inputs
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.risks import risk
from models.samples import Sample
from models.scaling import standardisation

FAMILY_PACKAGES = {
    "targets": "TARGETS",
    "hypothesis_spaces": "HYPOTHESIS_SPACES",
    "learners": "LEARNERS",
    "bounds": "BOUNDS",
    "experiments": "EXPERIMENTS",
}


def kinds_of(package: str) -> dict[str, type[Kind]]:
    return getattr(importlib.import_module(f"models.{package}"), FAMILY_PACKAGES[package])


def every_kind() -> list:
    return [
        pytest.param(package, kind, leaf, id=f"{package}-{kind}")
        for package in FAMILY_PACKAGES
        for kind, leaf in kinds_of(package).items()
    ]


def examples_of(package: str) -> list:
    return [
        pytest.param(leaf.model_validate(example), id=f"{kind}-{index}")
        for kind, leaf in kinds_of(package).items()
        for index, example in enumerate(leaf.examples)
    ]


SPACES = examples_of("hypothesis_spaces")
TARGETS = examples_of("targets")
LEARNERS = examples_of("learners")
# A space's further examples vary its features, which training does not see: its first one meets every learner. A
# learner's further examples meet one linear space and one network.
PAIRS = [
    pytest.param(space.values[0], learner.values[0], id=f"{space.id}-{learner.id}")
    for space in SPACES
    for learner in LEARNERS
    if space.id.endswith("-0") and (learner.id.endswith("-0") or space.id in ("random_features-0", "two_layer-0"))
    if learner.values[0].refuses(space.values[0]) is None
]


@pytest.mark.parametrize(("package", "kind", "leaf"), every_kind())
class TestAKind:
    def test_file_name_is_the_kind(self, package, kind, leaf):
        assert leaf.__module__ == f"models.{package}.{kind}"

    def test_statement_and_docstring_exist(self, package, kind, leaf):
        assert leaf.statement
        assert leaf.__doc__

    def test_reference_is_in_the_bibliography(self, package, kind, leaf):
        from models.catalogue import reference

        assert reference(leaf.reference).endswith(".")

    def test_examples_survive_json(self, package, kind, leaf):
        assert leaf.examples
        for example in leaf.examples:
            parsed = leaf.model_validate(example)
            assert leaf.model_validate_json(parsed.model_dump_json()) == parsed
            assert json.loads(json.dumps(example))["kind"] == kind

    def test_unknown_field_is_refused(self, package, kind, leaf):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            leaf.model_validate({**leaf.examples[0], "no_such_field": 1})

    def test_tag_is_required(self, package, kind, leaf):
        untagged = {key: value for key, value in leaf.examples[0].items() if key != "kind"}
        with pytest.raises(ValidationError):
            leaf.model_validate(untagged)

    def test_specification_is_frozen(self, package, kind, leaf):
        with pytest.raises(ValidationError):
            leaf.model_validate(leaf.examples[0]).kind = "other"

    def test_schema_builds_and_says_what_its_numbers_may_be(self, package, kind, leaf):
        schema = leaf.model_json_schema()
        json.dumps(schema)
        for name, field in schema["properties"].items():
            for option in field.get("anyOf", [field]):
                if option.get("type") in ("number", "integer") and "const" not in option:
                    assert {"minimum", "exclusiveMinimum"} & option.keys(), f"{name} has no lower bound"


def admissible_dimensions(target, wanted, measure="uniform"):
    """The `wanted` dimensions that f* exists in, and the least one beyond where there are none."""
    if target.check_measure(measure) is not None:
        return []
    return [d for d in wanted if target.check_dimension(d) is None] or [
        next(d for d in range(1, 100) if target.check_dimension(d) is None)
    ]


@pytest.mark.parametrize("target", TARGETS)
class TestATarget:
    def test_is_one_column_of_finite_values_in_the_inputs_precision(self, target):
        (dimension,) = admissible_dimensions(target, [3])
        for dtype in (torch.float32, torch.float64):
            values = target.evaluate(torch.rand(5, dimension, dtype=dtype))
            assert values.shape == (5, 1)
            assert values.dtype == dtype
            assert bool(torch.isfinite(values).all())

    @pytest.mark.parametrize("measure", get_args(Measure))
    def test_known_moments_agree_with_monte_carlo(self, target, measure):
        for dimension in admissible_dimensions(target, [2, 5], measure):
            known = target.known(dimension, measure)
            values = target.evaluate(draw_inputs(measure, Randomness(3), "inputs", 50_000, dimension))[:, 0]
            for exact, draws in ((known.mean, values), (known.l2_norm_squared, values**2)):
                if exact is not None:
                    error = float(draws.std()) / math.sqrt(len(draws))
                    assert abs(float(draws.mean()) - exact) < 5 * error + 1e-12 * (1 + abs(exact))

    @pytest.mark.parametrize(("measure", "reach"), [("uniform", (0, 1)), ("sphere", (-1, 1)), ("gaussian", (-6, 6))])
    def test_barron_norm_bound_dominates_the_variation_of_the_derivative_along_lines(self, target, measure, reach):
        """Along x_0 + t v with |v|_inf <= 1 a neuron's derivative varies by at most |a| |w|_1.

        What is affine or constant on the sphere itself says nothing of [-1,1]^d.
        """
        for dimension in admissible_dimensions(target, [1, 3], measure):
            known = target.known(dimension, measure)
            if measure == "sphere" and known.spectral_bound == 0:
                continue
            bound = math.inf if known.barron_norm_bound is None else known.barron_norm_bound
            times = torch.linspace(*reach, 8001, dtype=torch.float64)[:, None]
            step = (times[1, 0] - times[0, 0]).item()
            middle = (reach[0] + reach[1]) / 2
            for pattern in ([1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 0.1, -0.4]):
                direction = torch.tensor((pattern * dimension)[:dimension], dtype=torch.float64)
                values = target.evaluate(middle + (times - middle) * direction)[:, 0]
                variation = values.diff(n=2).abs().sum().item() / step
                assert variation <= bound * (1 + 1e-6) + 1e-6

    def test_what_is_known_is_consistent(self, target):
        """A finite C_f means a Barron function; a function outside the space has an infinite norm; E f^2 >= (E f)^2."""
        for measure in get_args(Measure):
            for dimension in admissible_dimensions(target, [1, 2, 4, 30], measure):
                known = target.known(dimension, measure)
                assert type(known).model_validate_json(known.model_dump_json()) == known
                if known.in_barron_space is False:
                    assert known.barron_norm_bound == math.inf
                elif known.barron_norm_bound is not None:
                    assert known.in_barron_space
                    assert 0 <= known.barron_norm_bound < math.inf
                if measure != "gaussian" and known.spectral_bound is not None and known.spectral_bound < math.inf:
                    assert known.in_barron_space
                if known.mean is not None and known.l2_norm_squared is not None:
                    assert known.l2_norm_squared >= known.mean**2 * (1 - 1e-12)


@pytest.mark.parametrize("space", [s for s in SPACES if s.values[0].linear and s.values[0].nested])
def test_linear_space_is_nested_in_its_width(space):
    """Features of a smaller width are the first of a larger one, up to one common factor."""
    inputs = torch.rand(4, 3, dtype=torch.float64)
    small, large = space.with_width(40), space.with_width(300)
    narrow = small.features(small.draw(3, 1, Randomness(0), torch.float64), inputs)
    wide = large.features(large.draw(3, 1, Randomness(0), torch.float64), inputs)[:, : narrow.shape[1]]
    touched = wide != 0
    assert bool(((narrow == 0) == (wide == 0)).all())
    ratio = narrow[touched] / wide[touched]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))


@pytest.mark.parametrize("space", SPACES)
class TestAHypothesisSpace:
    d, k = 3, 2

    def drawn(self, space, seed=0, dtype=torch.float64):
        anchors = torch.rand(120, self.d, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        return space.draw_on(anchors, self.k, Randomness(seed), dtype)

    def moved(self, space, seed=0):
        """Parameters away from the start, so that zero coefficients hide nothing."""
        noise = torch.Generator().manual_seed(1)
        return {
            name: value + 0.3 * torch.randn(value.shape, generator=noise, dtype=value.dtype)
            if name in space.trainable
            else value
            for name, value in self.drawn(space, seed).items()
        }

    def test_same_seed_gives_equal_bits_and_another_seed_does_not(self, space):
        first, second, other = self.drawn(space), self.drawn(space), self.drawn(space, seed=1)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
        assert space.random == any(not torch.equal(first[name], other[name]) for name in first)

    def test_draw_has_the_precision_that_was_asked_for(self, space):
        for dtype in (torch.float32, torch.float64):
            assert {value.dtype for value in self.drawn(space, dtype=dtype).values()} == {dtype}

    def test_trainable_names_parameters(self, space):
        assert set(space.trainable) <= self.drawn(space).keys()

    def test_other_width_is_the_same_space_at_that_width(self, space):
        assert space.width is None or space.with_width(space.width) == space
        assert space.with_width(7).width == 7

    def test_counts_what_it_stores(self, space):
        stored = sum(value.numel() for value in self.drawn(space).values())
        assert stored == space.parameter_count(self.d, self.k)
        assert space.flops_per_row(self.d, self.k) > 0

    def test_outputs_have_one_row_for_each_input(self, space):
        parameters = self.moved(space)
        inputs = torch.rand(6, self.d, dtype=torch.float64)
        outputs = space.evaluate(parameters, inputs)
        assert outputs.shape == (6, self.k)
        torch.testing.assert_close(space.evaluate(parameters, inputs[2:3]), outputs[2:3])

    def test_is_differentiable_in_every_trainable_parameter(self, space):
        parameters = self.moved(space)
        moving = [parameters[name].requires_grad_() for name in space.trainable]
        loss = space.evaluate(parameters, torch.rand(50, self.d, dtype=torch.float64)).square().sum()
        gradients = torch.autograd.grad(loss, [value for value in moving if value.numel()])
        assert all(bool((gradient != 0).any()) for gradient in gradients)

    @pytest.mark.parametrize("clipped", [False, True])
    def test_export_equals_the_torch_evaluation(self, space, clipped):
        inputs = 40 + 7 * torch.randn(200, self.d, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        labels = torch.stack([inputs[:, 0] * 3, inputs.sum(dim=1) * 1e4], dim=1)
        span = OutputRange(torch.tensor([100.0, 1e6]).double(), torch.tensor([130.0, 1.3e6]).double())
        model = LearnedModel(
            space, self.moved(space), standardisation(inputs), standardisation(labels), span if clipped else None
        )
        exported = artefacts.export(model, name="m", encoding="abc", output_names="uv", provenance={})
        session = onnxruntime.InferenceSession(exported.graph, providers=["CPUExecutionProvider"])
        (served,) = session.run(["outputs"], {"inputs": inputs.numpy()})
        expected = model(inputs)
        assert float((torch.from_numpy(served) - expected).abs().max()) <= 1e-9 * float(expected.abs().max())
        if clipped:
            assert bool((expected >= span.lower).all() and (expected <= span.upper).all())


@pytest.mark.parametrize(("space", "learner"), PAIRS)
class TestALearner:
    @pytest.fixture(autouse=True)
    def _small_width(self, space):
        self.space = space if space.width is None else space.with_width(min(space.width, 20))
        problem = SyntheticProblem(kinds_of("targets")["cosine_ridge"](kind="cosine_ridge"), 3, noise=0.1)
        self.sample = problem.training_sample(120, Randomness(5))

    def fitted(self, learner, advance=lambda step, total: None, sample=None):
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
        self.fitted(learner, lambda step, total: seen.append((step, total)))
        assert seen[-1][0] == seen[-1][1]
        assert all(0 <= step <= total for step, total in seen)

        def stop(step, total):
            raise Stopped

        with pytest.raises(Stopped):
            self.fitted(learner, stop)

    def test_cost_grows_with_the_sample(self, space, learner):
        assert 0 < learner.flops(self.space, 100, 3, 1) < learner.flops(self.space, 1000, 3, 1)

    def test_serves_several_outputs(self, space, learner):
        labels = torch.cat([self.sample.labels, -self.sample.labels], dim=1)
        both = Sample(self.sample.inputs, labels)
        fitted = self.fitted(learner, sample=both)
        assert self.space.evaluate(fitted.parameters, both.inputs).shape == (120, 2)


def test_refusal_says_why():
    learners, spaces = kinds_of("learners"), kinds_of("hypothesis_spaces")
    leaf = next(leaf for leaf in spaces.values() if not leaf.linear)
    nonlinear = leaf.model_validate(leaf.examples[0])
    refusals = {kind: leaf.model_validate(leaf.examples[0]).refuses(nonlinear) for kind, leaf in learners.items()}
    assert any(refusals.values())
    assert all(reason is None or (kind in reason and nonlinear.kind in reason) for kind, reason in refusals.items())
