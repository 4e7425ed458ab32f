"""The job kind predict: every row of a table through the model's graph."""

import dataclasses
import json

import pytest
import torch
from onnx.reference import ReferenceEvaluator
from pydantic import ValidationError

from models.catalogue import parse_experiment
from models.encoding import RawRows
from models.errors import InvalidData, NumericalFailure, Stopped
from models.experiments import predict as predict_module
from models.experiments.fit import FILES
from models.experiments.predict import FILE
from models.plan import TableShape
from models.tables import Table

DATASET, MODEL = "ds_1", "mdl_1"
NAN = float("nan")


class ReferenceGraph:
    """The exported graph, evaluated by onnx's own reference."""

    def __init__(self, context) -> None:
        self.manifest = json.loads(context.saved[FILES["manifest"]])
        self._session = ReferenceEvaluator(context.saved[FILES["graph"]])

    def __call__(self, rows: RawRows):
        feeds = {"inputs": rows.numbers.numpy()}
        if rows.texts:
            import numpy as np

            feeds["categories"] = np.array(rows.texts, dtype=object).T
        return torch.from_numpy(self._session.run(None, feeds)[0])


@pytest.fixture
def table() -> Table:
    generator = torch.Generator().manual_seed(0)
    size = torch.rand(60, generator=generator, dtype=torch.float64)
    size[5] = NAN
    colours = ["red" if place % 2 else "blue" for place in range(60)]
    return Table(
        ("row", "size", "colour", "price"),
        {
            "row": torch.arange(60, dtype=torch.float64),
            "size": size,
            "price": torch.nan_to_num(size) * 3 + torch.tensor([float(place % 2) for place in range(60)]).double(),
        },
        {"colour": colours},
        60,
    )


@pytest.fixture
def trained(context, table, monkeypatch):
    """A context that knows the table and a model of `price` by `size` and `colour`; pieces of 16 rows."""
    monkeypatch.setattr(predict_module, "ROWS_AT_A_TIME", 16)
    context.tables[DATASET] = table
    data = {"kind": "dataset", "dataset_id": DATASET, "target_columns": ["price"], "feature_columns": ["size"]}
    specification = {
        "kind": "fit",
        "data": {**data, "category_columns": ["colour"]},
        "hypothesis_space": {"kind": "two_layer", "width": 8},
        "learner": {"kind": "adam", "steps": 30},
    }
    parse_experiment(specification).run(context)
    context.graphs[MODEL] = ReferenceGraph(context)
    context.reports.clear()
    return context


def run(context, **changes):
    return parse_experiment({"kind": "predict", "model_id": MODEL, "dataset_id": DATASET, **changes}).run(context)


def columns(context):
    pieces = context.written[FILE]
    return {name: [cell for piece in pieces for cell in list(piece[name])] for name in pieces[0]}


def test_one_prediction_for_each_row_in_its_order(trained, table):
    result = run(trained, keep_columns=["row", "colour"])
    assert result.summary["rows"] == 60
    assert result.files == {"predictions": FILE}
    written = columns(trained)
    assert list(written) == ["row", "colour", "price"]
    assert [float(cell) for cell in written["row"]] == list(range(60))
    assert written["colour"] == table.texts["colour"]
    graph = trained.graphs[MODEL]
    expected = graph(RawRows(table.numbers["size"][:, None], (table.texts["colour"],)))
    assert torch.allclose(torch.stack(written["price"]), expected[:, 0], rtol=0, atol=1e-12)


def test_kept_column_does_not_hide_an_output(trained):
    run(trained, keep_columns=["price"])
    assert list(columns(trained)) == ["price", "predicted price"]


def test_progress_counts_rows(trained):
    run(trained)
    assert [report for report in trained.reports if report[0] == "predict"] == [
        ("predict", done, 60) for done in (0, 16, 32, 48, 60)
    ]


def test_stop_is_obeyed_between_pieces(trained):
    trained.stop_after = 2
    with pytest.raises(Stopped):
        run(trained)
    assert len(trained.written[FILE]) == 1


def changed(table: Table, **numbers) -> Table:
    return dataclasses.replace(table, numbers={**table.numbers, **numbers})


