"""Checks generated for every hypothesis space from its examples: draws, widths, gradients, and the exported graph."""

import onnxruntime
import pytest
import torch

from models import artefacts
from models.hypothesis_spaces import HYPOTHESIS_SPACES
from models.learned_model import LearnedModel, OutputRange
from models.randomness import Randomness
from models.scaling import standardisation

SPACES = [
    pytest.param(leaf.model_validate(example), id=f"{kind}-{index}")
    for kind, leaf in HYPOTHESIS_SPACES.items()
    for index, example in enumerate(leaf.examples)
]


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
