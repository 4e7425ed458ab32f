"""Ridge against scikit-learn, the normal equations, and the exact risk of minimum-norm least squares."""

import math

import pytest
import torch

from models.errors import NumericalFailure
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.ridge import Ridge
from models.least_squares import ridge_solution
from models.optimisation import unwatched
from models.randomness import Randomness, normal_rows
from models.samples import Sample

SHAPES = [(80, 20), (20, 80), (40, 40), (1, 5), (5, 1)]


def drawn(n, m, k=2, seed=0):
    return normal_rows(Randomness(seed), "phi", n, m), normal_rows(Randomness(seed), "y", n, k)


@pytest.mark.parametrize(("n", "m"), SHAPES)
@pytest.mark.parametrize("penalty", [1e-8, 1e-2, 10.0])
def test_equals_scikit_learn(n, m, penalty):
    from sklearn.linear_model import Ridge as Oracle

    features, labels = drawn(n, m)
    # scikit-learn minimises |Phi a - y|^2 + alpha |a|^2, without 1/n.
    oracle = Oracle(alpha=n * penalty, fit_intercept=False, solver="svd").fit(features.numpy(), labels.numpy())
    solution, _ = ridge_solution(features, labels, penalty)
    torch.testing.assert_close(solution, torch.from_numpy(oracle.coef_).reshape(-1, m).T, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_penalty_zero_is_the_solution_of_smallest_norm(n, m):
    features, labels = drawn(n, m)
    torch.testing.assert_close(ridge_solution(features, labels, 0.0)[0], torch.linalg.pinv(features) @ labels)


def test_gradient_of_the_objective_vanishes():
    features, labels = drawn(60, 30)
    solution, _ = ridge_solution(features, labels, 0.01)
    gradient = features.T @ (features @ solution - labels) / 60 + 0.01 * solution
    assert float(gradient.abs().max()) < 1e-14


def test_small_penalty_tends_to_the_minimum_norm_solution():
    features, labels = drawn(20, 50)
    limit = ridge_solution(features, labels, 0.0)[0]
    errors = [float((ridge_solution(features, labels, p)[0] - limit).norm()) for p in (1e-3, 1e-5, 1e-7)]
    slope = math.log(errors[0] / errors[2]) / math.log(1e4)
    assert slope == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("penalty", [0.0, 1e-14])
def test_repeated_features_share_the_weight(penalty):
    features, labels = drawn(50, 10)
    twice = torch.cat([features, features], dim=1)
    solution, solver = ridge_solution(twice, labels, penalty)
    assert solver == "svd"
    torch.testing.assert_close(solution[:10], solution[10:], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(2 * solution[:10], ridge_solution(features, labels, 0.0)[0], rtol=1e-7, atol=1e-9)


def test_ill_conditioned_features_are_fitted_as_well_as_by_svd():
    nodes = torch.linspace(0, 1, 200, dtype=torch.float64)[:, None]
    features = nodes ** torch.arange(15)
    labels = torch.sin(6 * nodes)
    solution, _ = ridge_solution(features, labels, 0.0)
    oracle = torch.linalg.lstsq(features, labels, driver="gelsd").solution
    misfit, best = ((features @ a - labels).norm() for a in (solution, oracle))
    assert float(misfit) <= float(best) * 1.01 + 1e-12


def test_features_of_zeros_give_zero():
    solution, _ = ridge_solution(torch.zeros(5, 3).double(), torch.ones(5, 1).double(), 0.0)
    assert torch.equal(solution, torch.zeros(3, 1).double())


def test_infinite_feature_is_an_error():
    features, labels = drawn(5, 3)
    features[2, 1] = math.inf
    with pytest.raises(NumericalFailure):
        ridge_solution(features, labels, 0.1)


@pytest.mark.parametrize("p", [20, 30, 55, 80])
def test_minimum_norm_risk_equals_the_exact_double_descent_curve(p):
    """Belkin, Hsu and Xu: x ~ N(0, I_D), y = x.beta + noise, least squares on the first p coordinates."""
    n, D, noise_variance, repeats = 40, 100, 0.25, 200
    beta = torch.ones(D, dtype=torch.float64) / math.sqrt(D)
    seen, unseen = float((beta[:p] ** 2).sum()), float((beta[p:] ** 2).sum())
    if p <= n - 2:
        exact = (unseen + noise_variance) * (1 + p / (n - p - 1))
    else:
        exact = seen * (1 - n / p) + (unseen + noise_variance) * (1 + n / (p - n - 1))
    risks = []
    for seed in range(repeats):
        inputs = normal_rows(Randomness(seed), "x", n, D)
        labels = inputs @ beta[:, None] + math.sqrt(noise_variance) * normal_rows(Randomness(seed), "noise", n, 1)
        solution, _ = ridge_solution(inputs[:, :p], labels, 0.0)
        risks.append(float(((solution[:, 0] - beta[:p]) ** 2).sum()) + unseen + noise_variance)
    values = torch.tensor(risks)
    assert abs(float(values.mean()) - exact) < 4.5 * float(values.std()) / math.sqrt(repeats)


def test_chosen_penalty_is_reported_and_resists_noise():
    inputs = normal_rows(Randomness(0), "x", 100, 3)
    labels = inputs[:, :1] + normal_rows(Randomness(0), "noise", 100, 1)
    space = RandomFeatures(kind="random_features", width=300)
    fits = {
        penalty: Ridge(kind="ridge", penalty=penalty).fit(space, Sample(inputs, labels), Randomness(1), unwatched)
        for penalty in (None, 0.0)
    }
    fresh = normal_rows(Randomness(0), "fresh", 1000, 3)
    error = {p: float((space.evaluate(f.parameters, fresh) - fresh[:, :1]).square().mean()) for p, f in fits.items()}
    assert fits[None].details["penalty"] > 0
    assert error[None] < 0.2 < error[0.0]


def test_nonlinear_space_is_refused():
    assert "not linear" in Ridge(kind="ridge").refuses(TwoLayer(kind="two_layer"))
    assert Ridge(kind="ridge").refuses(RandomFeatures(kind="random_features")) is None
