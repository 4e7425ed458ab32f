"""The input measures, and the experiments that run under them."""

import pytest
import torch
from pydantic import ValidationError

from models.catalogue import parse_experiment
from models.data import TargetData
from models.measures import draw_inputs, sup_bound
from models.problems import SyntheticProblem
from models.randomness import Randomness, uniform_rows
from models.targets import TARGETS

MEASURES = ("uniform", "gaussian", "sphere")


@pytest.mark.parametrize("measure", MEASURES)
def test_fewer_rows_are_the_first_rows_and_obey_the_sup_bound(measure):
    few, many = (draw_inputs(measure, Randomness(1), "x", rows, 3) for rows in (5, 1000))
    assert torch.equal(few, many[:5])
    bound = sup_bound(measure)
    assert (bound is None) == (float(many.abs().max()) > 1)


def test_moments_are_those_of_the_law():
    cube, normal, sphere = (draw_inputs(measure, Randomness(2), "x", 100_000, 4) for measure in MEASURES)
    identity = torch.eye(4, dtype=torch.float64)
    for rows, mean, covariance in ((cube, 0.5, identity / 12), (normal, 0.0, identity), (sphere, 0.0, identity / 4)):
        assert float((rows.mean(dim=0) - mean).abs().max()) < 0.02
        assert float((rows.T.cov() - covariance).abs().max()) < 0.03
    torch.testing.assert_close(sphere.norm(dim=1), torch.ones(100_000, dtype=torch.float64))
    assert set(draw_inputs("sphere", Randomness(0), "x", 50, 1)[:, 0].tolist()) == {-1.0, 1.0}


def test_specification_without_a_measure_draws_the_cube_as_before():
    data = TargetData(kind="target", target={"kind": "linear"}, dimension=3)
    assert data.measure == "uniform"
    problem = data.problem(None, Randomness(0))
    assert torch.equal(problem.inputs(7, Randomness(4), "test"), uniform_rows(Randomness(4), "test_inputs", 7, 3))
    assert problem.input_sup_bound == 1.0


def test_problem_draws_its_measure_and_knows_its_facts():
    f = TARGETS["linear"](kind="linear", weights=(3.0, 4.0))
    facts = {measure: SyntheticProblem(f, 2, 0.0, measure).known_facts() for measure in MEASURES}
    assert [facts[measure].l2_norm_squared for measure in MEASURES] == pytest.approx([25 / 12 + 3.5**2, 25.0, 12.5])
    assert SyntheticProblem(f, 2, 0.0, "gaussian").input_sup_bound is None
    assert SyntheticProblem(f, 2, 0.0, "sphere").input_sup_bound == 1.0
    sample = SyntheticProblem(f, 2, 0.0, "sphere").test_sample(20, Randomness(0))
    torch.testing.assert_close(sample.inputs.norm(dim=1), torch.ones(20, dtype=torch.float64))


def test_measure_that_the_target_cannot_be_learnt_under_is_refused():
    with pytest.raises(ValidationError, match="poles") as refused:
        TargetData(kind="target", target={"kind": "friedman_3"}, dimension=4, measure="gaussian")
    assert refused.value.errors()[0]["ctx"]["pointer"] == "/measure"
    with pytest.raises(ValidationError, match="'uniform', 'gaussian' or 'sphere'"):
        TargetData(kind="target", target={"kind": "linear"}, dimension=4, measure="cauchy")


@pytest.mark.parametrize("measure", MEASURES)
def test_decomposition_measures_f_star_under_the_measure(measure, context):
    """The test points' mean of f*^2 is the closed form's."""
    experiment = parse_experiment(
        {
            "kind": "decompose_error",
            "data": {"kind": "target", "target": {"kind": "euclidean_norm"}, "dimension": 3, "measure": measure},
            "hypothesis_space": {"kind": "random_features"},
            "learner": {"kind": "ridge", "penalty": 0.001},
            "widths": [8],
            "sample_sizes": [64],
            "seeds": 1,
            "test_size": 4000,
            "reference": {"effort": "quick"},
        }
    )
    result = experiment.run(context)
    described = result.summary["target"]
    squared = {"uniform": 1.0, "gaussian": 3.0, "sphere": 1.0}[measure]
    assert described["known"]["l2_norm_squared"] == pytest.approx(squared)
    assert described["mean_square"] == pytest.approx(squared, rel=0.1)
    (cell,) = result.decompositions
    assert cell.data["measure"] == measure
    assert 0 <= cell.risk_terms["approximation"].value < squared
