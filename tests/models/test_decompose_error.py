"""The job: its identities cell by cell, what it refuses, that it repeats itself, stops and plans."""

import json
import math

import pytest
from pydantic import ValidationError

from models.errors import Stopped
from models.experiments.decompose_error import DecomposeError

TARGET = {
    "kind": "target",
    "target": {"kind": "cosine_ridge", "frequencies": [1.0, -0.5]},
    "dimension": 3,
    "noise": 0.1,
}
BASE = {
    "kind": "decompose_error",
    "data": TARGET,
    "hypothesis_space": {"kind": "random_features"},
    "learner": {"kind": "ridge", "penalty": 1e-3},
    "widths": [4, 16],
    "sample_sizes": [128, 32],
    "seeds": 2,
    "test_size": 500,
    "reference": {"effort": "quick"},
}


def _spec(**changes):
    return DecomposeError.model_validate({**BASE, **changes})


def test_terms_sum_to_the_trained_risk_in_every_cell(context):
    cells = _spec().run(context).decompositions
    assert [(cell.width, cell.sample_size) for cell in cells] == [(4, 128), (4, 32), (16, 128), (16, 32)]
    for cell in cells:
        total = cell.risks["noise"].value + sum(term.value for term in cell.risk_terms.values())
        assert math.isclose(total, cell.risks["trained"].value, rel_tol=1e-12)
        assert all(norm.value >= 0 for norm in cell.squared_norms.values())
        gap = cell.risks["trained"].value - cell.risks["trained_empirical"].value
        assert math.isclose(gap, cell.generalization_gap.value, rel_tol=1e-9, abs_tol=1e-12)


def test_wider_linear_spaces_approximate_better_because_features_are_nested(context):
    cells = _spec(sample_sizes=[64], widths=[4, 32], test_size=5_000).run(context).decompositions
    assert cells[1].risk_terms["approximation"].value < cells[0].risk_terms["approximation"].value


def test_empirical_risk_of_the_best_on_sample_is_the_smaller_one(context):
    rows = _spec().run(context).summary["cells"]
    assert all(row["empirical_optimization_gap"] >= -1e-12 for row in rows)


def test_ridge_without_penalty_has_no_optimization_error(context):
    cells = _spec(learner={"kind": "ridge", "penalty": 0.0}).run(context).decompositions
    assert all(abs(cell.risk_terms["optimization"].value) < 1e-9 for cell in cells)


def test_a_heavy_penalty_is_an_optimization_error(context):
    spec = _spec(learner={"kind": "ridge", "penalty": 1e3}, widths=[100], sample_sizes=[2_000])
    (cell,) = spec.run(context).decompositions
    assert cell.risk_terms["optimization"].value > 0.1
    assert cell.advice.buy == "training"


def test_reading_calls_round_off_by_its_name(context):
    """A linear target in polynomials without noise: no digit of any term means anything."""
    target = {"kind": "target", "target": {"kind": "linear"}, "dimension": 3}
    spec = _spec(
        data=target, hypothesis_space={"kind": "polynomial"}, learner={"kind": "least_squares"}, widths=[4, 10]
    )
    (entry,) = spec.run(context).summary["readings"]
    assert entry["reading"].count("round-off") == 5
    assert "e-" not in entry["reading"]


def test_gradient_descent_optimization_error_falls_with_its_steps(context):
    gaps = []
    for steps in (1, 30, 1_000):
        learner = {"kind": "gradient_descent", "steps": steps}
        (row,) = _spec(learner=learner, widths=[8], sample_sizes=[128]).run(context).summary["cells"]
        gaps.append(row["empirical_optimization_gap"])
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.1 * gaps[0]


def test_same_specification_gives_the_same_result(context):
    assert _spec().run(context) == _spec().run(context)


def test_cells_do_not_depend_on_the_other_cells_of_the_grid(context):
    alone = _spec(widths=[16], sample_sizes=[32]).run(context).decompositions[0]
    among = next(c for c in _spec().run(context).decompositions if (c.width, c.sample_size) == (16, 32))
    for name, term in alone.risk_terms.items():
        assert math.isclose(term.value, among.risk_terms[name].value, rel_tol=1e-6, abs_tol=1e-12)


