"""The job kind fit: samples, risks, bounds, files, refusals, determinism, stop."""

import json
import math

import pytest
import torch
from pydantic import ValidationError

from models.artefacts import load
from models.catalogue import parse_experiment
from models.errors import InvalidData, Stopped
from models.estimates import Estimate, closed_form
from models.experiments.base import TableShape
from models.experiments.fit import FILES, Fit
from models.fit_reading import FitRisks, fit_advice
from models.learners.base import LearningCurvePoint
from models.provenance import draw_samples
from models.risks import capped_losses
from models.tables import Table


def target(noise=0.1, dimension=3):
    return {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": dimension, "noise": noise}


def fit_of(**changes):
    specification = {
        "kind": "fit",
        "data": target(),
        "hypothesis_space": {"kind": "random_features", "width": 40},
        "learner": {"kind": "ridge", "penalty": 1e-3},
        "sample_size": 150,
        "test_size": 400,
    }
    return parse_experiment({**specification, **changes})


def table_of(rows=120):
    draw = torch.Generator().manual_seed(0)
    first, second = (10 + 5 * torch.rand(rows, generator=draw, dtype=torch.float64) for _ in range(2))
    strength = 3 * first - second**2 / 10 + torch.randn(rows, generator=draw, dtype=torch.float64)
    numbers = {"first": first, "second": second, "strength": strength, "double": 2 * strength}
    return Table(order=tuple(numbers), numbers=numbers, texts={}, rows=rows)


DATASET = {
    "kind": "dataset",
    "dataset_id": "ds_1",
    "target_columns": ["strength"],
    "feature_columns": ["first", "second"],
}


def test_result_is_json_without_nan_and_holds_one_model(context):
    result = fit_of().run(context)
    json.dumps(result.model_dump(mode="json"), allow_nan=False)
    (record,) = result.learned_models
    assert record.name == "random_features"
    assert set(record.files.values()) == set(context.saved)


@pytest.mark.parametrize(("test_size", "shown"), [(150, 150), (400, 200)])
def test_shown_predictions_are_those_of_the_held_out_rows(context, test_size, shown):
    spec = fit_of(test_size=test_size)
    summary = spec.run(context).summary
    _, _, held_out = draw_samples(context, spec.data, spec.sample_size, spec.test_size, spec.seed)
    labels, outputs = (torch.tensor(summary["held_out"][name]) for name in ("labels", "predictions"))
    assert len(labels) == len(outputs) == shown
    assert torch.equal(labels.double(), torch.tensor(held_out.labels[:shown].tolist()).double())
    if shown == test_size:
        risk = ((outputs - labels) ** 2).sum(dim=1).mean()
        assert float(risk) == pytest.approx(summary["risks"]["trained"]["value"], rel=1e-5)


def test_saved_files_are_the_measured_model(context):
    spec = fit_of()
    result = spec.run(context)
    manifest = json.loads(context.saved[FILES["manifest"]])
    stored = load(manifest, context.saved[FILES["weights"]])
    assert manifest == result.learned_models[0].manifest
    _, training, held_out = draw_samples(context, spec.data, spec.sample_size, spec.test_size, spec.seed)
    losses = ((stored.model(held_out.inputs) - held_out.labels) ** 2).sum(dim=1)
    risks = result.summary["risks"]
    assert risks["trained"]["value"] == pytest.approx(float(losses.mean()), rel=1e-12)
    assert risks["trained"]["standard_error"] == pytest.approx(float(losses.std()) / math.sqrt(400), rel=1e-12)
    empirical = float(((stored.model(training.inputs) - training.labels) ** 2).mean())
    assert risks["trained_empirical"]["value"] == pytest.approx(empirical, rel=1e-12)
    assert risks["generalization_gap"]["value"] == pytest.approx(float(losses.mean()) - empirical)
    assert risks["rmse"]["y"]["value"] == pytest.approx(math.sqrt(float(losses.mean())))


def test_predictions_are_clipped_to_the_range_of_the_training_labels(context):
    spec = fit_of(learner={"kind": "ridge", "penalty": 0.0}, sample_size=45, data=target(noise=1.0))
    result = spec.run(context)
    _, training, held_out = draw_samples(context, spec.data, spec.sample_size, spec.test_size, spec.seed)
    stored = load(result.learned_models[0].manifest, context.saved[FILES["weights"]])
    outputs = stored.model(100 * held_out.inputs)
    assert float(outputs.min()) == float(training.labels.min())
    assert float(outputs.max()) == float(training.labels.max())
    assert result.summary["loss_cap"] == float((training.labels.max() - training.labels.min()) ** 2)


def test_certificate_is_above_the_measured_risk_and_travels_in_the_manifest(context):
    result = fit_of(bounds="none").run(context)
    certificate = result.learned_models[0].manifest["certificate"]
    assert result.summary["bounds"] == []
    assert result.summary["risks"]["trained"]["value"] < certificate["risk_upper_bound"] < result.summary["loss_cap"]
    assert certificate["confidence"] == pytest.approx(0.95)
    assert certificate["sample_size"] == 400


def test_certificate_agrees_with_the_reported_bound(context):
    result = fit_of().run(context)
    reports = {report.kind: report for report in result.learned_models[0].bounds}
    assert set(reports) >= {"held_out_betting", "path_norm_ball", "rkhs_ball"}
    assert reports["held_out_betting"].value == result.learned_models[0].manifest["certificate"]["risk_upper_bound"]
    joint = result.summary["joint_confidence"]
    assert joint["all_hold_with_probability_at_least"] == pytest.approx(max(0, 1 - 0.05 * joint["bounds"]))


def test_measured_gap_uses_the_capped_loss_of_the_bound(context):
    spec = fit_of(data=target(noise=2.0))
    result = spec.run(context)
    report = next(r for r in result.learned_models[0].bounds if r.kind == "rkhs_ball")
    stored = load(result.learned_models[0].manifest, context.saved[FILES["weights"]])
    _, training, held_out = draw_samples(context, spec.data, spec.sample_size, spec.test_size, spec.seed)
    means = [
        float(capped_losses(stored.model(sample.inputs), sample.labels, result.summary["loss_cap"]).mean())
        for sample in (held_out, training)
    ]
    assert report.measured.value == pytest.approx(means[0] - means[1])
    assert report.trivial_value == pytest.approx(result.summary["loss_cap"] - means[1])


def test_same_seed_gives_the_same_model_and_another_seed_another(context):
    digests = [fit_of(seed=seed).run(context).learned_models[0].digest for seed in (3, 3, 4)]
    assert digests[0] == digests[1] != digests[2]


def test_table_is_standardised_and_refuses_the_rkhs_bound_by_name(context):
    context.tables["ds_1"] = table_of()
    spec = fit_of(data=DATASET, sample_size=None)
    result = spec.run(context)
    reports = {report.kind: report for report in result.learned_models[0].bounds}
    assert result.summary["scaled_from_sample"] is True
    assert reports["rkhs_ball"].value is None
    assert "standardised" in reports["rkhs_ball"].refused_because
    assert reports["path_norm_ball"].value is not None
    assert result.learned_models[0].dataset_ids == ("ds_1",)
    assert "noise" not in result.summary["risks"]
    assert result.summary["risks"]["explained_variance"] > 0.5


def test_several_outputs_have_a_certificate_and_an_error_each(context):
    context.tables["ds_1"] = table_of()
    spec = fit_of(data={**DATASET, "target_columns": ["strength", "double"]}, sample_size=None)
    result = spec.run(context)
    assert set(result.summary["risks"]["rmse"]) == {"strength", "double"}
    reports = {report.kind: report for report in result.learned_models[0].bounds}
    assert reports["path_norm_ball"].value is None
    assert reports["held_out_betting"].value is not None


def test_network_trained_by_adam_is_certified(context):
    spec = fit_of(
        hypothesis_space={"kind": "two_layer", "width": 16}, learner={"kind": "adam", "steps": 60}, bounds="all"
    )
    reports = {report.kind: report for report in spec.run(context).learned_models[0].bounds}
    assert reports["path_norm_ball"].value > reports["path_norm_ball"].measured.value
    assert "not linear" in reports["rkhs_ball"].refused_because


def test_stop_request_ends_the_run_without_files(context):
    context.stop_after = 3
    with pytest.raises(Stopped):
        fit_of(hypothesis_space={"kind": "two_layer"}, learner={"kind": "adam", "steps": 500}).run(context)
    assert context.saved == {}
    assert context.reports[0][0] == "training"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"sample_size": None}, "/sample_size"),
        ({"hypothesis_space": {"kind": "two_layer", "width": 4}}, "/learner"),
    ],
)
def test_refusal_names_the_field(changes, pointer):
    with pytest.raises(ValidationError) as caught:
        fit_of(**changes)
    assert caught.value.errors()[0]["ctx"]["pointer"] == pointer


