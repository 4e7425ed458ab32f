"""The noise that repeated inputs tell: the variance within their groups."""

import math

import pytest
import torch

from models.decomposition.table_cells import pure_noise
from models.samples import Sample


def test_pure_noise_is_the_variance_within_groups_and_ignores_copies():
    inputs = torch.arange(30.0).double().repeat(3)[:, None]
    labels = torch.randn(90, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    groups = labels.reshape(3, 30)
    expected = float(groups.var(dim=0, unbiased=True).mean())
    assert pure_noise(Sample(inputs, labels)).value == pytest.approx(expected, rel=1e-12)
    twice = Sample(inputs.repeat(2, 1), labels.repeat(2, 1))
    assert pure_noise(twice).value == pytest.approx(expected, rel=1e-12)
    assert pure_noise(Sample(inputs[:30], labels[:30])) is None


def test_measurements_that_agree_by_chance_are_no_copies():
    generator = torch.Generator().manual_seed(1)
    inputs = torch.arange(40.0).double().repeat(25)[:, None]
    counts = torch.poisson(torch.full((1000, 1), 2.0, dtype=torch.float64), generator=generator)
    found = pure_noise(Sample(inputs, counts))
    assert abs(found.value - 2) < 4 * 2 * math.sqrt(2.5 / 960)
    classes = torch.eye(2, dtype=torch.float64)[(torch.rand(1000, generator=generator) < 0.3).long()]
    found = pure_noise(Sample(torch.ones(1000, 1, dtype=torch.float64), classes))
    assert abs(found.value - 2 * 0.3 * 0.7) < 4 * found.standard_error
