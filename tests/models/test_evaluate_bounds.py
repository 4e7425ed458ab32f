"""The job kind evaluate_bounds: the samples are drawn again from the manifest."""

import dataclasses
import json

import pytest
import torch
from pydantic import ValidationError

from models.artefacts import load
from models.catalogue import parse_experiment
from models.errors import AssumptionFailed, InvalidData, Stopped
from models.experiments.fit import FILES
from models.tables import Table

SPECIFICATION = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 3, "noise": 0.1},
    "hypothesis_space": {"kind": "random_features", "width": 30},
    "learner": {"kind": "ridge", "penalty": 0.001},
    "sample_size": 150,
    "test_size": 300,
    "seed": 5,
}


@pytest.fixture
def trained(context):
    """A context that knows the model mdl_1, and the result of the job that trained it."""
    result = parse_experiment(SPECIFICATION).run(context)
    context.models["mdl_1"] = load(json.loads(context.saved[FILES["manifest"]]), context.saved[FILES["weights"]])
    return context, result


def evaluate(context, **changes):
    return parse_experiment({"kind": "evaluate_bounds", "model_id": "mdl_1", **changes}).run(context)


def test_same_bounds_give_the_same_numbers_as_the_fit(trained):
    context, fitted = trained
    assert evaluate(context).evaluated_bounds == {"mdl_1": fitted.learned_models[0].bounds}


def test_smaller_delta_gives_larger_bounds(trained):
    context, _ = trained
    lax, strict = (evaluate(context, delta=delta).evaluated_bounds["mdl_1"] for delta in (0.1, 0.001))
    pairs = [(a, b) for a, b in zip(lax, strict, strict=True) if a.value is not None and a.delta > 0]
    both = [(a.value, b.value) if a.side == "upper" else (b.value, a.value) for a, b in pairs]
    assert len(both) >= 5
    assert all(a <= b for a, b in both)
    assert any(a < b for a, b in both)


def test_best_of_several_bounds_pays_for_the_choice(trained):
    context, _ = trained
    result = evaluate(context, delta=0.1)
    reports, joint = result.evaluated_bounds["mdl_1"], result.summary["joint_confidence"]
    valued = [report for report in reports if report.value is not None and report.delta > 0]
    # Those that refuse count as well: whether they do may depend on the sample.
    count = sum(report.delta > 0 for report in reports)
    assert joint["bounds"] == count > len(valued) > 1
    assert all(report.joint.delta == pytest.approx(0.1 / count) for report in valued)
    assert all(report.joint.value >= report.value for report in valued if report.side == "upper")
    held_out = [report for report in valued if report.quantity == "population_risk"]
    best = joint["best"]
    assert best["risk_upper_bound"] == min(report.joint.value for report in held_out)
    assert best["kind"] in {report.kind for report in held_out}
    assert joint["best_holds_with_probability_at_least"] == pytest.approx(0.9)
    # A single bound has nothing to share.
    alone = evaluate(context, delta=0.1, bounds=[{"kind": "held_out_betting"}])
    (report,) = alone.evaluated_bounds["mdl_1"]
    assert report.joint.value == report.value
    assert alone.summary["joint_confidence"]["best"] == {"kind": report.kind, "risk_upper_bound": report.value}


def test_refusals_name_an_assumption_and_come_without_a_joint_value(trained):
    context, _ = trained
    refused = [report for report in evaluate(context).evaluated_bounds["mdl_1"] if report.value is None]
    assert refused
    for report in refused:
        assert [a for a in report.assumptions if a.standing == "failed"], report.kind
        assert report.refused_because
        assert report.joint is None


def test_chosen_bounds_only_and_in_their_order(trained):
    context, _ = trained
    chosen = [{"kind": "rkhs_ball", "sign_draws": 200}, {"kind": "held_out_betting"}]
    result = evaluate(context, bounds=chosen)
    assert [report.kind for report in result.evaluated_bounds["mdl_1"]] == ["rkhs_ball", "held_out_betting"]
    json.dumps(result.model_dump(mode="json"), allow_nan=False)


def test_samples_of_a_table_are_drawn_again(context):
    draw = torch.Generator().manual_seed(1)
    numbers = {name: torch.rand(90, generator=draw, dtype=torch.float64) for name in ("first", "second", "label")}
    context.tables["ds_7"] = Table(order=tuple(numbers), numbers=numbers, texts={}, rows=90)
    data = {"kind": "dataset", "dataset_id": "ds_7", "target_columns": ["label"], "test_rows": list(range(0, 90, 3))}
    fitted = parse_experiment({**SPECIFICATION, "data": data, "sample_size": None}).run(context)
    context.models["mdl_1"] = load(fitted.learned_models[0].manifest, context.saved[FILES["weights"]])
    result = evaluate(context)
    assert result.evaluated_bounds["mdl_1"] == fitted.learned_models[0].bounds
    assert result.summary["held_out_size"] == 30


def test_specification_names_its_model():
    spec = parse_experiment({"kind": "evaluate_bounds", "model_id": "mdl_1"})
    assert spec.model_ids() == frozenset({"mdl_1"})
    assert spec.dataset_ids() == frozenset()
    assert spec.plan({}).estimated_seconds > 0


@pytest.mark.parametrize("changes", [{"model_id": "ds_1"}, {"bounds": "none"}, {"delta": 1.5}])
def test_bad_values_are_refused(changes):
    with pytest.raises(ValidationError):
        parse_experiment({"kind": "evaluate_bounds", "model_id": "mdl_1", **changes})


def test_model_of_unknown_origin_is_refused(trained):
    context, _ = trained
    stored = context.models["mdl_1"]
    context.models["mdl_1"] = dataclasses.replace(stored, manifest={**stored.manifest, "provenance": {}})
    with pytest.raises(InvalidData, match="again"):
        evaluate(context)


def test_model_that_is_not_clipped_is_refused(trained):
    context, _ = trained
    stored = context.models["mdl_1"]
    context.models["mdl_1"] = dataclasses.replace(stored, model=dataclasses.replace(stored.model, output_range=None))
    with pytest.raises(AssumptionFailed, match="clipped"):
        evaluate(context)


def test_stop_request_ends_the_run(trained):
    context, _ = trained
    context.stop_after = 0
    with pytest.raises(Stopped):
        evaluate(context)
