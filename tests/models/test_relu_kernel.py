"""The compiled gradient of ReLU networks is autograd's, its steps are torch's, and a network depends on no other."""

import math
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from models.batched_training import steps as steps_module
from models.batched_training.compiled import LANES, PackedRows, ReluKernel
from models.batched_training.rows import Stretch, random_passes, stacked_rows, whole_samples
from models.batched_training.stacking import Stacking
from models.batched_training.training import train_networks
from models.hypothesis_spaces.two_layer import TwoLayer
from models.optimisation import empirical_risk
from models.randomness import Randomness, normal_rows
from models.samples import Sample

SOURCE = Path(steps_module.__file__).with_name("relu_kernel.c")


@pytest.fixture(scope="module", params=LANES.values())
def kernel(request, tmp_path_factory) -> ReluKernel:
    """Compiled here, so that it is tested whether or not the installation did."""
    compiler = shutil.which("gcc")
    if compiler is None or LANES.get(torch.backends.cpu.get_cpu_capability(), 0) < request.param:
        pytest.skip(f"vectors of {request.param} need GCC and a processor that has them")
    library = tmp_path_factory.mktemp("kernel") / "relu_kernel.so"
    options = ["-O3", "-shared", "-fPIC", "-Wall", "-Werror", f"-DLANES={request.param}"]
    subprocess.run([compiler, *options, "-o", library, SOURCE], check=True)
    return ReluKernel(library, request.param)


@pytest.fixture(autouse=True)
def _used(kernel, monkeypatch):
    monkeypatch.setattr(steps_module, "relu_kernel", lambda: kernel)


def sample(seed: int, size: int, dimension: int) -> Sample:
    inputs = normal_rows(Randomness(seed), "inputs", size, dimension)
    return Sample(inputs, torch.sin(2 * inputs[:, :1]) + inputs[:, -1:]).to(torch.float32)


def drawn(space: TwoLayer, count: int, dimension: int):
    return [space.draw(dimension, 1, Randomness(100 + seed), torch.float32) for seed in range(count)]


@pytest.mark.parametrize("scaling", ["mean_field", "ntk", "standard"])
@pytest.mark.parametrize("dimension", [1, 2, 3, 4, 5, 6, 10, 13])
@pytest.mark.parametrize(("width", "size"), [(1, 1), (4, 16), (7, 100), (9, 1200)])
def test_gradients_and_risks_are_autograds(kernel, width, size, dimension, scaling):
    """At every remainder of the tiles: neurons, columns, rows, panels, blocks of 32 panels.

    The first moment after one step is a tenth of the gradient.
    """
    space = TwoLayer(kind="two_layer", width=width, scaling=scaling)
    samples, starts = [sample(seed, size, dimension) for seed in range(2)], drawn(space, 4, dimension)
    theta = Stacking(space).stacked(starts)
    moments = [theta.like([torch.zeros_like(values) for values in theta.tensors]) for _ in range(2)]
    stretch = Stretch(stacked_rows(samples), samples=2)
    rows = PackedRows(stretch.rows, space.factor, kernel.lanes)
    scratch = torch.full((kernel.scratch_size(width, dimension + 1),), math.nan)
    risks = kernel.squares(theta, rows, scratch) * (rows.scale / 2)
    standing = torch.tensor([[0.0, 1.0, 1.0, 1.0]])
    kernel.take_steps([theta, *moments], rows, stretch, standing, torch.ones(4), torch.zeros(4), None, scratch)
    for index, (start, moment) in enumerate(zip(starts, Stacking(space).unstacked(moments[0]), strict=True)):
        data = samples[index // 2].to(torch.float64)
        moved = {name: value.double().requires_grad_() for name, value in start.items()}
        risk = empirical_risk(space.evaluate(moved, data.inputs), data.labels)
        assert float(risks[index]) == pytest.approx(risk.item(), rel=1e-5)
        for name, expected in zip(moved, torch.autograd.grad(risk, list(moved.values())), strict=True):
            scale = float(expected.abs().max()) + 1e-3
            torch.testing.assert_close(10 * moment[name].double(), expected, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("clip", [None, 0.1])
def test_training_with_and_without_it_agrees(clip):
    """On passes over the rows, with everything that moves or is seen."""
    space = TwoLayer(kind="two_layer", width=30)
    rows, held = (stacked_rows([sample(seed, 200, 10) for seed in seeds]) for seeds in ((0, 1), (2, 3)))
    starts = drawn(space, 6, 10)
    with_it, without = (
        train_networks(
            space,
            random_passes(rows, 64, [Randomness(seed).generator("batches") for seed in range(2)]),
            starts,
            [1e-3, 3e-3, 1e-2] * 2,
            120,
            last_step=100,
            weight_decays=[0.0, 0.1, 1.0] * 2,
            schedule="cosine",
            averaging=0.99,
            gradient_clip=clip,
            validation=held,
            patience=1.0,
            compiled=compiled,
        )
        for compiled in (True, False)
    )
    for one, other in zip(with_it, without, strict=True):
        for name in one.parameters:
            torch.testing.assert_close(one.parameters[name], other.parameters[name], rtol=0, atol=1e-4)
        assert one.best_step == other.best_step > 0
        assert one.validation_risk == pytest.approx(other.validation_risk, rel=1e-4)


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
