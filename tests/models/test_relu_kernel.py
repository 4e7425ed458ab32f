"""The compiled gradient of ReLU networks is autograd's, and a network does not depend on the others."""

import math
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from models.batched_training import gradients as gradients_module
from models.batched_training.compiled import ReluKernel
from models.batched_training.gradients import TwoLayerGradients
from models.batched_training.rows import random_passes, stacked_rows, whole_samples
from models.batched_training.stacking import StackedParameters, stacked_parameters
from models.batched_training.training import train_networks
from models.hypothesis_spaces.two_layer import TwoLayer
from models.optimisation import empirical_risk
from models.randomness import Randomness, normal_rows
from models.samples import Sample

SOURCE = Path(gradients_module.__file__).with_name("relu_kernel.c")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> ReluKernel:
    """Compiled here, so that it is tested whether or not the installation did."""
    compiler = shutil.which("gcc")
    if compiler is None or torch.backends.cpu.get_cpu_capability() != "AVX512":
        pytest.skip("the kernel needs GCC and AVX-512")
    library = tmp_path_factory.mktemp("kernel") / "relu_kernel.so"
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, SOURCE], check=True)
    return ReluKernel(library)


@pytest.fixture(autouse=True)
def _used(kernel, monkeypatch):
    monkeypatch.setattr(gradients_module, "relu_kernel", lambda: kernel)


def sample(seed: int, size: int, dimension: int) -> Sample:
    inputs = normal_rows(Randomness(seed), "inputs", size, dimension)
    return Sample(inputs, torch.sin(2 * inputs[:, :1]) + inputs[:, -1:]).to(torch.float32)


def drawn(space: TwoLayer, count: int, dimension: int):
    return [space.draw(dimension, 1, Randomness(100 + seed), torch.float32) for seed in range(count)]


@pytest.mark.parametrize("scaling", ["mean_field", "ntk", "standard"])
@pytest.mark.parametrize("dimension", [1, 2, 3, 4, 5, 6, 10, 13])
@pytest.mark.parametrize(("width", "size"), [(1, 1), (4, 16), (7, 100), (9, 1200)])
def test_gradients_are_autograds(width, size, dimension, scaling):
    """At every remainder of the tiles: neurons by 4, columns by 6, rows by 16, panels by 4, blocks of 32 panels."""
    space = TwoLayer(kind="two_layer", width=width, scaling=scaling)
    samples, starts = [sample(seed, size, dimension) for seed in range(2)], drawn(space, 4, dimension)
    theta = stacked_parameters(starts)
    found = StackedParameters(*(torch.full_like(values, math.nan) for values in theta.tensors))
    TwoLayerGradients(space, theta).write(theta, stacked_rows(samples), found)
    for index, (start, gradient) in enumerate(zip(starts, found.unstacked(), strict=True)):
        data = samples[index // 2].to(torch.float64)
        moved = {name: value.double().requires_grad_() for name, value in start.items()}
        risk = empirical_risk(space.evaluate(moved, data.inputs), data.labels)
        for name, expected in zip(moved, torch.autograd.grad(risk, list(moved.values())), strict=True):
            scale = float(expected.abs().max()) + 1e-3
            torch.testing.assert_close(gradient[name].double(), expected, rtol=0, atol=2e-6 * scale)


def test_training_with_and_without_it_agrees():
    space = TwoLayer(kind="two_layer", width=30)
    rows, starts = stacked_rows([sample(seed, 200, 10) for seed in range(2)]), drawn(space, 6, 10)
    with_it, without = (
        train_networks(
            space,
            random_passes(rows, 64, [Randomness(seed).generator("batches") for seed in range(2)]),
            starts,
            [1e-3, 3e-3, 1e-2] * 2,
            100,
            compiled=compiled,
        )
        for compiled in (True, False)
    )
    for one, other in zip(with_it, without, strict=True):
        for name in one.parameters:
            torch.testing.assert_close(one.parameters[name], other.parameters[name], rtol=0, atol=1e-4)


def test_a_network_does_not_depend_on_its_batch():
    space = TwoLayer(kind="two_layer", width=21)
    samples, starts = [sample(seed, 77, 5) for seed in range(2)], drawn(space, 6, 5)
    together = train_networks(space, whole_samples(stacked_rows(samples)), starts, [1e-2] * 6, 40)
    for index in (0, 4):
        alone = whole_samples(stacked_rows([samples[index // 3]]))
        (one,) = train_networks(space, alone, [starts[index]], [1e-2], 40)
        for name, expected in one.parameters.items():
            torch.testing.assert_close(together[index].parameters[name], expected, rtol=0, atol=1e-5)


def test_divergence_is_marked_and_leaves_the_others_alone():
    space = TwoLayer(kind="two_layer", width=16)
    rows, starts = whole_samples(stacked_rows([sample(0, 40, 3)])), drawn(space, 3, 3)
    trained = train_networks(space, rows, starts, [1e-2, 1e30, 1e-2], 60)
    assert [one.diverged_at is None for one in trained] == [True, False, True]
    assert all(bool(torch.isfinite(value).all()) for one in trained[::2] for value in one.parameters.values())
