"""Samples, starts and autograd's own training, beside which batches of networks are held."""

import math

import pytest
import torch

from models.batched_training.rows import stacked_rows
from models.batched_training.stacking import StackableSpace, Stacking
from models.batched_training.steps import engine_of
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.residual import Residual
from models.minibatch_descent import scheduled
from models.optimisation import empirical_risk
from models.randomness import Randomness, normal_rows
from models.risks import squared_losses
from models.samples import Sample

LAYERED = [
    Deep(kind="deep", width=5, depth=1),
    Deep(kind="deep", width=6, depth=4),
    Residual(kind="residual", width=4, depth=0),
    Residual(kind="residual", width=5, depth=3),
    Residual(kind="residual", width=3, depth=2, state_dimension=9),
]


def sample(seed: int, size: int = 40, dimension: int = 3, outputs: int = 1) -> Sample:
    inputs = normal_rows(Randomness(seed), "inputs", size, dimension)
    labels = torch.stack([torch.sin(2 * inputs[:, 0] + k) + inputs[:, -1] for k in range(outputs)], dim=1)
    return Sample(inputs, labels)


def drawn(space: StackableSpace, count: int, dtype=torch.float64, dimension: int = 3, outputs: int = 1):
    return [space.draw(dimension, outputs, Randomness(100 + seed), dtype) for seed in range(count)]


def sequential(space, start, data, rate, steps, decay=0.0, schedule="constant"):
    """torch.optim.AdamW(fused=True) on autograd's gradients of the space's own evaluate."""
    moved = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimizer = torch.optim.AdamW(moved.values(), lr=rate, weight_decay=decay, fused=True)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * scheduled(schedule, step, steps)
        optimizer.zero_grad()
        squared_losses(space.evaluate(moved, data.inputs), data.labels).mean().backward()
        optimizer.step()
    return {name: value.detach() for name, value in moved.items()}


def assert_same(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=tolerance)


def assert_gradients_and_risks_are_autograds(space, starts, samples):
    """Three networks for each sample."""
    stacking = Stacking(space)
    theta = stacking.stacked(starts)
    found = theta.like([torch.full_like(values, math.nan) for values in theta.tensors])
    engine, rows = engine_of(space, theta), stacked_rows(samples, torch.float64)
    engine.write(theta, rows, found)
    risks = engine.risks(theta, rows)
    for index, (start, gradient) in enumerate(zip(starts, stacking.unstacked(found), strict=True)):
        data = samples[index // 3]
        moved = {name: value.requires_grad_() for name, value in start.items()}
        risk = empirical_risk(space.evaluate(moved, data.inputs), data.labels)
        expected = torch.autograd.grad(risk, list(moved.values()), materialize_grads=True)
        assert_same(gradient, dict(zip(moved, expected, strict=True)), 1e-12)
        assert float(risks[index]) == pytest.approx(risk.item(), rel=1e-12)
