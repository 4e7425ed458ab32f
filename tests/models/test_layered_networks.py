"""Deep and residual networks trained together are those trained alone, and their gradients are autograd's."""

import pytest
import torch

from models.batched_training import gradients as gradients_module
from models.batched_training.rows import stacked_rows, whole_samples
from models.batched_training.stacking import Stacking
from models.batched_training.steps import engine_of
from models.batched_training.training import train_networks
from models.hypothesis_spaces.deep import Deep
from models.optimisation import empirical_risk
from tests.support.trained_batches import (
    LAYERED,
    assert_gradients_and_risks_are_autograds,
    assert_same,
    drawn,
    sample,
    sequential,
)


@pytest.mark.parametrize("block", [2**19, 800, 100], ids=["one_block", "blocks_of_networks", "blocks_of_rows"])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("space", LAYERED, ids=lambda space: f"{space.kind}_{space.depth}")
def test_gradients_and_risks_of_layered_networks_are_autograds(space, outputs, block, monkeypatch):
    monkeypatch.setitem(gradients_module.BLOCK_ELEMENTS, "cpu", block)
    samples = [sample(seed, 17, outputs=outputs) for seed in range(2)]
    assert_gradients_and_risks_are_autograds(space, drawn(space, 6, outputs=outputs), samples)


def test_large_layers_in_float32_have_autograds_gradients():
    """Where oneDNN's routines take over."""
    space, data = Deep(kind="deep", width=128, depth=2), sample(0, 1024, 10)
    starts = drawn(space, 2, torch.float32, 10)
    stacking = Stacking(space)
    theta = stacking.stacked(starts)
    found = theta.clone()
    engine_of(space, theta).write(theta, stacked_rows([data]), found)
    for start, gradient in zip(starts, stacking.unstacked(found), strict=True):
        moved = {name: value.double().requires_grad_() for name, value in start.items()}
        expected = torch.autograd.grad(
            empirical_risk(space.evaluate(moved, data.inputs), data.labels), list(moved.values())
        )
        for name, value in zip(moved, expected, strict=True):
            assert float((gradient[name] - value).norm()) < 1e-4 * float(value.norm())


def test_blocks_of_many_rows_end_with_whole_lines(monkeypatch):
    """Blocks of 64 rows in place of 70, and the rest."""
    monkeypatch.setitem(gradients_module.BLOCK_ELEMENTS, "cpu", 70 * 20)
    space = Deep(kind="deep", width=5, depth=2)
    samples = [sample(seed, 150) for seed in range(2)]
    assert_gradients_and_risks_are_autograds(space, drawn(space, 6), samples)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("space", LAYERED, ids=lambda space: f"{space.kind}_{space.depth}")
def test_hundred_steps_of_layered_networks_equal_sequential_adam(space, dtype, tolerance):
    samples = [sample(seed, 60).to(dtype) for seed in range(2)]
    starts, rates, decays = drawn(space, 6, dtype), [3e-3, 1e-3, 1e-2] * 2, [0.0, 0.1, 0.0, 0.3, 0.0, 0.1]
    rows = whole_samples(stacked_rows(samples, dtype))
    trained = train_networks(space, rows, starts, rates, 100, weight_decays=decays, schedule="cosine")
    for index, one in enumerate(trained):
        data = samples[index // 3]
        expected = sequential(space, starts[index], data, rates[index], 100, decays[index], "cosine")
        assert_same(one.parameters, expected, tolerance)
