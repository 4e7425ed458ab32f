"""Decompositions that can be written down: nothing to learn, one row, a feature that is silent."""

import pytest
import torch
from pydantic import ValidationError

from models.decomposition.nested_features import nested_features
from models.experiments.decompose_error import DecomposeError
from models.hypothesis_spaces.random_features import RandomFeatures
from models.targets.sum_of_cosines import SumOfCosines


def _specification(**changes):
    return {
        "kind": "decompose_error",
        "data": {
            "kind": "target",
            "target": {"kind": "linear", "weights": [0.0]},
            "dimension": 1,
            "noise": 1.0,
        },
        "hypothesis_space": {"kind": "polynomial"},
        "learner": {"kind": "least_squares"},
        "widths": [1, 3, 5],
        "sample_sizes": [32, 64, 128],
        "seeds": 32,
        "test_size": 1000,
        "reference": {"effort": "quick"},
        **changes,
    }


def test_of_noise_alone_the_estimation_error_of_a_constant_is_the_variance_of_the_mean(context):
    cells = DecomposeError.model_validate(_specification()).run(context).decompositions
    for cell in cells:
        assert cell.risk_terms["approximation"].value == 0.0
        if cell.width == 1:
            estimation = cell.risk_terms["estimation"]
            assert abs(estimation.value - 1 / cell.sample_size) < 4 * estimation.standard_error


def test_features_that_are_silent_on_the_domain_keep_the_factor_of_their_width():
    narrow, wide = (RandomFeatures(kind="random_features", width=width) for width in (1, 4))
    # relu(x - 2) is 0 on [-1, 1]; the features carry m^(-1/2), so that the factor is 2.
    drawn = [
        {"weights": torch.ones(m, 1), "biases": torch.full((m,), -2.0), "coefficients": torch.zeros(m, 1)}
        for m in (1, 4)
    ]
    drawn = [{name: value.double() for name, value in one.items()} for one in drawn]
    found = nested_features([narrow, wide], drawn, torch.rand(64, 1, dtype=torch.float64))
    assert found is not None
    assert found.factors == pytest.approx((2.0, 1.0))


@pytest.mark.parametrize(
    ("field", "values"), [("widths", ["4"]), ("widths", [True]), ("sample_sizes", [16, "32"]), ("widths", [4, False])]
)
def test_numbers_in_a_list_are_numbers(field, values):
    with pytest.raises(ValidationError, match=r"Input should be a number"):
        DecomposeError.model_validate(_specification(**{field: values}))


def test_most_seeds_below_the_first_seeds_is_refused():
    with pytest.raises(ValidationError, match=r"below the 32 seeds"):
        DecomposeError.model_validate(_specification(precision=0.1, most_seeds=16))


@pytest.mark.parametrize("changes", [{"coefficient": "1"}, {"phase": True}, {"frequencies": ["1"]}])
def test_numbers_of_waves_are_numbers(changes):
    wave = {"frequencies": [1.0]} | changes
    with pytest.raises(ValidationError, match=r"Input should be a number"):
        SumOfCosines.model_validate({"kind": "sum_of_cosines", "waves": [wave]})
