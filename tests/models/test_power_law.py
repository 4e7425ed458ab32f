"""Exponents from errors that share seeds and test points."""

from itertools import pairwise

import pytest
import torch

from models.rates.power_law import mean_errors, power_law

WIDTHS = [4, 8, 16, 32, 64]


def errors_of(exponent, seeds, points, stream, spread=0.2):
    """c m^exponent, times what a seed does to each width and what a point does to all."""
    generator = torch.Generator().manual_seed(stream)
    means = 3.0 * torch.tensor(WIDTHS, dtype=torch.float64) ** exponent
    by_seed = 1 + spread * torch.randn(seeds, len(WIDTHS), 1, generator=generator, dtype=torch.float64)
    by_point = torch.randn(1, 1, points, generator=generator, dtype=torch.float64).square()
    return means[None, :, None] * by_seed.abs() * by_point


def test_exact_power_law_is_found():
    exact = (torch.tensor(WIDTHS).double() ** -1.7)[None, :, None].expand(1, 5, 50)
    law = power_law(WIDTHS, exact, 1.0)
    assert law.exponent.value == pytest.approx(-1.7)
    assert law.exponent.upper - law.exponent.lower < 1e-9
    assert [one.value for one in law.local] == pytest.approx([-1.7] * 4)
    assert law.curvature.value == pytest.approx(0, abs=1e-9)


def test_intervals_hold_the_exponent_as_often_as_they_say():
    held = straight = 0
    for stream in range(400):
        law = power_law(WIDTHS, errors_of(-1.0, 6, 40, stream), 1.0)
        held += law.exponent.lower <= -1.0 <= law.exponent.upper
        straight += law.is_straight
    # 95 % of 400 with five standard deviations on either side.
    assert 358 <= held <= 400
    assert 358 <= straight <= 400


def test_what_all_widths_share_costs_no_precision():
    """The same points measure every width: their common factor leaves the exponent alone."""
    law = power_law(WIDTHS, errors_of(-1.0, 4, 30, 0, spread=0.0), 1.0)
    assert law.exponent.upper - law.exponent.lower < 1e-7
    # The errors themselves are uncertain nevertheless.
    (first, *_) = mean_errors(errors_of(-1.0, 4, 30, 0, spread=0.0), "monte_carlo")
    assert first.standard_error > 0.1 * first.value


def test_bent_curve_is_no_power_law():
    widths = torch.tensor(WIDTHS).double()
    bent = torch.exp(-0.2 * widths)[None, :, None] * (1 + 0.01 * torch.rand(1, 1, 500).double())
    law = power_law(WIDTHS, bent, 1.0)
    assert not law.is_straight
    assert law.curvature.upper < 0
    # d(-0.2 m)/d ln m = -0.2 m: each local exponent is the mean of that between its widths.
    slopes = [-0.2 * (b - a) / torch.log(torch.tensor(b / a)).item() for a, b in pairwise(WIDTHS)]
    assert [one.value for one in law.local] == pytest.approx(slopes, rel=1e-6)


def test_round_off_is_left_out():
    errors = torch.tensor([1e-3, 1e-9, 1e-15, 1e-27, 3e-30]).double()[None, :, None].expand(1, 5, 10)
    assert power_law(WIDTHS, errors, 1.0).widths == (4, 8, 16)
    assert power_law(WIDTHS, errors, 1e10) is None
    assert power_law(WIDTHS, torch.zeros(1, 5, 10).double(), 1.0) is None
