"""The decomposition on problems whose terms are known exactly, all widths solved as one grid."""

import math

import pytest
import torch
from coordinate_space import FirstCoordinates
from legendre_series import LegendreSeries
from linear_gaussian import BUDGET, LinearGaussian, fields_of

from models.hypothesis_spaces.polynomial import Polynomial
from models.learners.gradient_descent import GradientDescent
from models.learners.least_squares import LeastSquares
from models.learners.ridge import Ridge


def _linear(dimension, sigma=0.5):
    beta = torch.linspace(1.0, 0.2, dimension, dtype=torch.float64)
    return LinearGaussian(beta / beta.norm(), sigma)


def _close(estimate, exact, slack=0.0):
    return abs(estimate.value - exact) < 4 * estimate.standard_error + slack


@pytest.mark.slow
def test_belkin_hsu_xu_terms_at_six_widths_over_two_thousand_samples():
    problem, n, widths = _linear(100), 40, (5, 20, 30, 50, 60, 90)
    fields = fields_of(
        problem, FirstCoordinates(width=1), widths, (n,), 2_000, LeastSquares(kind="least_squares"), 100, 4_000
    )
    for p in widths:
        inside, outside = float((problem.beta[:p] ** 2).sum()), float((problem.beta[p:] ** 2).sum())
        if p < n:
            risk = (outside + 0.25) * (1 + p / (n - p - 1))
        else:
            risk = inside * (1 - n / p) + (outside + 0.25) * (1 + n / (p - n - 1))
        terms = fields[p, n]["risk_terms"]
        # f_m is known up to p/N of the approximation error, N points of the projection.
        slack = 3 * outside * p / BUDGET.projection_floor
        assert _close(terms["approximation"], outside, slack), (p, terms, outside)
        assert _close(terms["estimation"], risk - 0.25 - outside, slack), (p, terms, risk)
        assert terms["optimization"].value == 0.0
        assert _close(fields[p, n]["risks"]["trained"], risk), (p, fields[p, n]["risks"], risk)


def _stieltjes(gamma, z):
    return (1 - gamma - z - math.sqrt((1 - gamma - z) ** 2 - 4 * gamma * z)) / (2 * gamma * z)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_ridge_and_ridgeless_risks_follow_hastie_and_others(gamma, penalty):
    n, r_squared, sigma = 200, 1.0, 0.7
    p = round(gamma * n)
    problem = LinearGaussian(torch.full((p,), math.sqrt(r_squared / p), dtype=torch.float64), sigma)
    learner = Ridge(kind="ridge", penalty=penalty, path=False)
    fields = fields_of(problem, FirstCoordinates(width=1), (p,), (n,), 30, learner, p, 1_500)[p, n]
    if penalty:
        m = _stieltjes(gamma, -penalty)
        step = 1e-5
        slope = (_stieltjes(gamma, -penalty + step) - _stieltjes(gamma, -penalty - step)) / (2 * step)
        excess = r_squared * penalty**2 * slope + sigma**2 * gamma * (m - penalty * slope)
    elif gamma < 1:
        excess = sigma**2 * gamma / (1 - gamma)
    else:
        excess = r_squared * (1 - 1 / gamma) + sigma**2 / (gamma - 1)
    # The formula is the limit n -> infinity; at n = 200 it is off by a relative 1/n or so.
    assert _close(fields["squared_norms"]["total"], excess, 0.02 * excess)
    if penalty:
        # E(x.b - x.a)^2 + penalty |a|^2 is least at a = b / (1 + penalty): the bias is known exactly.
        bias = r_squared * (penalty / (1 + penalty)) ** 2
        assert _close(fields["regularization_bias"], bias, 0.02 * bias)


def test_approximation_error_of_orthonormal_polynomials_is_the_tail_of_the_coefficients():
    coefficients = 1 / (1 + torch.arange(13, dtype=torch.float64)) ** 2
    problem, widths = LegendreSeries(coefficients), tuple(range(1, 14))
    learner = LeastSquares(kind="least_squares")
    fields = fields_of(problem, Polynomial(kind="polynomial", width=1), widths, (60,), 1, learner, 1, 40_000)
    for width in widths:
        term = fields[width, 60]["risk_terms"]["approximation"]
        tail = float((coefficients[width:] ** 2).sum())
        assert _close(term, tail, 5 * width / BUDGET.projection_floor * tail + 1e-20), (width, term, tail)


def test_pythagoras_holds_for_every_width_of_a_grid():
    problem = _linear(30)
    learner = GradientDescent(kind="gradient_descent", steps=5)
    for fields in fields_of(problem, FirstCoordinates(width=1), (5, 10, 20), (60,), 30, learner, 30, 4_000).values():
        norms, gram = fields["squared_norms"], fields["gram"]
        # <f* - f_m, g> = 0 for g in the space: the projection's points and the test points leave a few per cent.
        cross = gram[0][1] + gram[0][2]
        assert abs(cross) < 0.05 * math.sqrt(norms["approximation"].value * (gram[1][1] + 2 * gram[1][2] + gram[2][2]))


def test_noise_floor_shows_in_the_empirical_risk_of_a_space_that_holds_the_target():
    problem = LegendreSeries(torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64), sigma=0.3)
    fields = fields_of(
        problem,
        Polynomial(kind="polynomial", width=1),
        (3, 6),
        (50, 800),
        60,
        LeastSquares(kind="least_squares"),
        1,
        4_000,
    )
    for (width, size), cell in fields.items():
        # E R_n(f~) = sigma^2 (1 - m/n), and the population risk falls to sigma^2.
        assert _close(cell["risks"]["trained_empirical"], 0.09 * (1 - width / size))
        assert cell["risks"]["trained"].value > 0.09
        assert cell["risk_terms"]["approximation"].value < 1e-20
    assert fields[3, 800]["risks"]["trained"].value == pytest.approx(0.09, rel=0.02)
