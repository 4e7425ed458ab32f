"""All widths at once against one width at a time; what belongs to the seeds and what does not."""

import math

import pytest
import torch
from parts_here import parts_here

import models.decomposition.groups as groups_of_widths
from models.decomposition.groups import decompose, groups
from models.decomposition.nested_group import NestedGroup
from models.decomposition.population_fits import population_fits
from models.decomposition.reference_training import ReferenceBudget
from models.decomposition.setting import DecompositionSetting, Polls
from models.decomposition.terms import cell_estimates
from models.decomposition.width_group import WidthGroup
from models.experiments.decompose_error import DecomposeError
from models.hypothesis_spaces.piecewise_linear import PiecewiseLinear
from models.hypothesis_spaces.polynomial import Polynomial
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.trigonometric import Trigonometric
from models.learners.gradient_descent import GradientDescent
from models.learners.least_squares import LeastSquares
from models.learners.ridge import Ridge
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.targets.cosine_ridge import CosineRidge

BUDGET = ReferenceBudget(
    restarts=1, steps=1, population_steps=1, batch=1, selection_size=1, projection_rows=100, projection_floor=3_000
)
WIDTHS = (4, 10, 35, 60)
SIZES = (200, 24)
SPACES = {
    "relu": RandomFeatures(kind="random_features"),
    "cosine": RandomFeatures(kind="random_features", feature="cosine"),
    "polynomial": Polynomial(kind="polynomial", width=1),
    "trigonometric": Trigonometric(kind="trigonometric", width=1),
}
LEARNERS = {
    "least_squares": LeastSquares(kind="least_squares"),
    "ridge": Ridge(kind="ridge", penalty=1e-3),
    "chosen_ridge": Ridge(kind="ridge"),
    "descent": GradientDescent(kind="gradient_descent", steps=300),
    "decayed_descent": GradientDescent(kind="gradient_descent", steps=300, step_size=0.05, weight_decay=0.01),
    "scheduled_descent": GradientDescent(kind="gradient_descent", steps=50, schedule="cosine"),
}


def _setting(seeds=(0, 1), dimension=3, test_size=400, noise=0.1):
    problem = SyntheticProblem(target=CosineRidge(kind="cosine_ridge"), dimension=dimension, noise=noise)
    return DecompositionSetting(
        population=problem,
        dimension=dimension,
        output_dimension=1,
        sample_sizes=SIZES,
        seeds=tuple(Randomness(seed) for seed in seeds),
        test_inputs=problem.inputs(test_size, Randomness(9), "test"),
        budget=BUDGET,
        shared=Randomness(9),
    )


def _nested(space, learner, setting, widths=WIDTHS):
    spaces = [space.with_width(width) for width in widths]
    (outcomes,) = decompose([[NestedGroup.of(spaces, learner, setting)]], setting, Polls(), parts_here).outcomes
    return outcomes


def _alone(space, learner, setting):
    ((outcome,),) = decompose([[WidthGroup(space, learner)]], setting, Polls(), parts_here).outcomes
    return outcome


@pytest.mark.parametrize("learner", LEARNERS.values(), ids=LEARNERS)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_all_widths_at_once_equal_one_at_a_time(space, learner):
    setting = _setting()
    together = _nested(space, learner, setting)
    for width, outcomes in zip(WIDTHS, together, strict=True):
        alone = _alone(space.with_width(width), learner, setting)
        for size in SIZES:
            one, other = outcomes[size], alone[size]
            # The Gram matrix of the errors, where minimum-norm fits of nearly singular features lose digits.
            scale = other.moments.seed_means.abs().amax(dim=1, keepdim=True) + 1.0
            assert float(((one.moments.seed_means - other.moments.seed_means).abs() / scale).max()) < 1e-5
            assert torch.allclose(one.trained_empirical, other.trained_empirical, rtol=1e-6, atol=1e-9)
            assert torch.allclose(one.best_on_sample_empirical, other.best_on_sample_empirical, rtol=1e-6, atol=1e-9)


def test_well_conditioned_features_agree_to_ten_digits():
    setting, space = _setting(dimension=20), SPACES["cosine"]
    for learner in (LEARNERS["ridge"], LEARNERS["descent"]):
        together = _nested(space, learner, setting)
        for width, outcomes in zip(WIDTHS, together, strict=True):
            alone = _alone(space.with_width(width), learner, setting)
            for size in SIZES:
                means = outcomes[size].moments.seed_means, alone[size].moments.seed_means
                assert torch.allclose(*means, rtol=1e-8, atol=1e-10)


def test_spaces_that_are_not_nested_are_done_width_by_width():
    space = PiecewiseLinear(kind="piecewise_linear", width=8)
    found = groups(space, LEARNERS["ridge"], (27, 8), _setting())
    assert [[space.width for space in group.spaces] for group in found] == [[8], [27]]
    (outcomes,) = decompose([found], _setting(), Polls(), parts_here).outcomes
    assert len(outcomes) == 2
    assert set(outcomes[0]) == set(SIZES)


