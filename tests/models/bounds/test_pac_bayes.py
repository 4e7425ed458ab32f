"""PAC-Bayes: the exact Gibbs risk, the divergence, the inversions, the certificates and their coverage."""

import math

import pytest
import torch
from miss_rates import misses_no_more_often_than
from scipy import optimize, stats

from models.bounds._concentration import bernoulli_divergence
from models.bounds._gibbs import gaussian_divergence, gibbs_losses, pac_bayes_limit
from models.bounds.pac_bayes import PacBayes
from models.bounds.pac_bayes_split_prior import PacBayesSplitPrior

KINDS = {"pac_bayes": PacBayes, "pac_bayes_split_prior": PacBayesSplitPrior}


def column(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_gibbs_losses_agree_with_numerical_integration():
    means, deviations, labels = column(0.2, -1.5, 0.9, 5.0), column(0.3, 2.0, 1e-9, 0.5), column(0.1, 0.0, 0.5, 1.0)
    exact = gibbs_losses(means, deviations, labels, -0.5, 1.0)
    nodes = stats.norm.ppf((torch.arange(200_000).numpy() + 0.5) / 200_000)
    for index in range(4):
        outputs = (means[index] + deviations[index] * torch.from_numpy(nodes)).clamp(-0.5, 1.0)
        assert float(exact[index]) == pytest.approx(float(((outputs - labels[index]) ** 2).mean()), abs=2e-5)
    assert float(exact[2]) == pytest.approx(0.16)


def test_divergence_of_gaussians_agrees_with_torch():
    first = torch.distributions.Normal(torch.tensor([1.0, -2.0, 0.5]), 0.3)
    second = torch.distributions.Normal(torch.tensor([0.0, 0.0, 1.0]), 0.7)
    expected = float(torch.distributions.kl_divergence(first, second).sum())
    assert gaussian_divergence(1 + 4 + 0.25, 3, 0.3, 0.7) == pytest.approx(expected, rel=1e-5)
    assert gaussian_divergence(0.0, 5, 0.7, 0.7) == 0.0


def test_limits_invert_the_same_statement():
    empirical, divergence, size, delta = 0.03, 20.0, 1000, 0.05
    budget = (divergence + math.log(2 * math.sqrt(size) / delta)) / size
    exact = pac_bayes_limit("kl", empirical, divergence, size, delta)
    assert bernoulli_divergence(empirical, exact) == pytest.approx(budget, rel=1e-9)
    quadratic = pac_bayes_limit("quadratic", empirical, divergence, size, delta)
    half = budget / 2
    assert quadratic == pytest.approx((math.sqrt(empirical + half) + math.sqrt(half)) ** 2)
    by_search = optimize.minimize_scalar(
        lambda t: empirical / (1 - t / 2) + budget / (t * (1 - t / 2)), bounds=(1e-6, 1.999), method="bounded"
    ).fun
    tradeoff = pac_bayes_limit("lambda", empirical, divergence, size, delta)
    assert tradeoff == pytest.approx(by_search, rel=1e-6)
    assert exact <= min(quadratic, tradeoff) < empirical + math.sqrt(half)


@pytest.mark.parametrize("form", ["kl", "quadratic", "lambda"])
def test_limits_grow_with_the_divergence_and_fall_with_rows_and_delta(form):
    by_divergence = [pac_bayes_limit(form, 0.05, d, 1000, 0.05) for d in (0.0, 1.0, 30.0, 1e4)]
    by_rows = [pac_bayes_limit(form, 0.05, 10.0, n, 0.05) for n in (50, 500, 50_000, 10**9)]
    by_delta = [pac_bayes_limit(form, 0.05, 10.0, 500, delta) for delta in (1e-6, 0.01, 0.5)]
    assert by_divergence == sorted(by_divergence)
    assert by_divergence[-1] == pytest.approx(1.0, abs=1e-4)
    assert by_rows == sorted(by_rows, reverse=True)
    assert by_rows[-1] == pytest.approx(0.05, rel=1e-2)
    assert by_delta == sorted(by_delta, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_certificate_speaks_of_the_randomized_predictor_and_is_not_vacuous(linear_subject, kind):
    subject = linear_subject(2000, width=10, penalty=1.0)
    report = KINDS[kind](kind=kind).evaluate(subject, 0.05)
    assert report.quantity == "randomized_risk"
    standings = {a.name: a.standing for a in report.assumptions}
    assert standings["randomized_predictor"] == "declared"
    assert report.measured.value < report.value < report.trivial_value
    assert report.value == pytest.approx(sum(term.value for term in report.terms))
    inputs = report.inputs
    limit = pac_bayes_limit(
        "kl",
        report.terms[0].value / subject.loss_cap,
        inputs["divergence"],
        int(inputs["rows"]),
        0.05 * inputs["prior_weight"] / inputs["range_choices_in_union"],
    )
    assert report.value == pytest.approx(subject.loss_cap * limit)
    assert inputs["range_choices_in_union"] == 2000 * 1999


def test_prior_from_a_split_is_nearer(linear_subject):
    subject = linear_subject(4000, width=40, penalty=1e-3)
    free, split = (KINDS[kind](kind=kind).evaluate(subject, 0.05) for kind in KINDS)
    assert split.inputs["divergence"] < free.inputs["divergence"]
    assert split.inputs["prior_rows"] == 2000
    assert split.inputs["rows"] <= 2000


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_the_sample_are_refused_by_name(linear_subject, drawn_subject, kind):
    report = KINDS[kind](kind=kind).evaluate(linear_subject(scaled=True), 0.05)
    assert [a.name for a in report.assumptions if a.standing == "failed"] == ["features_fixed_before_sample"]
    report = KINDS[kind](kind=kind).evaluate(drawn_subject(), 0.05)
    assert [a.name for a in report.assumptions if a.standing == "failed"] == ["linear_space"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_certificates_hold_on_fresh_samples(linear_subject, kind):
    """The features stay, sample and held-out rows are new; the measured Gibbs risk stands for the true one."""

    def missed(seed):
        subject = linear_subject(60, held_out=400, width=4, seed=seed, feature_seed=0, penalty=1.0)
        report = KINDS[kind](kind=kind).evaluate(subject, 0.05)
        return report.value < report.measured.value - 4 * report.measured.standard_error

    misses_no_more_often_than(0.05, missed)
