"""The path of ridge regression against single solves, hat matrices, refits without each row, and scikit-learn."""

import itertools
import json
import math

import pytest
import torch

from models.errors import NumericalFailure
from models.gradient_flow import largest_eigenvalue
from models.hypothesis_spaces.random_features import RandomFeatures
from models.learners.ridge import Ridge
from models.least_squares import ridge_solution
from models.optimisation import unwatched
from models.randomness import Randomness, normal_rows
from models.ridge_path import best_penalty, ridge_path
from models.samples import Sample

MULTIPLES = torch.logspace(-6, 1, 8).double()


def drawn(n, m, k=2):
    features, labels = normal_rows(Randomness(0), "phi", n, m), normal_rows(Randomness(0), "y", n, k)
    return features, labels + features[:, :k]


def fitted(inputs, labels, **options):
    space = RandomFeatures(kind="random_features", width=options.pop("width", 40))
    learner = Ridge(kind="ridge", **options)
    return space, learner.fit(space, Sample(inputs, labels), Randomness(1), unwatched)


@pytest.mark.parametrize(("n", "m"), [(50, 20), (20, 50)])
def test_every_point_is_what_its_single_solve_and_its_hat_matrix_say(n, m):
    features, labels = drawn(n, m)
    for point, multiple in zip(ridge_path(features, labels, MULTIPLES), MULTIPLES, strict=True):
        assert point.penalty == pytest.approx(float(multiple) * largest_eigenvalue(features))
        solution, _ = ridge_solution(features, labels, point.penalty)
        hat = features @ torch.linalg.solve(
            features.T @ features + n * point.penalty * torch.eye(m).double(), features.T
        )
        risk = float((features @ solution - labels).square().sum()) / n
        assert point.empirical_risk == pytest.approx(risk, rel=1e-6, abs=1e-12)
        assert point.norm_squared == pytest.approx(float(solution.square().sum()), rel=1e-6)
        assert point.effective_degrees_of_freedom == pytest.approx(float(hat.trace()), rel=1e-6)
        assert point.generalized_cross_validation == pytest.approx(risk / (1 - float(hat.trace()) / n) ** 2, rel=1e-4)


@pytest.mark.parametrize(("n", "m"), [(25, 8), (15, 40)])
def test_leave_one_out_is_the_mean_loss_of_refits_without_each_row(n, m):
    features, labels = drawn(n, m)
    path = ridge_path(features, labels, torch.logspace(-4, 1, 6).double())
    for point in path:
        losses = []
        for row in range(n):
            kept = torch.arange(n) != row
            # Dropping a row keeps the penalty of the whole sum, n x penalty.
            solution, _ = ridge_solution(features[kept], labels[kept], point.penalty * n / (n - 1))
            losses.append(float(((features[row] @ solution - labels[row]) ** 2).sum()))
        assert point.leave_one_out == pytest.approx(sum(losses) / n, rel=1e-7)
    assert best_penalty(path, "leave_one_out") == min(path, key=lambda point: point.leave_one_out).penalty


def test_leave_one_out_chooses_what_scikit_learn_does():
    from sklearn.linear_model import RidgeCV

    features, labels = drawn(60, 25, k=1)
    path = ridge_path(features, labels, MULTIPLES)
    alphas = [60 * point.penalty for point in path]
    oracle = RidgeCV(alphas=alphas, fit_intercept=False).fit(features.numpy(), labels[:, 0].numpy())
    assert best_penalty(path, "leave_one_out") == pytest.approx(float(oracle.alpha_) / 60)
    assert min(point.leave_one_out for point in path) == pytest.approx(-float(oracle.best_score_))


def test_norms_and_freedom_fall_and_risks_rise_with_the_penalty():
    path = ridge_path(*drawn(40, 70), MULTIPLES)
    for earlier, later in itertools.pairwise(path):
        assert later.norm_squared < earlier.norm_squared
        assert later.effective_degrees_of_freedom < earlier.effective_degrees_of_freedom
        assert later.empirical_risk > earlier.empirical_risk
    assert path[0].effective_degrees_of_freedom == pytest.approx(40, rel=1e-2)


def test_both_criteria_estimate_the_population_risk():
    """y = x.beta + noise of variance 1 in d = 20: the risk of each point on fresh rows, over 100 samples."""
    beta, n = torch.ones(20, 1).double() / 4, 60
    differences = []
    for seed in range(100):
        features = normal_rows(Randomness(seed), "x", n, 20)
        labels = features @ beta + normal_rows(Randomness(seed), "noise", n, 1)
        point = ridge_path(features, labels, torch.tensor([0.1]).double())[0]
        solution, _ = ridge_solution(features, labels, point.penalty)
        exact = 1 + float((solution - beta).square().sum())
        differences.append([point.leave_one_out - exact, point.generalized_cross_validation - exact])
    values = torch.tensor(differences)
    # Estimates of fits to n - 1 rows: a bias of about (risk - noise) / n, a hundredth here.
    assert bool((values.mean(dim=0).abs() < 3 * values.std(dim=0) / 10 + 0.02).all())


def test_features_of_zeros_have_no_path_and_infinite_ones_are_an_error():
    labels = torch.ones(5, 1).double()
    assert ridge_path(torch.zeros(5, 3).double(), labels, MULTIPLES) == []
    with pytest.raises(NumericalFailure):
        ridge_path(torch.full((5, 3), math.inf).double(), labels, MULTIPLES)


@pytest.mark.parametrize("criterion", ["leave_one_out", "generalized_cross_validation"])
def test_the_learner_takes_the_best_point_of_the_path_that_it_reports(criterion):
    inputs = normal_rows(Randomness(0), "x", 80, 3)
    labels = inputs[:, :1] + normal_rows(Randomness(0), "noise", 80, 1)
    _, fit = fitted(inputs, labels, criterion=criterion)
    path = json.loads(json.dumps(fit.details))["path"]
    best = min(path, key=lambda point: point[criterion])
    assert best["penalty"] == fit.details["penalty"]
    assert best["empirical_risk"] == pytest.approx(fit.curve[-1].empirical_risk)
    assert best["norm_squared"] == pytest.approx(float(fit.parameters["coefficients"].square().sum()))
    assert len(path) == 25


def test_a_given_penalty_stays_and_the_path_is_reported_as_asked():
    inputs = normal_rows(Randomness(0), "x", 50, 3)
    for path, reported in ((None, True), (True, True), (False, False)):
        _, fit = fitted(inputs, inputs[:, :1], penalty=0.01, path=path)
        assert fit.details["penalty"] == 0.01
        assert ("path" in fit.details) is reported
    _, chosen = fitted(inputs, inputs[:, :1], path=False)
    assert "path" not in chosen.details
    assert chosen.details["penalty"] == fitted(inputs, inputs[:, :1])[1].details["penalty"]
