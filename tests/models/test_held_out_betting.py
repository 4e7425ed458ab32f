"""The betting confidence bound: hand values, limits, coverage, tightness."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bounds import BoundSubject
from models.bounds.held_out_betting import HeldOutBetting, betting_upper_bound
from models.hypothesis_spaces.random_features import RandomFeatures
from models.learned_model import LearnedModel, OutputRange
from models.randomness import Randomness
from models.samples import Sample
from models.scaling import identity_scaling


def clipped_model(lower, upper):
    """f(x) = x, clipped to [lower, upper]."""
    space = RandomFeatures(kind="random_features", width=2)
    parameters = {
        "weights": torch.tensor([[1.0], [-1.0]], dtype=torch.float64),
        "biases": torch.zeros(2, dtype=torch.float64),
        "coefficients": math.sqrt(2) * torch.tensor([[1.0], [-1.0]], dtype=torch.float64),
    }
    output_range = OutputRange(*(torch.tensor([end], dtype=torch.float64) for end in (lower, upper)))
    return LearnedModel(space, parameters, identity_scaling(1), identity_scaling(1), output_range)


def losses(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_one_loss_of_zero_bounds_nothing_at_five_percent():
    # nu_1 = 1, the wealth is 1 + mu <= 2 < 20: no mean is rejected.
    assert betting_upper_bound(losses(0.0), 0.05) == 1.0


def test_one_loss_at_a_generous_level_gives_the_hand_value():
    # nu_1 = min(1, sqrt(8 ln(1/delta))) = 1; 1 - (x - mu) > 1/delta at mu = x + 1/delta - 1.
    assert betting_upper_bound(losses(0.25), 0.8) == pytest.approx(0.5, abs=1e-12)


def test_two_zero_losses_give_the_hand_value():
    # s_0^2 = 1/4, m_1 = 1/4, s_1^2 = (1/4 + 1/16)/2; both bets are cut at 1: (1 + mu)^2 > 1/delta.
    assert betting_upper_bound(losses(0.0, 0.0), 0.5) == pytest.approx(math.sqrt(2) - 1, abs=1e-12)


def test_all_losses_one_leave_the_trivial_bound():
    assert betting_upper_bound(torch.ones(500, dtype=torch.float64), 0.05) == 1.0


def test_all_losses_zero_approach_the_best_possible_rate():
    # Whatever the method, a bound below 1 - delta^(1/n) would fail for Bernoulli losses.
    size, delta = 1000, 0.05
    value = betting_upper_bound(torch.zeros(size, dtype=torch.float64), delta)
    assert 1 - delta ** (1 / size) <= value <= 3 * math.log(1 / delta) / size


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.001, 0.99))
@settings(max_examples=60, deadline=None)
def test_bound_is_in_the_unit_interval_whatever_the_losses(values, delta):
    assert 0 < betting_upper_bound(torch.tensor(values, dtype=torch.float64), delta) <= 1


def test_bound_falls_with_delta_on_a_usual_sample():
    sample = torch.rand(300, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 4
    values = [betting_upper_bound(sample, delta) for delta in (0.001, 0.01, 0.05, 0.2)]
    assert values == sorted(values, reverse=True)


def test_bound_falls_with_more_rows():
    pattern = losses(0.1, 0.0, 0.3, 0.2)
    values = [betting_upper_bound(pattern.repeat(k), 0.05) for k in (2, 10, 100, 1000)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.15 * 1.06


def test_bound_is_the_smallest_rejected_mean():
    sample = torch.rand(50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    value = betting_upper_bound(sample, 0.05)

    def wealth(mean):
        """Largest log wealth, one loss after another as the definition says."""
        total, best, mean_sum, square_sum, variance = 0.0, -math.inf, 0.5, 0.25, 0.25
        for index, loss in enumerate(sample.tolist(), start=1):
            bet = min(1.0, math.sqrt(2 * math.log(20) / (50 * variance)))
            total += math.log(1 - bet * (loss - mean))
            best = max(best, total)
            mean_sum += loss
            square_sum += (loss - mean_sum / (1 + index)) ** 2
            variance = square_sum / (1 + index)
        return best

    assert wealth(value) > math.log(20) - 1e-9
    assert wealth(value - 1e-9) <= math.log(20)


@pytest.mark.parametrize("bad", [torch.empty(0, dtype=torch.float64), losses(1.5), losses(-0.1), losses(math.nan)])
def test_losses_outside_the_unit_interval_are_refused(bad):
    with pytest.raises(ValueError, match="loss"):
        betting_upper_bound(bad, 0.05)


def squared_normal(size, deviation, seed):
    normal = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (deviation * normal).square().clamp(max=1)


def test_bound_is_ten_times_tighter_than_hoeffding_on_small_squared_errors():
    size, repeats, true = 1000, 200, 0.01
    excess = sum(betting_upper_bound(squared_normal(size, 0.1, s), 0.05) - true for s in range(repeats)) / repeats
    hoeffding = math.sqrt(math.log(20) / (2 * size))
    assert excess <= 0.0035
    assert excess <= hoeffding / 10


def coverage_misses(draw, true, repeats, delta):
    return sum(betting_upper_bound(draw(seed), delta) < true for seed in range(repeats)) / repeats


@pytest.mark.slow
@pytest.mark.parametrize("law", ["squared_normal", "bernoulli", "two_point"])
def test_bound_misses_no_more_often_than_delta(law):
    repeats, delta, size = 2000, 0.05, 200

    def draw(seed):
        if law == "squared_normal":
            return squared_normal(size, 0.3, seed)
        uniform = torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        if law == "bernoulli":
            return (uniform < 0.1).to(torch.float64)
        return torch.where(uniform < 0.05, 1.0, 0.001).to(torch.float64)

    # E min(s^2 Z^2, 1), s = .3: s^2 P-moment up to 1/s plus the tail.
    cut, phi = 1 / 0.3, math.exp(-0.5 / 0.09) / math.sqrt(2 * math.pi)
    tail = math.erfc(cut / math.sqrt(2))
    true = {
        "squared_normal": 0.09 * (1 - tail - 2 * cut * phi) + tail,
        "bernoulli": 0.1,
        "two_point": 0.05 + 0.95 * 0.001,
    }[law]
    allowed = delta + 3 * math.sqrt(delta * (1 - delta) / repeats)
    assert coverage_misses(draw, true, repeats, delta) <= allowed


@pytest.mark.parametrize(("outlier", "expected"), [(0.5, "unchecked"), (40.0, "failed")])
def test_labels_outside_the_range_are_counted_and_said(outlier, expected):
    inputs = torch.linspace(0, 1, 50, dtype=torch.float64)[:, None]
    labels = inputs.clone()
    labels[7] = outlier
    sample = Sample(inputs, labels)
    subject = BoundSubject(
        model=clipped_model(0.0, 1.0),
        training=sample,
        held_out=sample,
        loss_cap=1.0,
        scaled_from_sample=False,
        input_sup_bound=1.0,
        randomness=Randomness(0),
    )
    report = HeldOutBetting(kind="held_out_betting").evaluate(subject, 0.05)
    standings = {assumption.name: assumption for assumption in report.assumptions}
    assert standings["labels_within_range"].standing == expected
    assert report.inputs["held_out_labels_outside_range"] == (1 if outlier > 1 else 0)
    # The outlier costs M, no more: the bound stays one of the capped risk.
    assert report.value is not None
    assert report.measured is not None
    assert report.measured.value <= 1 / 50 < report.value <= 1