def test_seeds_are_the_seeds_of_shorter_jobs(context):
    both = _spec(seeds=2, widths=[8], sample_sizes=[64]).run(context).decompositions[0]
    ones = [_spec(seeds=1, seed=seed, widths=[8], sample_sizes=[64]).run(context).decompositions[0] for seed in (0, 1)]
    empirical = [cell.risks["trained_empirical"].value for cell in ones]
    assert math.isclose(sum(empirical) / 2, both.risks["trained_empirical"].value, rel_tol=1e-9)
    assert ones[0].risks["trained_empirical"].standard_error is None


def test_spaces_and_learners_pair_up_and_networks_say_best_of_restarts(context):
    result = _spec(
        hypothesis_space=[{"kind": "random_features"}, {"kind": "two_layer"}],
        learner=[{"kind": "ridge"}, {"kind": "adam", "steps": 20}],
        widths=[4],
        sample_sizes=[32],
        seeds=1,
    ).run(context)
    linear, network = result.decompositions
    assert linear.risk_terms["approximation"].method == "monte_carlo"
    assert network.risk_terms["approximation"].method == "best_of_restarts"
    assert network.risks["trained"].method == "monte_carlo"
    brackets = [row["approximation_bracket"] for row in result.summary["cells"]]
    assert brackets[0][0] == brackets[0][1]
    assert brackets[1][0] == 0.0
    assert all(row["empirical_optimization_gap"] >= -1e-12 for row in result.summary["cells"])
    assert [entry["hypothesis_space"] for entry in result.summary["readings"]] == ["random_features", "two_layer"]
    linear_theory, network_theory = (entry["theory"] for entry in result.summary["readings"])
    assert linear_theory["estimation"]["exponent"] == -1.0
    assert network_theory["estimation"] is None
    assert network_theory["approximation"]["exponent"] == -1.0
    json.dumps(result.model_dump(mode="json"), allow_nan=False)


def test_progress_never_runs_backwards_and_ends_full(context):
    _spec().run(context)
    steps = [step for _, step, _ in context.reports]
    assert steps == sorted(steps)
    assert context.reports[-1][1:] == (8, 8)
    assert {phase for phase, _, _ in context.reports} == {"training", "reference"}


@pytest.mark.parametrize("stop_after", [1, 40, 120])
def test_a_stop_request_ends_the_run_at_the_next_report(context, stop_after):
    context.stop_after = stop_after
    spec = _spec(hypothesis_space={"kind": "two_layer"}, learner={"kind": "adam", "steps": 50}, widths=[4])
    with pytest.raises(Stopped):
        spec.run(context)
    assert len(context.reports) == stop_after


def _pointers(changes):
    with pytest.raises(ValidationError) as caught:
        _spec(**changes)
    return [error.get("ctx", {}).get("pointer") for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"learner": [{"kind": "ridge"}, {"kind": "ridge"}]}, "/learner"),
        ({"learner": {"kind": "ridge", "standardise": True}}, "/learner"),
        ({"hypothesis_space": {"kind": "two_layer"}}, "/learner"),
        ({"widths": [4, 4]}, "/widths"),
        ({"sample_sizes": [4, 4]}, "/sample_sizes"),
        ({"widths": list(range(1, 65)), "sample_sizes": list(range(1, 65)), "seeds": 256}, "/widths"),
    ],
)
def test_what_cannot_be_decomposed_is_refused_at_its_field(changes, pointer):
    assert _pointers(changes) == [pointer]


@pytest.mark.parametrize(
    "changes",
    [
        {"widths": []},
        {"widths": [0]},
        {"seeds": 0},
        {"seeds": 257},
        {"test_size": 1_000_001},
        {"hypothesis_space": []},
        {"hypothesis_space": [{"kind": "random_features"}] * 9},
        {"reference": {"effort": "heroic"}},
    ],
)
def test_values_out_of_range_are_refused(changes):
    with pytest.raises(ValidationError):
        _spec(**changes)


def test_json_round_trip_keeps_the_name_reference():
    written = _spec().model_dump(mode="json")
    assert written["reference"] == {"effort": "quick"}
    assert DecomposeError.model_validate(written) == _spec()
    assert "reference" in DecomposeError.model_json_schema()["properties"]


def test_plan_grows_with_the_grid():
    small, large = (_spec(widths=widths).plan({}) for widths in ([16], [16, 64]))
    assert large.floating_point_operations > small.floating_point_operations
    assert large.peak_memory_bytes > small.peak_memory_bytes
    assert large.parameters == 64 * 5
    assert large.estimated_seconds > 0