@pytest.mark.parametrize(
    "changes",
    [{"delta": 0.0}, {"delta": 1.0}, {"model_name": "Not a name"}, {"seed": -1}, {"test_size": 1}, {"bounds": "some"}],
)
def test_values_out_of_range_are_refused(changes):
    with pytest.raises(ValidationError):
        fit_of(**changes)


def test_largest_seed_serves(context):
    assert fit_of(seed=2**63 - 1).run(context).learned_models


def test_plan_grows_with_the_sample_and_knows_the_table():
    small, large = (fit_of(sample_size=size).plan({}) for size in (100, 100_000))
    assert large.floating_point_operations > 100 * small.floating_point_operations
    assert large.peak_memory_bytes > small.peak_memory_bytes
    assert small.parameters == 40 * 5
    shape = {
        "ds_1": TableShape(rows=50, columns=("first", "second", "strength"), numeric=("first", "second", "strength"))
    }
    assert fit_of(data=DATASET, sample_size=40).plan(shape).estimated_seconds > 0
    with pytest.raises(InvalidData, match="asked for"):
        fit_of(data=DATASET, sample_size=41).plan(shape)


def risks_of(trained, empirical, noise, error=0.001):
    def measured(value):
        return Estimate(value=value, standard_error=error, method="monte_carlo")

    known = None if noise is None else closed_form(noise)
    return FitRisks(measured(trained), closed_form(empirical), measured(trained - empirical), measured(1.0), known, {})


