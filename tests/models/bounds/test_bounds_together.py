"""All bounds at once: fast, no n x n matrix, each refuses by name or has a value with terms and a source."""

import time

import pytest
import torch
from torch.overrides import TorchFunctionMode

from models.bound_evaluation import chosen_bounds, evaluate_all, joint_confidence
from models.bounds import BOUNDS
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.residual import Residual
from models.hypothesis_spaces.two_layer import TwoLayer


def test_two_layer_model_of_twenty_thousand_rows_takes_seconds(drawn_subject):
    """n = 20,000, d = 100, m = 1,024: under 5 s on two free cores; shape checks and a shared machine take more."""
    subject = drawn_subject(TwoLayer(kind="two_layer", width=1024), size=20_000, dimension=100)
    start = time.process_time()
    reports = [bound.evaluate(subject, 0.05) for bound in chosen_bounds("all")]
    assert time.process_time() - start < 30
    assert sum(report.value is not None for report in reports) >= 12


@pytest.mark.parametrize("space", [None, Deep(kind="deep", width=8, depth=3), Residual(kind="residual", width=4)])
def test_every_bound_has_a_value_with_terms_or_names_the_assumption_that_fails(drawn_subject, context, space):
    subject = drawn_subject(space, size=1000)
    start = time.process_time()
    reports = evaluate_all(chosen_bounds("all"), subject, 0.05, context)
    assert time.process_time() - start < 10
    assert [report.kind for report in reports] == list(BOUNDS)
    for report in reports:
        names = {assumption.name for assumption in BOUNDS[report.kind].assumptions}
        assert {assumption.name for assumption in report.assumptions} <= names, report.kind
        failed = [a.name for a in report.assumptions if a.standing == "failed"]
        if report.value is None:
            assert failed, report.kind
            continue
        assert report.value == pytest.approx(sum(term.value for term in report.terms)), report.kind
        assert set(failed) <= {"labels_within_range"}, report.kind
        worse = report.value >= report.trivial_value if report.side == "upper" else report.value <= 0
        assert report.vacuous == worse, report.kind
    best = joint_confidence(reports, 0.05)["best"]
    assert best["kind"].startswith("held_out_")
    assert best["risk_upper_bound"] < subject.loss_cap


def test_memory_is_bounded_by_features_and_never_by_pairs_of_rows(linear_subject):
    """With 20,000 rows a matrix of pairs would have 4e8 numbers."""
    subject, sizes = linear_subject(20_000, held_out=100, width=64), []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                sizes.append(result.numel())
            return result

    with Watch():
        for name in ("rkhs_ball", "l1_ball", "path_norm_ball", "pac_bayes", "lipschitz_ball"):
            BOUNDS[name](kind=name).evaluate(subject, 0.05)
    assert 20_000 < max(sizes) < 20_000 * 200
