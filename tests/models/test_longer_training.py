"""Twice the steps of gradient descent in a linear space: the advice gives what a run of twice the steps measures."""

import pytest

from models.experiments.decompose_error import DecomposeError

STEPS = 150


def cells_of(context, space, learner):
    spec = {
        "kind": "decompose_error",
        "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.3},
        "hypothesis_space": space,
        "learner": {"kind": "gradient_descent", "steps": STEPS} | learner,
        "widths": [4, 9, 36],
        "sample_sizes": [12, 40],
        "seeds": 3,
        "test_size": 300,
        "reference": {"effort": "quick"},
    }
    return DecomposeError.model_validate(spec).run(context).decompositions


@pytest.mark.parametrize("learner", [{}, {"weight_decay": 0.05}, {"step_size": 0.3}], ids=["plain", "decay", "step"])
@pytest.mark.parametrize("space", ["random_features", "piecewise_linear"])
def test_the_risk_after_twice_the_steps_is_that_of_a_run_of_twice_the_steps(context, space, learner):
    cells = cells_of(context, {"kind": space}, learner)
    longer = cells_of(context, {"kind": space}, learner | {"steps": 2 * STEPS})
    for cell, other in zip(cells, longer, strict=True):
        prospect = cell.advice.expected["training"]
        assert (prospect.method, prospect.change) == ("measured", f"twice the steps ({2 * STEPS})")
        assert prospect.risk.value == pytest.approx(other.risks["trained"].value, rel=1e-9)
        saved = cell.risks["trained"].value - other.risks["trained"].value
        assert prospect.saving.value == pytest.approx(saved, rel=1e-6, abs=1e-12)
        assert cell.twice_the_steps.risk.standard_error == pytest.approx(
            other.risks["trained"].standard_error, rel=1e-6
        )
        # The seeds and test points are the same ones: a difference is surer than the risks that it is taken of.
        assert cell.twice_the_steps.saving.standard_error < cell.risks["trained"].standard_error


def test_descent_without_a_closed_form_is_bounded_as_before(context):
    for cell in cells_of(context, {"kind": "random_features"}, {"schedule": "cosine"}):
        assert cell.twice_the_steps is None
        assert cell.advice.expected["training"].method != "measured"
