"""What the fresh points of a projection leave uncertain is in the error bars, and what they inflate is taken back."""

from dataclasses import replace

import pytest
import torch
from coordinate_space import FirstCoordinates
from legendre_series import LegendreSeries
from linear_gaussian import BUDGET, LinearGaussian
from parts_here import parts_here

from models.decomposition.groups import decompose
from models.decomposition.nested_group import NestedGroup
from models.decomposition.setting import DecompositionSetting, Polls
from models.decomposition.terms import cell_estimates
from models.decomposition.width_group import WidthGroup
from models.hypothesis_spaces.polynomial import Polynomial
from models.learners.least_squares import LeastSquares
from models.learners.ridge import Ridge
from models.randomness import Randomness

COEFFICIENTS = 1 / (1 + torch.arange(13, dtype=torch.float64)) ** 1.5
PENALTY, WIDTH, ROWS, SIZE = 0.1, 8, 800, 40


def _fields(problem, space, learner, shared, rows=ROWS, test_size=3_000, test_seed=0, size=SIZE, group=None, seeds=2):
    """The estimated fields of the one cell; `shared`: the seed of what belongs to no seed."""
    setting = DecompositionSetting(
        population=problem,
        dimension=len(problem.beta) if isinstance(problem, LinearGaussian) else 1,
        output_dimension=1,
        sample_sizes=(size,),
        seeds=tuple(Randomness(seed) for seed in range(seeds)),
        test_inputs=problem.inputs(test_size, Randomness(10**6 + test_seed), "test"),
        budget=replace(BUDGET, projection_floor=rows, projection_rows=1),
        shared=Randomness(2 * 10**6 + shared),
    )
    found = group or NestedGroup.of([space], learner, setting)
    ((by_size,),) = decompose([[found]], setting, Polls(), parts_here).outcomes
    outcome = by_size[size]
    fields = cell_estimates(outcome.moments, outcome.trained_empirical, 0.0, 1.0, True, outcome.shared_rows)
    unshared = cell_estimates(outcome.moments, outcome.trained_empirical, 0.0, 1.0, True)["squared_norms"]
    return fields | {"regularization_bias": outcome.regularization_bias, "unshared": unshared}


def _legendre(shared, test_seed=0, **options):
    space, learner = Polynomial(kind="polynomial", width=1).with_width(WIDTH), Ridge(kind="ridge", penalty=PENALTY)
    return _fields(LegendreSeries(COEFFICIENTS, 0.2), space, learner, shared, test_seed=test_seed, **options)


def test_bars_of_the_regularization_bias_cover_the_closed_form():
    # In orthonormal features the penalised minimiser is c/(1 + penalty).
    exact = float((COEFFICIENTS[:WIDTH] ** 2).sum()) * (PENALTY / (1 + PENALTY)) ** 2
    found = [_legendre(repeat, repeat)["regularization_bias"] for repeat in range(60)]
    held = [abs(one.value - exact) < 2 * one.standard_error for one in found]
    # Of 60 at 95 % fewer than 52 are a chance of 1 in 200; without the shared points it is 33.
    assert sum(held) >= 52
    assert all(one.value >= 0 and one.standard_error < 0.15 * exact for one in found)


def test_spread_over_shared_points_is_what_the_bars_say():
    # Seeds and test points are the same in all: only the fresh points of the projection differ.
    repeats = [_legendre(repeat, size=5) for repeat in range(40)]
    biases = [one["regularization_bias"] for one in repeats]
    # With very many of them the bar is that of seeds and test points alone.
    rest = _legendre(0, size=5, rows=100 * ROWS)["regularization_bias"]
    assert _spread(biases) == pytest.approx(_root([_share(one, rest) for one in biases]), rel=0.3)
    norms = [(one["squared_norms"]["estimation"], one["unshared"]["estimation"]) for one in repeats]
    assert _spread([norm for norm, _ in norms]) == pytest.approx(_root([_share(*pair) for pair in norms]), rel=0.3)


def _spread(estimates):
    return float(torch.tensor([one.value for one in estimates], dtype=torch.float64).std())


def _share(whole, part):
    return max(whole.standard_error**2 - part.standard_error**2, 0.0)


def _root(variances):
    return (sum(variances) / len(variances)) ** 0.5


@pytest.mark.parametrize("nested", [True, False])
def test_what_few_fresh_points_inflate_is_taken_back(nested):
    # x ~ N(0, I): a projection found on N points errs by 1 + p/(N - p - 1) times the best risk (Belkin, Hsu and Xu).
    problem, p, rows = LinearGaussian(torch.full((30,), 30**-0.5, dtype=torch.float64), 0.0), 20, 100
    space, learner = FirstCoordinates(width=p), LeastSquares(kind="least_squares")
    group = None if nested else WidthGroup(space, learner)
    found = []
    for repeat in range(60):
        fields = _fields(problem, space, learner, repeat, rows, 1_000, repeat, 60, group, seeds=1)
        terms, gram = fields["risk_terms"], fields["gram"]
        assert sum(term.value for term in terms.values()) == pytest.approx(fields["squared_norms"]["total"].value)
        assert gram[0][0] == pytest.approx(terms["approximation"].value)
        total = sum(map(sum, gram))
        assert total == pytest.approx(fields["squared_norms"]["total"].value)
        found.append((gram[0][0], gram[0][1]))
    means, errors = torch.tensor(found).mean(dim=0), torch.tensor(found).std(dim=0) / 60**0.5
    # Not taken back, it is 0.25 of 1/3 and 13 of these errors.
    assert abs(float(means[0]) - 1 / 3) < 3 * float(errors[0])
    # <f* - f_m, g> = 0 for every g in the space.
    assert abs(float(means[1])) < 3 * float(errors[1])