def test_hats_have_the_bias_that_their_mass_matrix_tells(context):
    cells, penalty = 4, 1e-3
    spec = DecomposeError.model_validate(
        {
            "kind": "decompose_error",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 1, "noise": 0.1},
            "hypothesis_space": {"kind": "piecewise_linear"},
            "learner": {"kind": "ridge", "penalty": penalty},
            "widths": [5, 9],
            "sample_sizes": [50],
            "seeds": 4,
        }
    )
    mass = (4 * torch.eye(5) + torch.ones(4).diag(1) + torch.ones(4).diag(-1)).double() / (6 * cells)
    mass[0, 0] = mass[-1, -1] = 1 / (3 * cells)
    # int cos(2 pi t) hat(t) by parts; the hats at the ends are half hats.
    loads = 2 * cells / (2 * math.pi) ** 2 * torch.cos(2 * math.pi * torch.arange(5.0).double() / cells)
    loads[[0, -1]] /= 2
    best, shrunk = (torch.linalg.solve(mass + p * torch.eye(5).double(), loads) for p in (0.0, penalty))
    bias = spec.run(context).decompositions[0].regularization_bias
    assert abs(bias.value - float((best - shrunk) @ mass @ (best - shrunk))) < 4 * bias.standard_error
    assert bias.standard_error < 0.05 * bias.value


def test_splitting_the_widths_into_groups_changes_rounding_only(monkeypatch):
    space, learner, setting = SPACES["cosine"], LEARNERS["ridge"], _setting()
    (whole,) = decompose([groups(space, learner, WIDTHS, setting)], setting, Polls(), parts_here).outcomes
    monkeypatch.setattr(groups_of_widths, "NUMBERS_AT_ONCE", 1)
    split = groups(space, learner, WIDTHS, setting)
    assert len(split) == len(WIDTHS)
    (parts,) = decompose([split], setting, Polls(), parts_here).outcomes
    for one, other in zip(whole, parts, strict=True):
        for size in SIZES:
            assert torch.allclose(one[size].moments.seed_means, other[size].moments.seed_means, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("space", ["cosine", "polynomial"])
@pytest.mark.parametrize("learner", ["ridge", "chosen_ridge"])
def test_order_of_seeds_changes_rounding_only(space, learner):
    estimates = []
    for seeds in ((0, 1, 2), (2, 0, 1)):
        outcome = _nested(SPACES[space], LEARNERS[learner], _setting(seeds))[2][200]
        fields = cell_estimates(outcome.moments, outcome.trained_empirical, 0.01, 1.0, True)
        estimates.append([*fields["risk_terms"].values(), outcome.regularization_bias])
    for one, other in zip(*estimates, strict=True):
        assert math.isclose(one.value, other.value, rel_tol=1e-10, abs_tol=1e-14)
        assert math.isclose(one.standard_error, other.standard_error, rel_tol=1e-10, abs_tol=1e-14)


def test_projection_of_a_space_without_randomness_is_found_once(monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return population_fits(*arguments)

    monkeypatch.setattr("models.decomposition.nested_group.population_fits", counted)
    together = _nested(SPACES["polynomial"], LEARNERS["ridge"], _setting((0, 1, 2)))
    assert len(calls) == 1
    # f* - f_m is the same function for every seed; its mean square is a sum in whatever order the threads take.
    for by_size in together:
        for outcome in by_size.values():
            means = outcome.moments.seed_means[:, 0]
            torch.testing.assert_close(means, means[:1].expand_as(means), rtol=1e-12, atol=0)
    _nested(SPACES["cosine"], LEARNERS["ridge"], _setting((0, 1, 2)))
    assert len(calls) == 4


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_seed_alone_has_the_bits_that_it_has_among_others(space):
    for learner in (LEARNERS["ridge"], LEARNERS["least_squares"]):
        alone, among = (_nested(space, learner, _setting(seeds))[2][200].moments.seed_means for seeds in ((1,), (0, 1)))
        assert torch.equal(alone[0], among[1])


def test_regularization_bias_grows_with_the_penalty_and_is_what_the_optimization_term_tends_to():
    biases = []
    for penalty in (1e-4, 1e-2, 1.0):
        learner = Ridge(kind="ridge", penalty=penalty)
        outcome = _nested(SPACES["cosine"], learner, _setting((0, 1), noise=0.0, test_size=3_000))[3][200]
        biases.append(outcome.regularization_bias.value)
    assert biases == sorted(biases)
    assert biases[0] > 0
    # Under a heavy penalty the sample's fluctuation is small beside the bias.
    fields = cell_estimates(outcome.moments, outcome.trained_empirical, 0.0, 1.0, True)
    beyond = fields["risk_terms"]["optimization"].value + fields["risk_terms"]["estimation"].value
    assert beyond == pytest.approx(biases[-1], rel=0.1)
    assert _nested(SPACES["cosine"], LEARNERS["least_squares"], _setting())[0][200].regularization_bias is None
