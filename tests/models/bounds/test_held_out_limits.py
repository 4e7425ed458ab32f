"""The held-out certificates: hand values, scipy, order among each other, monotonicity, tightness, coverage."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from miss_rates import misses_no_more_often_than
from scipy import stats

from models.bounds import BOUNDS, BoundSubject
from models.bounds._concentration import bernoulli_divergence, binomial_limit, binomial_tail, inverse_divergence
from models.bounds.held_out_betting import betting_upper_bound
from models.bounds.held_out_empirical_bernstein import empirical_bernstein_upper_bound
from models.bounds.held_out_hoeffding import hoeffding_upper_bound
from models.bounds.held_out_hoeffding_bentkus import hoeffding_bentkus_upper_bound
from models.bounds.held_out_kl_chernoff import kl_chernoff_upper_bound
from models.hypothesis_spaces.random_features import RandomFeatures
from models.learned_model import LearnedModel, OutputRange
from models.randomness import Randomness
from models.samples import Sample
from models.scaling import identity_scaling

LIMITS = {
    "held_out_betting": betting_upper_bound,
    "held_out_hoeffding": hoeffding_upper_bound,
    "held_out_kl_chernoff": kl_chernoff_upper_bound,
    "held_out_empirical_bernstein": empirical_bernstein_upper_bound,
    "held_out_hoeffding_bentkus": hoeffding_bentkus_upper_bound,
}


def losses(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_hoeffding_by_hand():
    # mean .25, sqrt(ln(1/e^-2) / (2 * 4)) = 1/2.
    assert hoeffding_upper_bound(losses(0.0, 0.5, 0.0, 0.5), math.exp(-2)) == pytest.approx(0.75)


def test_kl_chernoff_of_zero_losses_by_hand():
    # kl(0 || q) = -ln(1 - q) = ln(1/delta)/n.
    assert kl_chernoff_upper_bound(losses(0.0, 0.0), 0.25) == pytest.approx(0.5)


def test_kl_of_a_half_by_hand():
    # kl(1/2 || q) = -ln(4 q (1-q)) / 2 = c gives q = (1 + sqrt(1 - e^{-2c})) / 2.
    assert inverse_divergence(0.5, 0.3) == pytest.approx((1 + math.sqrt(1 - math.exp(-0.6))) / 2, abs=1e-12)
    assert bernoulli_divergence(0.0, 0.3) == pytest.approx(-math.log(0.7))
    assert bernoulli_divergence(1.0, 0.3) == pytest.approx(-math.log(0.3))
    assert bernoulli_divergence(0.2, 0.0) == math.inf


def test_empirical_bernstein_by_hand():
    # Mean .1 and V = .01 n/(n-1) of equally many 0 and .2, n = 400.
    many = losses(0.0, 0.2).repeat(200)
    expected = 0.1 + math.sqrt(2 * 0.01 * 400 / 399 * math.log(4) / 400) + 7 * math.log(4) / (3 * 399)
    assert empirical_bernstein_upper_bound(many, 0.5) == pytest.approx(expected)


@pytest.mark.parametrize(("trials", "mistakes"), [(1, 0), (10, 0), (10, 3), (200, 17), (5000, 40), (200_000, 1234)])
def test_binomial_limit_is_the_beta_quantile(trials, mistakes):
    for delta in (0.3, 0.05, 1e-6):
        expected = stats.beta.ppf(1 - delta, mistakes + 1, trials - mistakes)
        assert binomial_limit(trials, mistakes, delta) == pytest.approx(expected, rel=1e-6)
    assert binomial_tail(trials, 0.1, mistakes) == pytest.approx(stats.binom.cdf(mistakes, trials, 0.1), rel=1e-7)


def test_zero_mistakes_leave_the_limit_by_hand():
    assert binomial_limit(3, 0, 0.125) == pytest.approx(0.5)
    assert binomial_limit(3, 3, 0.125) == 1.0


def test_hoeffding_bentkus_is_the_smaller_of_two_p_values():
    sample = torch.rand(60, generator=torch.Generator().manual_seed(2), dtype=torch.float64) ** 3
    mean, size = float(sample.mean()), 60
    value = hoeffding_bentkus_upper_bound(sample, 0.05)

    def p_value(mu):
        chernoff = math.exp(-size * bernoulli_divergence(min(mean, mu), mu))
        return min(chernoff, math.e * stats.binom.cdf(math.ceil(size * mean), size, mu))

    assert p_value(value - 1e-6) >= 0.05 > p_value(value + 1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.001, 0.9))
@settings(max_examples=40, deadline=None)
def test_limits_lie_between_the_mean_and_one_and_pinsker_orders_two_of_them(values, delta):
    sample = torch.tensor(values, dtype=torch.float64)
    mean = float(sample.mean())
    found = {name: limit(sample, delta) for name, limit in LIMITS.items()}
    for name in ("held_out_hoeffding", "held_out_kl_chernoff", "held_out_empirical_bernstein"):
        assert mean - 1e-12 <= found[name] <= 1
    assert found["held_out_kl_chernoff"] <= found["held_out_hoeffding"] + 1e-12
    assert found["held_out_hoeffding_bentkus"] <= found["held_out_kl_chernoff"]


@pytest.mark.parametrize("name", LIMITS)
def test_limits_fall_with_delta_and_with_rows(name):
    pattern = losses(0.1, 0.0, 0.3, 0.2, 0.05)
    by_delta = [LIMITS[name](pattern.repeat(60), delta) for delta in (0.001, 0.01, 0.05, 0.2)]
    by_rows = [LIMITS[name](pattern.repeat(k), 0.05) for k in (2, 10, 100, 1000)]
    assert by_delta == sorted(by_delta, reverse=True)
    assert by_rows == sorted(by_rows, reverse=True)
    assert 0.13 < by_rows[-1] < 0.16


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("bad", [torch.empty(0, dtype=torch.float64), losses(1.5), losses(-0.1), losses(math.nan)])
def test_losses_outside_the_unit_interval_are_refused(name, bad):
    with pytest.raises(ValueError, match="loss"):
        LIMITS[name](bad, 0.05)


@pytest.mark.parametrize("name", LIMITS)
def test_one_row_is_a_sample(name):
    assert LIMITS[name](losses(0.0), 0.05) <= 1.0
    assert LIMITS[name](losses(1.0), 0.05) == 1.0


def squared_normal(size, deviation, seed):
    normal = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (deviation * normal).square().clamp(max=1)


def test_excesses_at_a_thousand_rows_are_those_of_the_theory():
    """Losses min(e^2, 1) of mean 0.01, delta 0.05: the table of mean excesses over the true mean."""
    published = {
        "held_out_betting": 0.0031,
        "held_out_hoeffding": 0.0387,
        "held_out_kl_chernoff": 0.0097,
        "held_out_empirical_bernstein": 0.0098,
        "held_out_hoeffding_bentkus": 0.0094,
    }
    repeats = 60
    for name, excess in published.items():
        mean = sum(LIMITS[name](squared_normal(1000, 0.1, seed), 0.05) for seed in range(repeats)) / repeats - 0.01
        assert mean == pytest.approx(excess, rel=0.06), name
    assert published["held_out_betting"] <= 0.0035


def clipped_model(outputs=1):
    """f(x) = (x, -x, ..), clipped to [-1, 1]."""
    space = RandomFeatures(kind="random_features", width=2)
    signs = torch.tensor([1.0, -1.0, 0.5])[:outputs]
    parameters = {
        "weights": torch.tensor([[1.0], [-1.0]], dtype=torch.float64),
        "biases": torch.zeros(2, dtype=torch.float64),
        "coefficients": math.sqrt(2) * torch.tensor([[1.0], [-1.0]], dtype=torch.float64) * signs,
    }
    limits = OutputRange(-torch.ones(outputs, dtype=torch.float64), torch.ones(outputs, dtype=torch.float64))
    return LearnedModel(space, parameters, identity_scaling(1), identity_scaling(outputs), limits)


def subject_of(labels, inputs):
    sample = Sample(inputs, labels)
    return BoundSubject(clipped_model(labels.shape[1]), sample, sample, 4.0, False, 1.0, Randomness(0))


@pytest.mark.parametrize("name", LIMITS)
def test_certificate_is_the_cap_times_the_limit(name):
    inputs = torch.linspace(-1, 1, 101, dtype=torch.float64)[:, None]
    subject = subject_of(inputs + 0.5 * (inputs > 0), inputs)
    report = BOUNDS[name](kind=name).evaluate(subject, 0.05)
    capped = ((inputs.clamp(-1, 1) - subject.held_out.labels) ** 2)[:, 0]
    order = torch.randperm(101, generator=Randomness(0).generator("held_out_order"))
    assert report.value == pytest.approx(4 * LIMITS[name](capped[order] / 4, 0.05))
    assert report.measured.value == pytest.approx(float(capped.mean()))
    assert report.value == pytest.approx(sum(term.value for term in report.terms))
    assert {"iid_held_out", "independent_of_training"} <= {a.name for a in report.assumptions}


def test_wrong_classes_are_counted_by_the_largest_output():
    inputs = torch.tensor([[0.5], [-0.5], [0.25], [0.1]], dtype=torch.float64)
    # The first class wins where x > 0; the last row is labelled otherwise.
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    report = BOUNDS["held_out_clopper_pearson"](kind="held_out_clopper_pearson").evaluate(
        subject_of(labels, inputs), 0.05
    )
    assert report.inputs["mistakes"] == 1
    assert report.value == pytest.approx(stats.beta.ppf(0.95, 2, 3))
    assert report.quantity == "error_probability"
    assert report.measured.value == 0.25


@pytest.mark.parametrize(
    "labels", [[[0.0], [1.0]], [[1.0, 1.0], [0.0, 1.0]], [[0.5, 0.5], [0.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]]
)
def test_labels_that_are_not_one_hot_are_refused_by_name(labels):
    inputs = torch.zeros(2, 1, dtype=torch.float64)
    report = BOUNDS["held_out_clopper_pearson"](kind="held_out_clopper_pearson").evaluate(
        subject_of(torch.tensor(labels, dtype=torch.float64), inputs), 0.05
    )
    assert report.value is None
    assert report.trivial_value == 1.0
    assert [a.name for a in report.assumptions if a.standing == "failed"] == ["one_hot_labels"]


LAWS = {
    "squared_normal": lambda seed: squared_normal(200, 0.3, seed),
    "bernoulli": lambda seed: (draws(seed) < 0.1).to(torch.float64),
    "two_point": lambda seed: torch.where(draws(seed) < 0.05, 1.0, 0.001).to(torch.float64),
}


def draws(seed):
    return torch.rand(200, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def true_mean(law):
    if law == "bernoulli":
        return 0.1
    if law == "two_point":
        return 0.05 + 0.95 * 0.001
    # E min(s^2 Z^2, 1) = s^2 (1 - tail - 2 c phi(c)) + tail, c = 1/s.
    cut = 1 / 0.3
    phi, tail = math.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi), math.erfc(cut / math.sqrt(2))
    return 0.09 * (1 - tail - 2 * cut * phi) + tail


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", [name for name in LIMITS if name != "held_out_betting"])
def test_limits_miss_no_more_often_than_delta(name, law):
    true = true_mean(law)
    misses_no_more_often_than(0.05, lambda seed: LIMITS[name](LAWS[law](seed), 0.05) < true)


@pytest.mark.slow
def test_binomial_limit_misses_no_more_often_than_delta_and_nearly_as_often():
    counts = [int(LAWS["bernoulli"](seed).sum()) for seed in range(2000)]
    missing = {k for k in range(201) if binomial_limit(200, k, 0.05) < 0.1}
    misses = sum(count in missing for count in counts) / len(counts)
    # The exact probability for this n and p, which the discreteness keeps below delta.
    exact = sum(stats.binom.pmf(k, 200, 0.1) for k in missing)
    assert exact <= 0.05
    assert abs(misses - exact) <= 3 * math.sqrt(exact * (1 - exact) / 2000)