FLAT = [LearningCurvePoint(step, 0.3) for step in range(0, 110, 10)]
FALLING = [LearningCurvePoint(step, 0.3 * 0.5 ** (step / 10)) for step in range(0, 110, 10)]


@pytest.mark.parametrize(
    ("risks", "curve", "buy"),
    [
        (risks_of(0.101, 0.099, 0.1), FLAT, "nothing"),
        (risks_of(0.5, 0.11, 0.1), FLAT, "data"),
        (risks_of(0.5, 0.45, 0.1), FLAT, "width"),
        (risks_of(0.5, 0.45, 0.1), FALLING, "training"),
        (risks_of(0.5, 0.45, None), FLAT, "width"),
        (risks_of(1e-14, 1e-14, None, error=1e-16), FLAT, "nothing"),
        (risks_of(1e-14, 1e-15, 0.0, error=1e-16), FLAT, "nothing"),
    ],
)
def test_advice_follows_the_larger_part_of_the_excess(risks, curve, buy):
    advice = fit_advice(risks, curve)
    assert advice.buy == buy
    assert buy == "nothing" or "hint" in advice.because


def test_every_example_is_a_fit():
    assert all(isinstance(parse_experiment(example), Fit) for example in Fit.examples)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_tiny_samples_refuse_uniform_bounds_or_say_they_are_vacuous(context, size):
    reports = {report.kind: report for report in fit_of(sample_size=size).run(context).learned_models[0].bounds}
    for kind in ("path_norm_ball", "rkhs_ball"):
        assert reports[kind].vacuous is True or "three training rows" in reports[kind].refused_because


def test_minibatches_bound_the_planned_memory():
    network = {"hypothesis_space": {"kind": "two_layer", "width": 1000}, "sample_size": 1_000_000}
    whole = fit_of(learner={"kind": "gradient_descent"}, **network).plan({})
    batches = fit_of(learner={"kind": "adam"}, **network).plan({})
    assert batches.peak_memory_bytes < whole.peak_memory_bytes / 10
