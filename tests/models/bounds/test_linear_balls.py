"""Complexities of linear balls against all sign vectors, and the bound by the l1 norm."""

import dataclasses
import math
from itertools import product

import pytest
import torch

from models.bounds import BOUNDS
from models.bounds.l1_ball import L1Ball
from models.complexities.linear_balls import l1_ball_complexity, l2_ball_complexity, massart
from models.complexities.rademacher_sums import rademacher_sums
from models.randomness import Randomness


@pytest.fixture
def rows():
    return torch.rand(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def exact(rows, order):
    """(1/n) E || sum_i xi_i x_i || over all 2^n sign vectors."""
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=len(rows))), dtype=torch.float64)
    return float(torch.linalg.vector_norm(signs @ rows, ord=order, dim=1).mean()) / len(rows)


def test_l1_complexity_agrees_with_all_sign_vectors(rows):
    complexity = l1_ball_complexity(rademacher_sums(rows, lambda x: x, 20_000, Randomness(0)), 0.01)
    assert complexity.estimate == pytest.approx(exact(rows, math.inf), abs=4 * complexity.standard_error)
    assert exact(rows, math.inf) <= complexity.upper <= complexity.closed_form
    largest = float((rows**2).sum(dim=0).max())
    assert complexity.closed_form == pytest.approx(math.sqrt(largest * 2 * math.log(8)) / 9)
    assert complexity.closed_form <= massart(float(rows.abs().max()), 4, 9)


def test_l2_limit_is_within_root_two(rows):
    assert exact(rows, 2) <= l2_ball_complexity(rows) <= math.sqrt(2) * exact(rows, 2)


def test_massart_by_hand():
    assert massart(2.0, 8, 50) == pytest.approx(2 * math.sqrt(2 * math.log(16) / 50))


def test_bound_uses_the_l1_norm_of_the_coefficients(linear_subject):
    subject = linear_subject()
    report = L1Ball(kind="l1_ball").evaluate(subject, 0.05)
    coefficients = subject.model.parameters["coefficients"]
    assert report.inputs["norm"] == pytest.approx(float(coefficients.abs().sum()))
    assert report.value > report.measured.value + 4 * report.measured.standard_error


def test_levels_found_in_the_sample_are_refused_by_name(linear_subject):
    """Features are drawn for as many inputs as there are levels, so that the class depends on the sample."""
    subject = dataclasses.replace(linear_subject(), levels_from_sample=True)
    for kind in ("l1_ball", "rkhs_ball", "pac_bayes", "pac_bayes_split_prior"):
        report = BOUNDS[kind](kind=kind).evaluate(subject, 0.05)
        assert [a.name for a in report.assumptions if a.standing == "failed"] == ["features_fixed_before_sample"]


def test_standardised_inputs_are_refused_by_name(linear_subject):
    report = L1Ball(kind="l1_ball").evaluate(linear_subject(scaled=True), 0.05)
    assert [a.name for a in report.assumptions if a.standing == "failed"] == ["features_fixed_before_sample"]
