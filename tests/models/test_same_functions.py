"""Widths that leave a space the same functions: nothing is bought by them, and nothing is continued through them."""

import pytest

from models.experiments.decompose_error import DecomposeError

WAVES = [
    {"frequencies": [1, 1]},
    {"frequencies": [2, -1], "coefficient": 0.5},
    {"frequencies": [0, 3], "coefficient": 2},
]


@pytest.fixture
def forecasts(context):
    """By width: of total frequencies up to 0, 1, 2, 3, whose errors are 2.625, 2.625, 2.125 and 0."""
    spec = DecomposeError.model_validate(
        {
            "kind": "decompose_error",
            "data": {"kind": "target", "target": {"kind": "sum_of_cosines", "waves": WAVES}, "dimension": 2},
            "hypothesis_space": {"kind": "trigonometric", "frequencies": "total"},
            "learner": {"kind": "ridge", "penalty": 1e-3},
            "widths": [1, 5, 13, 25],
            "sample_sizes": [500],
            "seeds": 4,
            "test_size": 4000,
            "reference": {"effort": "quick"},
        }
    )
    cells = spec.run(context).decompositions
    return {cell.width: (cell.risks["trained"].value, cell.advice.expected["width"]) for cell in cells}


def test_next_width_of_more_functions_stands_for_twice_a_width_that_has_none(forecasts):
    # Ten functions are five.
    risk, found = forecasts[13][0], forecasts[5][1]
    assert (found.method, found.width) == ("measured", 13)
    assert found.risk.value == pytest.approx(risk)


def test_width_that_has_the_functions_of_a_place_is_measured_there(forecasts):
    # Twenty-six functions are twenty-five.
    risk, found = forecasts[25][0], forecasts[13][1]
    assert (found.method, found.width) == ("measured", 25)
    assert found.risk.value == pytest.approx(risk)
