"""What a predict job reads and writes in its own process: pieces of a table, the served graph, a table that grows."""

import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from models import artefacts
from models.catalogue import parse_experiment
from models.encoding import RawRows
from models.errors import InvalidData
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel
from models.randomness import Randomness
from models.scaling import identity_scaling
from worker.context import ProcessContext
from worker.protocol import Assignment, ModelFiles

ROWS = 1300


@pytest.fixture
def model() -> LearnedModel:
    space = TwoLayer(kind="two_layer", width=6)
    parameters = space.draw(2, 1, Randomness(0), torch.float64)
    parameters["coefficients"].copy_(torch.linspace(-1, 1, 6).reshape(6, 1))
    return LearnedModel(space, parameters, identity_scaling(2), identity_scaling(1))


@pytest.fixture
def context(tmp_path: Path, model: LearnedModel) -> ProcessContext:
    exported = artefacts.export(model, name="m", encoding=["a", "b"], output_names=["y"], provenance={})
    graph, weights, table = (tmp_path / name for name in ("graph.onnx", "weights", "table.parquet"))
    graph.write_bytes(exported.graph)
    weights.write_bytes(exported.weights)
    generator = torch.Generator().manual_seed(0)
    columns = {name: torch.randn(ROWS, generator=generator, dtype=torch.float64).numpy() for name in ("b", "c", "a")}
    pq.write_table(pa.table({"id": [f"r{row}" for row in range(ROWS)], **columns}), table, row_group_size=400)
    directory = tmp_path / "attempt"
    directory.mkdir()
    assignment = Assignment(
        job_id="job_1",
        attempt=1,
        request_id=None,
        spec={},
        directory=directory,
        datasets={"ds_1": table},
        learned_models={"mdl_1": ModelFiles(manifest=exported.manifest, weights=weights, graph=graph)},
    )
    return ProcessContext(assignment, "cpu", lambda message: None, threading.Event())


def test_job_writes_what_the_model_says(context: ProcessContext, tmp_path: Path, model: LearnedModel) -> None:
    spec = {"kind": "predict", "model_id": "mdl_1", "dataset_id": "ds_1", "keep_columns": ["id"]}
    result = parse_experiment(spec).run(context)
    written = pq.read_table(tmp_path / "attempt" / result.files["predictions"])
    table = pq.read_table(tmp_path / "table.parquet")
    assert written.column_names == ["id", "y"]
    assert written.column("id").to_pylist() == table.column("id").to_pylist()
    inputs = torch.tensor([table.column("a").to_pylist(), table.column("b").to_pylist()], dtype=torch.float64).T
    expected = model(inputs)[:, 0]
    found = torch.tensor(written.column("y").to_pylist(), dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_pieces_are_the_table(context: ProcessContext) -> None:
    pieces = context.table_pieces("ds_1", ["b", "id"], 100)
    assert pieces.rows == ROWS
    read = list(pieces)
    assert max(piece.rows for piece in read) <= 100
    assert [text for piece in read for text in piece.texts["id"]] == [f"r{row}" for row in range(ROWS)]
    with pytest.raises(InvalidData, match="no column 'absent'"):
        context.table_pieces("ds_1", ["absent"], 100)
    with pytest.raises(InvalidData, match="ds_2"):
        context.table_pieces("ds_2", [], 100)


def test_graph_is_checked_against_its_digest(context: ProcessContext, tmp_path: Path) -> None:
    graph = context.served_graph("mdl_1")
    assert graph(RawRows(torch.zeros(3, 2, dtype=torch.float64))).shape == (3, 1)
    with pytest.raises(InvalidData, match="mdl_2"):
        context.served_graph("mdl_2")
    (tmp_path / "graph.onnx").write_bytes(b"other")
    with pytest.raises(InvalidData, match="digest"):
        context.served_graph("mdl_1")


def test_table_that_was_not_finished_has_no_name(context: ProcessContext, tmp_path: Path) -> None:
    def interrupted() -> None:
        with context.table_writer("t.parquet") as write:
            write({"x": torch.zeros(2)})
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert not (tmp_path / "attempt" / "t.parquet").exists()
    with pytest.raises(ValueError, match="attempt"), context.table_writer("../t.parquet"):
        pass
