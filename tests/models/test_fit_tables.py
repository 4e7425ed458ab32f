"""The job kind fit on real tables' troubles: missing values, text, constants, classes, very few rows."""

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.datasets import load_iris

from models.artefacts import load
from models.catalogue import parse_experiment
from models.encoding import InputEncoding
from models.errors import InvalidData
from models.experiments.fit import FILES
from models.problems import split_table
from models.provenance import draw_samples
from models.randomness import Randomness
from models.tables import Table

NAN = float("nan")


def fit_of(**changes):
    data = {"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["y"], **changes.pop("data", {})}
    specification = {
        "kind": "fit",
        "data": data,
        "hypothesis_space": {"kind": "random_features", "width": 40},
        "learner": {"kind": "ridge", "penalty": 1e-3},
        "bounds": "none",
    }
    return parse_experiment({**specification, **changes})


def messy(rows=300) -> Table:
    """y depends on a number, on whether it is missing, on a colour; one column is constant, some labels miss."""
    generator = np.random.default_rng(0)
    x = generator.normal(50, 10, rows)
    missing = generator.random(rows) < 0.2
    colours = generator.choice(["red", "green", "blue"], rows)
    effect = {"red": 0.0, "green": 20.0, "blue": -20.0}
    y = np.where(missing, 30.0, x / 2) + np.array([effect[c] for c in colours]) + generator.normal(0, 0.1, rows)
    y[::50] = NAN
    numbers = {"x": np.where(missing, NAN, x), "constant": np.full(rows, 7.0), "y": y}
    return Table(
        order=("x", "constant", "colour", "y"),
        numbers={name: torch.from_numpy(values) for name, values in numbers.items()},
        texts={"colour": [str(colour) for colour in colours]},
        rows=rows,
    )


def test_missing_values_and_categories_are_learnt_and_served_as_raw_rows(context):
    context.tables["ds_1"] = messy()
    spec = fit_of(data={"category_columns": ["colour"]})
    result = spec.run(context)
    summary = result.summary
    assert summary["input_columns"] == ["x", "constant", "colour"]
    assert summary["encoded_inputs"] == [
        "x", "constant", "x is missing", "colour=blue", "colour=green", "colour=red",
    ]  # fmt: skip
    assert summary["unlabelled_rows"] == 6
    assert summary["sample_size"] + summary["held_out_size"] == 294
    assert summary["risks"]["explained_variance"] > 0.99
    session = onnxruntime.InferenceSession(context.saved[FILES["graph"]])
    _, _, held_out = draw_samples(context, spec.data, None, spec.test_size, spec.seed)
    stored = load(result.learned_models[0].manifest, context.saved[FILES["weights"]])
    feeds = {"inputs": np.array([[NAN, 7.0], [50.0, 7.0]]), "categories": np.array([["red"], ["green"]], dtype=object)}
    (served,) = session.run(None, feeds)
    assert served[0, 0] == pytest.approx(30.0, abs=1.5)
    assert served[1, 0] == pytest.approx(45.0, abs=1.5)
    assert stored.model(held_out.inputs).shape == held_out.labels.shape


def test_without_categories_the_text_is_reported_as_unused(context):
    context.tables["ds_1"] = messy()
    summary = fit_of().run(context).summary
    assert summary["unused_columns"] == ["colour"]
    assert summary["risks"]["explained_variance"] < 0.9


def test_split_is_the_same_where_nothing_is_missing():
    numbers = {"a": torch.arange(10.0).double(), "y": torch.arange(10.0).double()}
    table = Table(order=("a", "y"), numbers=numbers, texts={}, rows=10)
    columns = fit_of().data.columns(table.shape())
    randomness = Randomness(3)
    problem = split_table(table, columns, 0.3, None, randomness)
    order = torch.randperm(10, generator=randomness.generator("test_rows"))[:3]
    assert sorted(problem.test.labels[:, 0].tolist()) == sorted(order.double().tolist())


def test_unlabelled_test_rows_are_left_out():
    table = messy()
    columns = fit_of().data.columns(table.shape())
    problem = split_table(table, columns, 0.2, tuple(range(60)), Randomness(0))
    assert problem.test.size == 58
    assert problem.training.size == 236


def iris(as_text: bool) -> Table:
    data = load_iris()
    numbers = {f"x{j}": torch.from_numpy(data.data[:, j].copy()) for j in range(4)}
    if as_text:
        return Table(
            ("x0", "x1", "x2", "x3", "y"), numbers, {"y": [str(data.target_names[c]) for c in data.target]}, 150
        )
    return Table(("x0", "x1", "x2", "x3", "y"), numbers | {"y": torch.from_numpy(data.target).double()}, {}, 150)


@pytest.mark.parametrize("as_text", [True, False])
def test_target_that_is_a_category_is_a_classification(context, as_text):
    context.tables["ds_1"] = iris(as_text)
    result = fit_of(data={"category_columns": ["y"]}).run(context)
    classes = ["y=setosa", "y=versicolor", "y=virginica"] if as_text else ["y=0", "y=1", "y=2"]
    assert result.summary["classes"] == classes
    risks = result.summary["risks"]
    assert risks["accuracy"]["value"] > 0.9
    assert risks["accuracy"]["standard_error"] < 0.06
    assert risks["accuracy_empirical"]["value"] > 0.95
    manifest = result.learned_models[0].manifest
    assert len(manifest["classes"]["levels"]) == 3
    assert manifest["output_names"] == classes


def test_accuracy_counts_unseen_classes_as_wrong(context):
    table = iris(as_text=True)
    table.texts["y"][:5] = ["unseen"] * 5
    context.tables["ds_1"] = table
    held_out = [*range(5), *range(50, 70), *range(100, 120)]
    result = fit_of(data={"category_columns": ["y"], "test_rows": held_out}).run(context)
    assert result.summary["classes"] == ["y=setosa", "y=versicolor", "y=virginica"]
    assert result.summary["risks"]["accuracy"]["value"] <= 40 / 45


def test_regression_has_no_accuracy(context):
    context.tables["ds_1"] = messy()
    assert "accuracy" not in fit_of().run(context).summary["risks"]


@pytest.mark.parametrize(
    ("space", "learner"),
    [
        ({"kind": "random_features", "width": 20}, {"kind": "least_squares"}),
        ({"kind": "two_layer", "width": 8}, {"kind": "adam", "steps": 30}),
    ],
)
def test_more_columns_than_rows_and_constant_columns(context, space, learner):
    generator = torch.Generator().manual_seed(0)
    numbers = {f"x{j}": torch.randn(12, generator=generator, dtype=torch.float64) for j in range(40)}
    numbers |= {f"c{j}": torch.full((12,), float(j)).double() for j in range(5)}
    context.tables["ds_1"] = Table((*numbers, "y"), numbers | {"y": numbers["x0"] * 2}, {}, 12)
    summary = fit_of(hypothesis_space=space, learner=learner, bounds="all").run(context).summary
    assert summary["dimension"] == 45
    assert np.isfinite(summary["risks"]["trained"]["value"])


def test_constant_label_is_learnt_exactly(context):
    numbers = {"x": torch.arange(20.0).double(), "y": torch.full((20,), 3.0).double()}
    context.tables["ds_1"] = Table(("x", "y"), numbers, {}, 20)
    assert fit_of().run(context).summary["risks"]["trained"]["value"] == pytest.approx(0.0, abs=1e-20)


def test_two_rows_train_on_one(context):
    numbers = {"x": torch.tensor([1.0, 2.0]).double(), "y": torch.tensor([3.0, 4.0]).double()}
    context.tables["ds_1"] = Table(("x", "y"), numbers, {}, 2)
    summary = fit_of(bounds="all").run(context).summary
    assert (summary["sample_size"], summary["held_out_size"]) == (1, 1)


def test_one_row_cannot_be_split(context):
    numbers = {"x": torch.tensor([1.0]).double(), "y": torch.tensor([3.0]).double()}
    table = Table(("x", "y"), numbers, {}, 1)
    context.tables["ds_1"] = table
    with pytest.raises(InvalidData, match="no training row"):
        fit_of().plan({"ds_1": table.shape()})
    with pytest.raises(InvalidData, match="cannot be split"):
        fit_of().run(context)


def test_plan_is_at_least_what_the_rows_give(context):
    table = messy()
    context.tables["ds_1"] = table
    spec = fit_of(
        data={"category_columns": ["colour"]},
        hypothesis_space={"kind": "two_layer", "width": 9},
        learner={"kind": "adam", "steps": 5},
    )
    inputs, _, rows = spec.data.shape({"ds_1": table.shape(["colour"])})
    summary = spec.run(context).summary
    assert inputs >= summary["dimension"] == 6
    assert rows == summary["sample_size"]


def test_encoding_in_the_manifest_is_the_one_of_the_samples(context):
    context.tables["ds_1"] = messy()
    spec = fit_of(data={"category_columns": ["colour"]})
    manifest = spec.run(context).learned_models[0].manifest
    problem, _, _ = draw_samples(context, spec.data, None, spec.test_size, spec.seed)
    assert InputEncoding.model_validate(manifest["encoding"]) == problem.encoding


@pytest.mark.parametrize("kind", ["polynomial", "trigonometric", "piecewise_linear"])
def test_classical_spaces_take_the_box_of_standardised_columns(context, kind):
    context.tables["ds_1"] = messy()
    spec = fit_of(hypothesis_space={"kind": kind, "width": 70}, data={"category_columns": ["colour"]})
    result = spec.run(context)
    space = result.learned_models[0].manifest["hypothesis_space"]
    assert (space["lower"], space["upper"]) == (-3.0, 3.0)
    given = fit_of(hypothesis_space={"kind": kind, "width": 70, "lower": -9.0, "upper": 9.0}).run(context)
    assert given.learned_models[0].manifest["hypothesis_space"]["lower"] == -9.0


def test_uniform_bounds_refuse_values_that_the_sample_filled(context):
    context.tables["ds_1"] = messy()
    reports = fit_of(bounds="all").run(context).learned_models[0].bounds
    held_out = {report.kind: report for report in reports if report.kind.startswith("held_out")}
    assert held_out["held_out_betting"].value is not None
    path_norm = next(report for report in reports if report.kind == "path_norm_ball")
    assert path_norm.value is None
    assert "filled with the training rows' means" in path_norm.refused_because
