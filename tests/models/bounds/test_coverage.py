"""Coverage by simulation: every data-dependent bound of the gap, and the uniform bounds over a class that is summed."""

from itertools import product

import pytest
import torch
from miss_rates import MissRate

from models.bound_calculator import BoundInputs, evaluate_formulas
from models.bounds import BOUNDS
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.residual import Residual

REPEATS = 1000
MOST = 5000
FEW_DRAWS = {"path_norm_ball", "rkhs_ball", "l1_ball", "group_norm_ball", "weighted_path_norm_ball"}


def missed(report):
    """Whether the measured quantity is above the bound by more than its own error can explain."""
    return report.value < report.measured.value - 4 * report.measured.standard_error


def gap_bounds(subject):
    """The kinds that bound the gap of this model, at their cheapest."""
    fields = {kind: {"sign_draws": 100} if kind in FEW_DRAWS else {} for kind in BOUNDS}
    bounds = [leaf(kind=kind, **fields[kind]) for kind, leaf in BOUNDS.items()]
    reports = [(bound, bound.evaluate(subject, 0.05)) for bound in bounds]
    return [bound for bound, report in reports if report.quantity == "generalization_gap" and report.value is not None]


def coverage(build):
    undecided = {bound.kind: (bound, MissRate(0.05)) for bound in gap_bounds(build(0))}
    assert undecided
    for seed in range(MOST):
        subject = build(seed)
        for bound, rate in list(undecided.values()):
            rate.count(missed(bound.evaluate(subject, 0.05)))
            if rate.kept:
                del undecided[bound.kind]
        if not undecided:
            return
    raise AssertionError({kind: rate.misses for kind, (_, rate) in undecided.items()})


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_bounds_of_fitted_linear_models_hold(linear_subject):
    """Fresh sample and fit for every repeat; nearly interpolating, so that the gap is large."""
    coverage(lambda seed: linear_subject(30, held_out=400, width=20, penalty=1e-6, seed=seed, feature_seed=0))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("space", [Deep(kind="deep", width=4, depth=2), Residual(kind="residual", width=4, depth=2)])
def test_bounds_of_networks_hold(drawn_subject, space):
    coverage(lambda seed: drawn_subject(space, size=30, seed=seed))


def indicator_class():
    """Every subset of three cells of [0,1]: eight functions with values 0 and 1."""
    return torch.tensor(list(product((0.0, 1.0), repeat=3)), dtype=torch.float64)


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 100])
def test_uniform_bounds_hold_over_a_class_whose_supremum_is_known(size, miss_allowance):
    """Cells of probability .2, .3, .5. sup P h - P_n h and the complexity are sums over the cells."""
    law, classes = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64), indicator_class()
    draw = torch.Generator().manual_seed(0)
    upper = ("uniform_sharp", "uniform_textbook", "uniform_expected")
    names = [*upper, *(f"{name}_two_sided" for name in upper), "uniform_lower_expected", "uniform_lower_empirical"]
    signs = torch.randint(0, 2, (2000, size), generator=draw).double() * 2 - 1
    misses = dict.fromkeys(names, 0)
    cells = torch.multinomial(law, REPEATS * size, replacement=True, generator=draw).reshape(REPEATS, size)
    one_hot = torch.nn.functional.one_hot(cells, 3).double()
    complexity = torch.stack([(signs @ rows @ classes.T).amax(dim=1).mean() / size for rows in one_hot])
    expected = float(complexity.mean())
    gaps = (law - one_hot.mean(dim=1)) @ classes.T
    for index in range(REPEATS):
        one, two = float(gaps[index].amax()), float(gaps[index].abs().amax())
        for name in names:
            value = expected if "expected" in name else float(complexity[index])
            given = BoundInputs(sample_size=size, complexity=value, delta=0.05, formulas=(name,))
            (bound,) = evaluate_formulas(given)
            if bound.side == "lower":
                misses[name] += two < bound.value
            else:
                misses[name] += bound.value < (two if "two_sided" in name else one)
    assert all(count / REPEATS <= miss_allowance(0.05, REPEATS) for count in misses.values()), misses
