"""A requested risk: the cheapest place that reaches it, found on known laws, or the floor that it is below."""

import pytest

from models.decomposition.requested_risk import requested_risk
from models.decomposition.risk_draws import surface_of_cells
from models.experiments.decompose_error import DecomposeError
from models.hypothesis_spaces.random_features import RandomFeatures
from tests.support.synthetic_cells import cells_of_law

WIDTHS, SIZES, NOISE = (8, 16, 32, 64), (128, 256, 512, 1024, 2048), 0.01


def law(m, n):
    return NOISE + 1 / m + 0.5 * m / n


def asked(requested, scatter=0.0, widths=WIDTHS, sizes=SIZES, cost=lambda m, n: float(m * m * n)):
    cells = cells_of_law(widths, sizes, lambda m: 1 / m, lambda n, m: 0.5 * m / n, scatter=scatter, seed=1)
    space = RandomFeatures(kind="random_features", feature="tanh")
    return requested_risk(requested, surface_of_cells(cells, space), cost)


def test_a_place_of_the_grid_is_chosen_where_it_is_the_cheapest():
    # Rows alone are dear, so that the least n is best: 16 of the grid at most.
    found = asked(0.2, cost=lambda m, n: float(n))
    assert (found.width, found.sample_size, found.buys) == (8, 128, "nothing")
    assert law(8, 128) <= 0.2


@pytest.mark.parametrize("requested", [0.145, 0.075, 0.045, 0.03])
def test_the_cheapest_place_is_that_of_the_law(requested):
    found = asked(requested)
    assert law(found.width, found.sample_size) <= requested * 1.001

    def reachable():
        for m in range(8, 16 * 64):
            for n in SIZES:
                if (m in WIDTHS or n >= 1.5 * m) and law(m, n) <= requested:
                    yield m * m * n
        for m in WIDTHS:
            for n in range(max(128, int(1.5 * m)), 16 * 2048):
                if law(m, n) <= requested:
                    yield m * m * n

    assert found.operations == pytest.approx(min(reachable()), rel=0.02)


def test_the_interval_of_the_rows_that_are_needed_holds_those_of_the_law():
    found = asked(NOISE + 1 / 64 + 0.5 * 64 / 8000, scatter=0.05, widths=(64,))
    assert found.buys == "data"
    assert found.fewest <= 8000 <= (found.most or 16 * 2048)
    assert found.fewest < found.sample_size
    assert f"n = {found.fewest}" in found.because


def test_below_the_noise_nothing_reaches_it():
    found = asked(0.009)
    assert found.buys is None
    assert found.because == "Nothing reaches the risk 0.009: the noise alone is 0.01."


def test_below_the_approximation_of_one_width_the_floor_is_named():
    found = asked(NOISE + 0.05, scatter=0.01, widths=(8,))
    assert found.buys is None
    assert found.floor.lower <= NOISE + 1 / 8 <= found.floor.upper
    assert "noise and approximation are above it" in found.because


def test_without_a_curve_what_would_reach_it_is_unknown():
    found = asked(0.05, widths=(8,), sizes=(128,))
    assert found.floor is None
    assert "not known: fewer than three usable sample sizes" in found.because


def test_each_space_of_a_job_answers_the_request_and_nothing_is_said_without_one(context):
    record = {**DecomposeError.examples[0], "widths": [4, 8, 16], "sample_sizes": [64, 128, 256]}
    (quiet,) = DecomposeError.model_validate(record).run(context).summary["readings"]
    (reading,) = DecomposeError.model_validate(record | {"requested_risk": 0.3}).run(context).summary["readings"]
    assert set(quiet) == {"hypothesis_space", "reading", "theory"}
    assert reading["requested_risk"]["requested_risk"] == 0.3
    assert reading["requested_risk"]["because"]
