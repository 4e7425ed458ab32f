"""Datasets, predictions, exports and decompositions: every form of a table, there and back."""

import hashlib
import io
import math

import httpx
import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from client_jobs import SPEC

from api.client import Conflict, DamagedFile, NotFound, ServiceUnreachable, Unprocessable
from api.client.tables import request_content

PREDICTIONS = [[21.0], [43.0]]
FRAMES = [pd.DataFrame, pl.DataFrame]


def forms(tmp_path):
    """The rows (1, 2) and (3, 4) of a model with inputs a and b, in every form."""
    csv, npy, parquet = tmp_path / "rows.csv", tmp_path / "rows.npy", tmp_path / "rows.PARQUET"
    csv.write_text("b,a\n2,1\n4,3\n")
    np.save(npy, np.array([[1.0, 2.0], [3.0, 4.0]]))
    pl.DataFrame({"a": [1.0, 3.0], "b": [2.0, 4.0]}).write_parquet(parquet)
    return {
        "rows": [[1, 2], (3.0, 4.0)],
        "records": [{"a": 1, "b": 2}, {"b": 4, "a": 3}],
        "columns": {"b": np.array([2, 4]), "a": [1, 3]},
        "floats": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "integers": np.array([[1, 2], [3, 4]], dtype=np.int32),
        "objects": np.array([[1, 2], [3, 4]], dtype=object),
        "pandas": pd.DataFrame({"a": [1, 3], "b": [2, 4]}),
        "polars": pl.DataFrame({"b": [2, 4], "a": [1, 3]}),
        "csv": csv,
        "npy": npy,
        "parquet": parquet,
    }


def test_every_form_of_a_table_is_predicted(riskscope, register, tmp_path):
    register()
    found = {name: riskscope.models.predict("plane", table) for name, table in forms(tmp_path).items()}
    assert {name: answer.predictions for name, answer in found.items()} == dict.fromkeys(found, PREDICTIONS)
    answer = found["rows"]
    assert (answer.outputs, answer.model.name, answer.model.version, answer.labels) == (["y0"], "plane", 1, None)
    assert answer.to_numpy().tolist() == PREDICTIONS
    assert answer.to_pandas()["y0"].tolist() == [21.0, 43.0]
    assert answer.to_polars()["y0"].to_list() == [21.0, 43.0]


def test_missing_cells_are_null_in_every_form():
    rows = request_content([[1.0, math.nan], [np.float64(2), None]])
    assert rows == {"json": {"rows": [[1.0, None], [2.0, None]]}}
    assert request_content({"a": [math.nan]}) == {"json": {"columns": {"a": [None]}}}


@pytest.mark.parametrize("table", ["rows.csv", b"a,b\n", 3, None])
def test_what_is_no_table_is_refused_here(riskscope, table):
    with pytest.raises(TypeError, match="no table"):
        riskscope.models.predict("plane", table)


def test_row_that_does_not_fit_is_named(riskscope, register, tmp_path):
    register()
    with pytest.raises(Unprocessable, match="Row 1"):
        riskscope.models.predict("plane", [[1, 2], [3]])
    (tmp_path / "rows.xls").write_bytes(b"")
    with pytest.raises(ValueError, match=r"rows\.xls"):
        riskscope.models.predict("plane", tmp_path / "rows.xls")


def test_versions_aliases_bounds_and_deletion(riskscope, register):
    register()
    register(shift=1.0)
    assert [model.version for model in riskscope.models.versions("plane")] == [2, 1]
    assert [(model.name, model.version) for model in riskscope.models.list()] == [("plane", 2)]
    assert riskscope.models.set_alias("plane", "live", 1).version == 1
    assert riskscope.models.get("plane", "live").aliases == ["live"]
    assert riskscope.models.predict("plane", [[1, 2]], version="live").predictions == [[21.0]]
    assert riskscope.models.predict("plane", [[1, 2]]).predictions == [[22.0]]
    model = riskscope.models.get("plane")
    assert model.certificate.risk_upper_bound == 0.25
    assert model.risks["population"] == {"value": "inf"}
    assert riskscope.models.bounds("plane", 1).bounds == []
    with pytest.raises(Conflict, match="live"):
        riskscope.models.delete("plane", 1)
    riskscope.models.delete_alias("plane", "live")
    riskscope.models.delete("plane", 1)
    with pytest.raises(NotFound):
        riskscope.models.get("plane", 1)


