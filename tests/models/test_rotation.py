"""Error bars of cross-validated risks: exact sums where they can be, coverage where the law is known."""

import math

import pytest
import torch

from models.decomposition.rotation import Rotation
from models.table_splits import arc

SEEDS, FOLDS, ROWS, DIMENSION = 4, 5, 200, 10


def circle(generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A seed's order, and the fold of each row."""
    order = torch.randperm(ROWS, generator=generator)
    fold = torch.empty(ROWS, dtype=torch.int64)
    for v in range(FOLDS):
        fold[order[slice(*arc(ROWS, FOLDS, v))]] = v
    return order, fold


def rotation_of(seed, sizes) -> Rotation:
    generator = torch.Generator().manual_seed(seed)
    return Rotation(FOLDS, torch.stack([circle(generator)[1] for _ in range(SEEDS)]), sizes)


def least_squares_losses(seed, sizes):
    """Losses of least squares on a table of y = x_1 + N(0,1), x ~ N(0, I), by a solver of its own."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(ROWS, DIMENSION, generator=generator, dtype=torch.float64)
    labels = inputs[:, :1] + torch.randn(ROWS, 1, generator=generator, dtype=torch.float64)
    losses, folds = torch.empty(SEEDS, len(sizes), ROWS, dtype=torch.float64), []
    for s in range(SEEDS):
        order, fold = circle(generator)
        folds.append(fold)
        for v in range(FOLDS):
            begin, end = arc(ROWS, FOLDS, v)
            training, test = torch.cat([order[end:], order[:begin]]), order[begin:end]
            for j, size in enumerate(sizes):
                x, y = inputs[training[:size]], labels[training[:size]]
                solution = torch.linalg.solve(x.T @ x, x.T @ y)
                losses[s, j, test] = (labels[test] - inputs[test] @ solution).square()[:, 0]
    return losses, Rotation(FOLDS, torch.stack(folds), sizes)


def test_two_standard_errors_hold_the_true_risk_where_naive_ones_do_not():
    sizes = (25, 50, 100, 160)
    held, naive_held = torch.zeros(len(sizes)), torch.zeros(len(sizes))
    # Gaussian rows without an intercept: R(n) = 1 + d / (n - d - 1), exact.
    truth = torch.tensor([1 + DIMENSION / (n - DIMENSION - 1) for n in sizes], dtype=torch.float64)
    for seed in range(100):
        losses, rotation = least_squares_losses(seed, sizes)
        distance = (losses.mean(dim=(0, 2)) - truth).abs()
        held += distance <= 2 * rotation.standard_errors(losses)
        by_row = losses.mean(dim=0).std(dim=-1) / math.sqrt(ROWS)
        naive_held += distance <= 2 * by_row
    assert bool((held >= 90).all()), held
    assert naive_held[0] < 87


def test_held_out_rows_have_the_error_of_rows_plus_that_of_seeds():
    losses = torch.rand(3, 2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rotation = Rotation(1, torch.zeros(3, 40, dtype=torch.int64), (10, 20))
    estimate = rotation.estimate(losses, 1)
    rows, seeds = losses[:, 1].mean(dim=0), losses[:, 1].mean(dim=1)
    assert estimate.standard_error == pytest.approx(math.sqrt(float(rows.var()) / 40 + float(seeds.var()) / 3))
    assert estimate.value == pytest.approx(float(losses[:, 1].mean()))
    assert rotation.widening(losses) == 1


def test_variance_between_samples_is_found_and_row_noise_is_not_taken_for_it():
    sizes = (40,)
    found = []
    for seed in range(200):
        rotation = rotation_of(seed, sizes)
        generator = torch.Generator().manual_seed(1000 + seed)
        noise = torch.randn(SEEDS, 1, ROWS, generator=generator, dtype=torch.float64)
        rows = 3 * torch.randn(1, 1, ROWS, generator=generator, dtype=torch.float64)
        samples = 0.5 * torch.randn(SEEDS, 1, FOLDS, generator=generator, dtype=torch.float64)
        losses = 10 + rows + noise + rotation.by_row(samples)
        found.append(float(rotation._between_samples(losses)[0]))
    assert float(rotation.overlaps[0]) == 0
    # tau^2 = 1/4 with 16 degrees of freedom, and (1 + 1/3)/40 of row noise in each fold's mean, taken off again.
    error = (0.25 + 4 / 120) * math.sqrt(2 / 16) / math.sqrt(200)
    assert sum(found) / 200 == pytest.approx(0.25, abs=4 * error)


def test_overlap_of_samples_is_the_counted_one():
    sizes = (25, 40, 97, 160)
    rotation = rotation_of(0, sizes)
    for place, size in enumerate(sizes):
        samples = []
        for v in range(FOLDS):
            end = arc(ROWS, FOLDS, v)[1]
            samples.append({(end + step) % ROWS for step in range(size)})
        common = [len(a & b) / size for i, a in enumerate(samples) for j, b in enumerate(samples) if i != j]
        assert float(rotation.overlaps[place]) == pytest.approx(sum(common) / len(common))
    # All training rows of V folds: (V - 2) / (V - 1).
    assert float(rotation.overlaps[-1]) == pytest.approx(3 / 4)


def test_the_order_of_seeds_does_not_matter():
    losses, rotation = least_squares_losses(0, (25, 100))
    turned = Rotation(FOLDS, rotation.fold.flip(0), rotation.sample_sizes)
    assert torch.allclose(turned.standard_errors(losses.flip(0)), rotation.standard_errors(losses), rtol=1e-12)


def test_one_seed_has_an_error_bar():
    losses, rotation = least_squares_losses(0, (25, 100))
    alone = Rotation(FOLDS, rotation.fold[:1], rotation.sample_sizes)
    errors = alone.standard_errors(losses[:1])
    assert bool((errors >= losses[0].std(dim=-1) / math.sqrt(ROWS) - 1e-12).all())


def test_a_curve_is_widened_by_what_rows_add_that_train_for_each_other():
    losses, rotation = least_squares_losses(0, (25, 100))
    by_row, by_seed = losses[:, 1].mean(dim=0), losses[:, 1].mean(dim=1)
    alone = math.sqrt(float(by_row.var()) / ROWS + float(by_seed.var()) / SEEDS)
    assert rotation.widening(losses) == pytest.approx(rotation.estimate(losses, 1).standard_error / alone)
    assert rotation.widening(losses) > 1
