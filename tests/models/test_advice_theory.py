"""The advice beside exact theory: what twice the width gives, and where no expected risk exists."""

import pytest
import torch
from coordinate_space import FirstCoordinates
from linear_gaussian import LinearGaussian, fields_of

from models.decomposition.intervals import interval_of
from models.decomposition.purchases import grid_advice
from models.decomposition.risk_curves import fit_curve, late_decays
from models.decomposition.risk_draws import normal_draws, surface_of_cells
from models.decomposition.risk_surfaces import NO_MEAN, THRESHOLD
from models.decomposition.terms import DecompositionCell
from models.hypothesis_spaces import LinearSpace
from models.hypothesis_spaces.piecewise_linear import PiecewiseLinear
from models.hypothesis_spaces.polynomial import Polynomial
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.trigonometric import Trigonometric
from models.learners.least_squares import LeastSquares
from models.randomness import Randomness, uniform_rows
from tests.support.synthetic_cells import cells_of_law

DIMENSION, NOISE_VARIANCE = 100, 0.25
BETA = torch.arange(1.0, DIMENSION + 1, dtype=torch.float64) ** -1.0
PROBLEM = LinearGaussian(BETA / BETA.norm(), NOISE_VARIANCE**0.5)


def belkin_hsu_xu(p: int, n: int) -> float:
    """E R(f~) with p of D Gaussian coordinates and n >= p + 2 rows; infinite from p = n - 1 to n + 1."""
    outside = float((PROBLEM.beta[p:] ** 2).sum())
    return (outside + NOISE_VARIANCE) * (1 + p / (n - p - 1)) if p <= n - 2 else float("inf")


def cells_of(widths, sizes, seeds, seed) -> list[DecompositionCell]:
    learner, space = LeastSquares(kind="least_squares"), FirstCoordinates(width=1)
    found = fields_of(PROBLEM, space, widths, sizes, seeds, learner, DIMENSION, 2_000, seed)
    named = {"hypothesis_space": {}, "learner": {"kind": "least_squares"}, "data": {}, "dimension": DIMENSION}
    return [DecompositionCell(**named, width=m, sample_size=n, **fields) for (m, n), fields in found.items()]


@pytest.mark.timeout(600)
def test_twice_the_width_and_the_rows_follow_belkin_hsu_xu_and_stop_before_their_threshold():
    widths, sizes, held = (4, 8, 16, 32), (44, 64, 100, 200), {"width": [], "data": []}
    for seed in range(0, 1000, 100):
        cells = cells_of(widths, sizes, seeds=8, seed=seed)
        surface = surface_of_cells(cells, FirstCoordinates(width=1))
        for cell in cells:
            expected = grid_advice(cell, surface).expected
            for remedy, hits in held.items():
                prospect = expected[remedy]
                exact = belkin_hsu_xu(prospect.width, prospect.sample_size)
                if prospect.sample_size < {"width": 3, "data": 1.5}[remedy] * prospect.width:
                    assert prospect.method != "extrapolated"
                elif prospect.method == "extrapolated":
                    hits.append(prospect.risk.lower <= exact <= prospect.risk.upper)
    assert {remedy: len(hits) for remedy, hits in held.items()} == {"width": 10, "data": 120}
    assert all(sum(hits) >= 0.85 * len(hits) for hits in held.values()), held
    near = next(cell for cell in cells if (cell.width, cell.sample_size) == (32, 100))
    assert grid_advice(near, surface).expected["width"].unknown == THRESHOLD


def test_one_relu_feature_has_no_expected_risk_and_one_tanh_feature_has():
    """Noise alone, one feature: R(f~) - R(f_m) = (phi . e)^2 / |phi|^4 E phi^2."""
    # Where a single row sees relu, that is e^2 / v^2 E phi^2.
    generator = torch.Generator().manual_seed(0)
    inputs, noise = (draw(2_000_000, 8, generator=generator, dtype=torch.float64) for draw in (torch.rand, torch.randn))
    slopes = {}
    for name, values in {"relu": torch.relu(inputs - 0.8), "tanh": torch.tanh(inputs - 0.8)}.items():
        squares = (values**2).sum(dim=1)
        excess = torch.where(squares > 0, (values * noise).sum(dim=1) ** 2 / squares**2, 0.0) * (values**2).mean()
        tails = [float((excess > level * excess.median()).double().mean()) for level in (1e3, 1e5)]
        slopes[name] = (torch.tensor(tails).log() - 0).diff() / torch.tensor(1e2).log()
    # P(R > t) ~ t^(-1/2) has no mean.
    assert float(slopes["relu"]) == pytest.approx(-0.5, abs=0.05)
    assert not float(slopes["tanh"]) > -1.5


SPACES = (
    RandomFeatures(kind="random_features"),
    RandomFeatures(kind="random_features", feature="tanh"),
    RandomFeatures(kind="random_features", feature="cosine"),
    RandomFeatures(kind="random_features", feature="fourier"),
    PiecewiseLinear(kind="piecewise_linear"),
    Polynomial(kind="polynomial"),
    Trigonometric(kind="trigonometric"),
)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: getattr(space, "feature", space.kind))
def test_spaces_say_whether_a_feature_is_zero_on_a_part_of_the_domain(space: LinearSpace):
    drawn = space.with_width(64).draw(2, 1, Randomness(0), torch.float64)
    zeros = (space.with_width(64).features(drawn, uniform_rows(Randomness(1), "points", 2_000, 2)) == 0).sum(dim=0)
    assert space.features_vanish == bool(((zeros > 10) & (zeros < 2_000)).any())


def test_without_a_penalty_vanishing_features_are_not_continued_and_the_advice_says_why():
    grid = (8, 16, 32, 64), (256, 512, 1024)

    def expected(feature, optimization=0.0):
        cells = cells_of_law(*grid, lambda m: 1 / m, lambda n, m: 0.1 * m / n, lambda n, m: optimization)
        surface = surface_of_cells(cells, RandomFeatures(kind="random_features", feature=feature))
        return grid_advice(cells[-1], surface), grid_advice(cells[0], surface)

    last, first = expected("relu")
    assert last.expected["width"].unknown == last.expected["data"].unknown == NO_MEAN
    assert first.expected["width"].method == first.expected["data"].method == "measured"
    assert first.because.endswith(f"What is measured holds for these seeds: {NO_MEAN}.")
    for last, first in (expected("tanh"), expected("relu", optimization=-0.001)):
        assert last.expected["width"].method == last.expected["data"].method == "extrapolated"
        assert NO_MEAN not in last.because + first.because


@pytest.mark.parametrize(("risks", "reaches"), [((0.41, 0.15, 0.03), True), ((0.4, 0.2, 0.1), False)])
def test_a_risk_that_falls_ever_more_steeply_may_stall_and_a_power_law_may_not(risks, reaches):
    draws = torch.tensor(risks, dtype=torch.float64) * (1 + 0.02 * normal_draws(200, "seeds", 3))
    curve = fit_curve((8, 16, 32), draws, late_decays(8), Randomness(0), may_stall=True)
    after = interval_of(curve.at(64), freedom=7.0, floor=0.0)
    assert after.value < risks[-1]
    assert (after.upper >= risks[-1]) == reaches
    torch.testing.assert_close(curve.at(16)[0], draws[0, 1], rtol=0.1, atol=0.0)