def test_infinite_value_is_named_by_its_row_in_the_table(trained, table):
    size = table.numbers["size"].clone()
    size[37] = float("inf")
    trained.tables[DATASET] = changed(table, size=size)
    with pytest.raises(InvalidData, match="Row 37, column 'size'"):
        run(trained)


def test_column_of_another_type_is_named(trained, table):
    trained.tables[DATASET] = changed(table, colour=torch.zeros(60, dtype=torch.float64))
    trained.tables[DATASET].texts.clear()
    with pytest.raises(InvalidData, match="'colour' must be text"):
        run(trained)


def test_missing_value_is_refused_where_the_model_takes_none(trained, table):
    texts = list(table.texts["colour"])
    texts[20] = None
    trained.tables[DATASET] = dataclasses.replace(table, texts={"colour": texts})
    with pytest.raises(InvalidData, match="Row 20, column 'colour'"):
        run(trained)


def test_prediction_that_is_not_finite_ends_the_job(trained):
    graph = trained.graphs[MODEL]

    class Overflowing(ReferenceGraph):
        def __call__(self, rows):
            return graph(rows) + float("inf")

    trained.graphs[MODEL] = Overflowing(trained)
    with pytest.raises(NumericalFailure, match="row 0"):
        run(trained)


def test_classes_are_written_as_labels(trained, table):
    data = {"kind": "dataset", "dataset_id": DATASET, "target_columns": ["colour"], "category_columns": ["colour"]}
    specification = {
        "kind": "fit",
        "data": {**data, "feature_columns": ["price", "size"]},
        "hypothesis_space": {"kind": "two_layer", "width": 8},
        "learner": {"kind": "adam", "steps": 30},
    }
    parse_experiment(specification).run(trained)
    trained.graphs[MODEL] = ReferenceGraph(trained)
    run(trained)
    written = columns(trained)
    assert list(written) == ["colour=blue", "colour=red", "label"]
    blue, red = torch.stack(written["colour=blue"]), torch.stack(written["colour=red"])
    assert written["label"] == ["red" if bool(is_red) else "blue" for is_red in red > blue]


def test_plan_does_not_grow_with_the_rows_and_knows_the_columns():
    def shape(rows: int) -> dict[str, TableShape]:
        return {DATASET: TableShape(rows=rows, columns=("a", "b"), numeric=("a", "b"))}

    job = parse_experiment({"kind": "predict", "model_id": MODEL, "dataset_id": DATASET, "keep_columns": ["a"]})
    assert job.plan(shape(10)).peak_memory_bytes == job.plan(shape(10**7)).peak_memory_bytes
    unknown = parse_experiment({"kind": "predict", "model_id": MODEL, "dataset_id": DATASET, "keep_columns": ["c"]})
    with pytest.raises(InvalidData, match="'c'"):
        unknown.plan(shape(10))


def test_column_is_kept_once():
    with pytest.raises(ValidationError, match="named twice"):
        parse_experiment({"kind": "predict", "model_id": MODEL, "dataset_id": DATASET, "keep_columns": ["a", "a"]})


def test_what_a_table_does_not_offer_is_told_before_it_is_read(trained):
    specification = parse_experiment({"kind": "predict", "model_id": MODEL, "dataset_id": DATASET})
    manifests = {MODEL: trained.graphs[MODEL].manifest}

    def check(columns, numeric, **counts):
        shape = TableShape(rows=3, columns=columns, numeric=numeric, **counts)
        specification.check_models({DATASET: shape}, manifests)

    check(("row", "size", "colour"), ("row", "size"), incomplete={"size": 2, "row": 1}, infinite={"row": 1})
    with pytest.raises(InvalidData, match=r"no column 'size', .* does not know: 'length'") as refusal:
        check(("length", "colour"), ("length",))
    assert refusal.value.param == "/dataset_id"
    with pytest.raises(InvalidData, match=r"'size' must be numbers\. Column 'colour' must be text\."):
        check(("size", "colour"), ("colour",))
    with pytest.raises(InvalidData, match=r"'size' holds 1 infinite values\."):
        check(("size", "colour"), ("size",), infinite={"size": 1})
    with pytest.raises(InvalidData, match="'colour' misses 2 values"):
        check(("size", "colour"), ("size",), incomplete={"colour": 2})
