"""Networks trained together are the networks trained alone, and their gradients are autograd's."""

import math

import pytest
import torch

from models.activations import ACTIVATIONS
from models.batched_training import gradients as gradients_module
from models.batched_training import rows as rows_module
from models.batched_training.rows import RandomPasses, StackedRows, random_passes, stacked_rows, whole_samples
from models.batched_training.training import train_networks
from models.errors import Stopped
from models.hypothesis_spaces.two_layer import TwoLayer
from models.minibatch_descent import Minibatches, adam_updater
from models.minibatch_descent import descend as descend_sequentially
from models.optimisation import empirical_risk
from models.randomness import Randomness, normal_rows
from models.samples import Sample
from tests.support.trained_batches import (
    LAYERED,
    assert_gradients_and_risks_are_autograds,
    assert_same,
    drawn,
    sample,
    sequential,
)

RATES = [1e-2, 3e-3, 3e-2]


@pytest.mark.parametrize("block", [2**19, 200, 30], ids=["one_block", "blocks_of_networks", "blocks_of_rows"])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("scaling", ["mean_field", "ntk", "standard"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_and_risks_are_autograds(activation, scaling, outputs, block, monkeypatch):
    monkeypatch.setitem(gradients_module.BLOCK_ELEMENTS, "cpu", block)
    space = TwoLayer(kind="two_layer", width=5, activation=activation, scaling=scaling)
    samples = [sample(seed, 17, outputs=outputs) for seed in range(2)]
    starts = drawn(space, 6, outputs=outputs)
    assert_gradients_and_risks_are_autograds(space, starts, samples)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hundred_steps_equal_sequential_adam(activation, dtype, tolerance):
    space = TwoLayer(kind="two_layer", width=24, activation=activation)
    samples = [sample(seed, 60).to(dtype) for seed in range(2)]
    starts, rates, decays = drawn(space, 6, dtype), RATES * 2, [0.0, 0.1, 0.0, 0.3, 0.0, 0.1]
    trained = train_networks(
        space, whole_samples(stacked_rows(samples, dtype)), starts, rates, 100, weight_decays=decays, schedule="cosine"
    )
    for index, one in enumerate(trained):
        data = samples[index // 3]
        expected = sequential(space, starts[index], data, rates[index], 100, decays[index], "cosine")
        assert_same(one.parameters, expected, tolerance)
        risk = empirical_risk(space.evaluate(expected, data.inputs), data.labels)
        assert one.curve[-1].step == 100
        assert one.curve[-1].empirical_risk == pytest.approx(risk.item(), rel=1e-3)


@pytest.mark.parametrize("shape", [(10, 32, 256, 8), (10, 128, 1024, 2), (50, 600, 1024, 1)])
def test_large_products_in_float32_equal_sequential_adam(shape):
    """Where oneDNN's routines take over, and where one network is cut into blocks of rows.

    As functions: single weights near a kink differ by more, as those of float32 and float64 do.
    """
    dimension, width, size, networks = shape
    space = TwoLayer(kind="two_layer", width=width)
    data = sample(0, size, dimension).to(torch.float32)
    starts = drawn(space, networks, torch.float32, dimension)
    trained = train_networks(space, whole_samples(stacked_rows([data])), starts, [1e-3] * networks, 100, curve_points=1)
    expected = sequential(space, starts[-1], data, 1e-3, 100)
    outputs, others = (space.evaluate(theta, data.inputs) for theta in (trained[-1].parameters, expected))
    assert float((outputs - others).square().mean().sqrt()) < 1e-4
    assert trained[-1].curve[-1].empirical_risk == pytest.approx(
        float((others - data.labels).square().mean()), rel=1e-4
    )


@pytest.mark.parametrize("size", [16, 40])
def test_minibatches_are_those_of_sequential_training(size):
    """The same passes over the rows from the same stream, with averaged iterates."""
    space = TwoLayer(kind="two_layer", width=12)
    samples, starts = [sample(seed) for seed in range(2)], drawn(space, 4)
    streams = [Randomness(seed).generator("batches") for seed in range(2)]
    batches = random_passes(stacked_rows(samples, torch.float64), size, streams)
    trained = train_networks(space, batches, starts, [1e-2] * 4, 30, averaging=0.9)
    for index, one in enumerate(trained):
        expected = descend_sequentially(
            starts[index],
            space.trainable,
            lambda step, theta, batch: empirical_risk(space.evaluate(theta, batch.inputs), batch.labels),
            Minibatches(samples[index // 2], size, Randomness(index // 2).generator("batches")),
            adam_updater(lambda step: 1e-2),
            lambda step, theta, state: step == 30,
            averaging=0.9,
        )
        assert_same(one.parameters, expected, 1e-10)


def test_a_network_does_not_depend_on_its_batch():
    space = TwoLayer(kind="two_layer", width=16, activation="tanh")
    samples, starts = [sample(seed) for seed in range(3)], drawn(space, 6)
    rows = stacked_rows(samples, torch.float64)
    together = train_networks(space, whole_samples(rows), starts, [1e-2, 1e-3] * 3, 50)
    for index in (0, 3, 5):
        alone = StackedRows(*(values[index // 2 : index // 2 + 1] for values in (rows.inputs, rows.labels)))
        (one,) = train_networks(space, whole_samples(alone), starts[index : index + 1], [[1e-2, 1e-3][index % 2]], 50)
        assert_same(together[index].parameters, one.parameters, 1e-12)


def test_equal_calls_give_equal_bits():
    space = TwoLayer(kind="two_layer", width=64)
    rows = stacked_rows([sample(seed, 300, 10) for seed in range(2)])

    def run():
        generators = [Randomness(seed).generator("batches") for seed in range(2)]
        starts = drawn(space, 4, torch.float32, 10)
        return train_networks(space, random_passes(rows, 128, generators), starts, [1e-2] * 4, 25)

    for one, other in zip(run(), run(), strict=True):
        assert_same(one.parameters, other.parameters, 0)
        assert one.curve == other.curve


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_divergence_is_marked_and_leaves_the_others_alone(dtype):
    space = TwoLayer(kind="two_layer", width=16)
    data, starts = sample(0).to(dtype), drawn(space, 3, dtype)
    rows = stacked_rows([data], dtype)
    trained = train_networks(space, whole_samples(rows), starts, [1e-2, 1e12, 1e-2], 60)
    assert [one.diverged_at is None for one in trained] == [True, False, True]
    assert all(math.isfinite(point.empirical_risk) for one in trained for point in one.curve)
    for index in (0, 2):
        assert_same(trained[index].parameters, sequential(space, starts[index], data, 1e-2, 60), 1e-4)


def test_a_start_that_is_not_finite_is_marked_at_once():
    space = TwoLayer(kind="two_layer", width=4)
    starts = drawn(space, 2)
    starts[0]["weights"][0, 0] = math.nan
    trained = train_networks(space, whole_samples(stacked_rows([sample(0)], torch.float64)), starts, [1e-2] * 2, 5)
    assert [one.diverged_at for one in trained] == [0, None]
    assert trained[0].curve == ()


def test_validation_returns_the_best_step_of_each_network():
    """The parameters are those after exactly `best_step` steps, and no looked-at step had a smaller risk."""
    space = TwoLayer(kind="two_layer", width=64)
    noise = normal_rows(Randomness(9), "noise", 40, 1)
    data, fresh = sample(0), sample(1, 200)
    noisy = Sample(data.inputs, data.labels + noise)
    rows, held = (stacked_rows([part], torch.float64) for part in (noisy, fresh))
    starts, rates = drawn(space, 2), [3e-2, 1e-5]
    trained = train_networks(space, whole_samples(rows), starts, rates, 400, validation=held, patience=0.2)
    overfitting, slow = trained
    assert overfitting.best_step is not None
    assert 0 < overfitting.best_step < 300
    assert overfitting.curve[-1].step == pytest.approx(overfitting.best_step + 80, abs=8)
    assert (slow.best_step, slow.curve[-1].step) == (400, 400)
    for one, start, rate in zip(trained, starts, rates, strict=True):
        (again,) = train_networks(space, whole_samples(rows), [start], [rate], one.best_step)
        assert_same(one.parameters, again.parameters, 1e-10)


def test_networks_beyond_a_valley_end_with_the_one_that_left_it():
    """Rates from good to useless: the third has ended far above the first, so that the slow fourth is not awaited."""
    space = TwoLayer(kind="two_layer", width=16)
    noisy = Sample(sample(0).inputs, sample(0).labels + normal_rows(Randomness(9), "noise", 40, 1))
    rows, held = (stacked_rows([part], torch.float64) for part in (noisy, sample(1, 200)))
    rates = [1e-2, 1e-2, 1.0, 1e-5]
    options = {"validation": held, "patience": 0.1}
    alone = train_networks(space, whole_samples(rows), drawn(space, 1) * 4, rates, 600, **options)
    assert alone[2].validation_risk > 1.1 * alone[0].validation_risk
    assert alone[3].curve[-1].step == 600
    together = train_networks(space, whole_samples(rows), drawn(space, 1) * 4, rates, 600, hopeless=1.1, **options)
    assert together[3].validation_risk == math.inf
    assert together[3].curve[-1].step < 600
    for one, other in zip(together[:3], alone[:3], strict=True):
        assert one.best_step == other.best_step
        assert one.validation_risk == pytest.approx(other.validation_risk, rel=1e-9)
        assert_same(one.parameters, other.parameters, 1e-10)


@pytest.mark.parametrize("space", [TwoLayer(kind="two_layer", width=12, activation="tanh"), *LAYERED[1:4:2]])
@pytest.mark.parametrize("clip", [1e-3, 1e9])
def test_clipped_gradients_are_those_of_sequential_training(clip, space):
    data = sample(0, outputs=2)
    starts, batches = drawn(space, 2, outputs=2), whole_samples(stacked_rows([data], torch.float64))
    trained = train_networks(space, batches, starts, [1e-2] * 2, 30, gradient_clip=clip)
    for index, one in enumerate(trained):
        expected = descend_sequentially(
            starts[index],
            space.trainable,
            lambda step, theta, batch: empirical_risk(space.evaluate(theta, batch.inputs), batch.labels),
            Minibatches(data, data.size, torch.Generator()),
            adam_updater(lambda step: 1e-2),
            lambda step, theta, state: step == 30,
            gradient_clip=clip,
        )
        assert_same(one.parameters, expected, 1e-10)


def test_rows_of_many_steps_are_those_of_each(monkeypatch):
    """Whatever is gathered at once, and where a stretch ends."""
    rows = stacked_rows([sample(seed) for seed in range(2)], torch.float64)
    found = []
    for numbers in (1, 2**10, 2**18):
        monkeypatch.setattr(rows_module, "GATHERED_NUMBERS", numbers)
        passes = RandomPasses(rows, 16, [Randomness(seed).generator("batches") for seed in range(2)])
        step, steps = 0, []
        for count in (1, 5, 2, 9):
            passes.stretch(step, 1)
            stretch = passes.stretch(step, count)
            steps += [stretch.at(index).labels for index in range(count)]
            step += count
        found.append(torch.stack(steps))
    assert found[0].shape == (17, 2, 16, 1)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_stop_requests_end_training():
    def advance(step, total, risk=None):
        if step == 3:
            raise Stopped

    space = TwoLayer(kind="two_layer", width=4)
    rows = stacked_rows([sample(0)], torch.float64)
    with pytest.raises(Stopped):
        train_networks(space, whole_samples(rows), drawn(space, 1), [1e-2], 10, advance=advance)


def test_networks_must_be_equal_shares_of_the_samples():
    space = TwoLayer(kind="two_layer", width=4)
    rows = stacked_rows([sample(0), sample(1)], torch.float64)
    with pytest.raises(ValueError, match="no equal share"):
        train_networks(space, whole_samples(rows), drawn(space, 3), [1e-2] * 3, 10)
