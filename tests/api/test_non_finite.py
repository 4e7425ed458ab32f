"""NaN and the infinities through uploads, specifications, results and decompositions, on both databases."""

import csv
import io
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from db.repositories.decompositions import Decompositions
from db.repositories.jobs import Jobs

COLUMN = [1.5, math.nan, math.inf, -math.inf]
SPELLED = [1.5, "nan", "inf", "-inf"]


def _sunk(write: Callable[[Any, pa.Table], None]) -> bytes:
    sink = pa.BufferOutputStream()
    write(sink, pa.table({"x": COLUMN, "y": [1.0, 2.0, 3.0, 4.0]}))
    return bytes(sink.getvalue())


def _arrow(sink: Any, table: pa.Table) -> None:
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, x=np.array([COLUMN]).T, y=np.arange(4.0))
    return file.getvalue()


UPLOADS = {
    "t.csv": lambda: b"x,y\n1.5,1\nnan,2\ninf,3\n-inf,4\n",
    # As Python writes them.
    "t.ndjson": lambda: "".join(json.dumps({"x": x, "y": 1.0}) + "\n" for x in COLUMN).encode(),
    "t.parquet": lambda: _sunk(lambda sink, table: pq.write_table(table, sink)),
    "t.arrow": lambda: _sunk(_arrow),
    "t.npz": _npz,
}


@pytest.mark.parametrize("name", UPLOADS)
def test_upload_counts_and_shows_what_is_not_finite(client: Any, name: str) -> None:
    answer = client.post("/v1/datasets", files={"file": (name, UPLOADS[name]())})
    assert answer.status_code == 201, answer.text
    dataset = client.get(answer.headers["Location"]).json()
    first = dataset["columns"][0]
    assert (first["nulls"], first["non_finite"], first["infinite"]) == (0, 3, 2)
    rows = client.get(f"/v1/datasets/{dataset['id']}/rows").json()["data"]
    assert [row[first["name"]] for row in rows] == SPELLED


@pytest.mark.parametrize("literal", ["1e400", "-1e400"])
@pytest.mark.parametrize("name", ["t.csv", "t.ndjson"])
def test_number_beyond_every_float_is_not_taken_for_infinity(client: Any, name: str, literal: str) -> None:
    content = f"x\n1.5\n{literal}\n" if name == "t.csv" else f'{{"x": 1.5}}\n{{"x": {literal}}}\n'
    answer = client.post("/v1/datasets", files={"file": (name, content.encode())})
    assert answer.status_code == 422
    assert client.get("/v1/datasets").json()["data"] == []


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e400", '"nan"', '"inf"', '"-inf"', "-1e400"])
def test_specification_takes_finite_numbers_only(client: Any, literal: str) -> None:
    spec = {
        "kind": "fit",
        "data": {"kind": "target", "target": {"kind": "gaussian"}, "dimension": 2, "noise": "NOISE"},
        "hypothesis_space": {"kind": "random_features", "width": 4},
        "learner": {"kind": "ridge"},
        "sample_size": 20,
    }
    body = json.dumps({"spec": spec}).replace('"NOISE"', literal)
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert client.get("/v1/jobs").json()["data"] == []


@pytest.fixture
def decomposed(client: Any, services: Any, cell: Callable[..., dict[str, Any]]) -> str:
    """A job with a small, an infinite and a large risk."""
    with services.database.unit_of_work() as session:
        job = Jobs(session, "local").accept(
            kind="decompose_error", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
        )
        cells = [cell(width, 10, risk) for width, risk in ((1, 0.5), (2, "inf"), (3, 1e308))]
        Decompositions(session, "local").add_all(job.id, cells)
        return job.id


def test_decompositions_say_so_in_json_csv_and_arrow(client: Any, decomposed: str) -> None:
    def ask(media_type: str) -> Any:
        answer = client.get(
            "/v1/decompositions", params={"job_id": decomposed, "order": "asc"}, headers={"Accept": media_type}
        )
        assert answer.status_code == 200, answer.text
        return answer

    shown = ask("application/json").json()["data"]
    assert [row["risks"]["trained"]["value"] for row in shown] == [0.5, "inf", 1e308]
    rows = list(csv.DictReader(io.StringIO(ask("text/csv").text)))
    assert [float(row["risks.trained.value"]) for row in rows] == [0.5, math.inf, 1e308]
    with pa.ipc.open_stream(ask("application/vnd.apache.arrow.stream").content) as reader:
        assert reader.read_all()["risks.trained.value"].to_pylist() == [0.5, math.inf, 1e308]