def test_export_is_the_served_file(riskscope, register, tmp_path):
    row = register()
    riskscope.models.export("plane", tmp_path / "plane.onnx")
    content = (tmp_path / "plane.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == row.files["graph"]["sha256"]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(["outputs"], {"inputs": np.array([[1.0, 2.0], [3.0, 4.0]])})
    assert outputs.tolist() == PREDICTIONS
    buffer = io.BytesIO()
    riskscope.models.export("plane", buffer, version=1, format="safetensors")
    assert hashlib.sha256(buffer.getvalue()).hexdigest() == row.files["weights"]["sha256"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


class Broken(httpx.SyncByteStream):
    """Half of a file."""

    def __iter__(self):
        yield b"ha"
        raise httpx.ReadError("gone")


def test_download_is_whole_or_not_at_all(scripted, tmp_path):
    whole = httpx.Response(200, content=b"half", headers={"ETag": f'"{hashlib.sha256(b"half").hexdigest()}"'})
    broken = [httpx.Response(200, stream=Broken()) for _ in range(3)]
    client, script, _ = scripted(broken[0], whole)
    client.models.export("plane", tmp_path / "good", version=1)
    assert (tmp_path / "good").read_bytes() == b"half"
    assert len(script.requests) == 2
    client, _, _ = scripted(*broken[1:], retries=1)
    with pytest.raises(ServiceUnreachable, match="does not send the whole"):
        client.models.export("plane", tmp_path / "bad", version=1)
    wrong = httpx.Response(200, content=b"other", headers=whole.headers)
    client, _, _ = scripted(wrong)
    with pytest.raises(DamagedFile):
        client.models.export("plane", tmp_path / "bad", version=1)
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["good"]


def test_tensors_are_inferred(riskscope, register):
    register()
    assert riskscope.inference.models() == ["plane"]
    assert riskscope.inference.warm("plane")
    answer = riskscope.inference.infer("plane", np.array([[1.0, 2.0], [3.0, 4.0]]), request_id="r")
    assert (answer.id, answer.model_version) == ("r", "1")
    assert answer.outputs[0].to_numpy().tolist() == PREDICTIONS
    assert answer.parameters["risk_upper_bound"] == 0.25
    single = riskscope.inference.infer("plane", [[1.0, 2.0]], version=1, datatype="FP32")
    assert single.outputs[0].datatype == "FP32"
    assert riskscope.inference.metadata("plane").inputs[0].parameters["columns"] == ["a", "b"]
    (statistics,) = riskscope.inference.statistics("plane", 1)
    assert statistics.inference_count >= 3
    assert [entry.state for entry in riskscope.inference.repository(only_ready=True)] == ["READY"]


@pytest.mark.parametrize("frame", FRAMES)
def test_frame_is_uploaded(riskscope, frame):
    made = riskscope.datasets.upload(frame({"x": [1.5, None, 3.0], "kind": ["a", "b", "a"]}), name="frame")
    assert (made.name, made.format, made.rows) == ("frame", "parquet", 3)
    assert [(column.name, column.type, column.nulls) for column in made.columns] == [
        ("x", "number", 1),
        ("kind", "text", 0),
    ]
    assert riskscope.datasets.rows(made.id, limit=2).data == [{"x": 1.5, "kind": "a"}, {"x": None, "kind": "b"}]


def test_files_arrays_and_bytes_are_uploaded_listed_and_deleted(riskscope, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x;y\n1,5;2\n2,5;3\n")
    first = riskscope.datasets.upload(path, delimiter="semicolon", decimal="comma", header=True)
    assert (first.name, [column.type for column in first.columns]) == ("table.csv", ["number", "number"])
    with path.open("rb") as file:
        assert riskscope.datasets.upload(file).id == first.id
    arrays = riskscope.datasets.upload_arrays(np.ones((4, 2)), np.arange(4.0), name="arrays")
    assert (arrays.format, arrays.rows, len(arrays.columns)) == ("npz", 4, 3)
    assert [dataset.id for dataset in riskscope.datasets.list()] == [arrays.id, first.id]
    assert riskscope.datasets.get(first.id) == first
    riskscope.datasets.delete(first.id)
    with pytest.raises(NotFound):
        riskscope.datasets.get(first.id)
    with pytest.raises(ValueError, match="file_name"):
        riskscope.datasets.upload(b"a\n1\n")
    with pytest.raises(TypeError, match="list"):
        riskscope.datasets.upload([[1]], name="rows")


def test_document_gives_its_json_back(riskscope, client, job, finish, cell):
    finish(job.id, cells=[cell(4, 10, "inf")])
    (found,) = job.decompositions()
    assert found.risks.trained.value == math.inf
    assert found.as_json() == client.get(f"/v1/decompositions/{found.id}").json()


def test_decompositions_are_pages_and_tables(riskscope, job, finish, cell, monkeypatch):
    monkeypatch.setattr("api.client.decompositions.PAGE_ITEMS", 2)
    monkeypatch.setattr("api.client.decompositions.TABLE_ROWS", 2)
    finish(job.id, cells=[cell(width, 10, 0.5) for width in (4, 8, 16, 32, 64)])
    other = riskscope.submit(SPEC)
    finish(other.id, cells=[cell(4, 20, "inf")])
    found = list(job.decompositions())
    assert [each.width for each in found] == [4, 8, 16, 32, 64]
    assert [each.width for each in job.decompositions(limit=3, order_by="width", order="desc")] == [64, 32, 16]
    assert len(list(riskscope.decompositions.search())) == 6
    assert riskscope.decompositions.get(found[0].id) == found[0]
    search = riskscope.decompositions.search(order="asc")
    for table in (search.to_pandas(), search.to_polars()):
        assert list(table["id"]) == [each.id for each in search]
        assert list(table["risks.trained.value"]) == [0.5] * 5 + [math.inf]
    csv = search.to_csv().splitlines()
    assert len(csv) == 7
    assert csv[0].startswith('"id","job_id"')
    assert pd.read_csv(io.StringIO(search.to_csv()))["width"].tolist() == [4, 8, 16, 32, 64, 4]
    assert riskscope.decompositions.search(limit=3).to_polars().height == 3
    assert riskscope.decompositions.search(width=5).to_pandas().empty
    assert riskscope.decompositions.search(width=5).to_csv().count("\n") == 1


def test_job_without_files_says_so(riskscope, job, finish):
    finish(job.id)
    assert job.files() == {}
    with pytest.raises(NotFound, match="predict"):
        job.predictions(io.BytesIO())
