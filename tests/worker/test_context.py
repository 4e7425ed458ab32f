"""What an experiment sees from inside its process."""

import json
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from models.errors import InvalidData
from models.run_context import RunContext
from worker.context import ProcessContext, json_with_infinities
from worker.protocol import Assignment
from worker.table_files import read_table


@pytest.fixture
def sent() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def context(tmp_path: Path, sent: list[dict[str, Any]]) -> ProcessContext:
    directory = tmp_path / "attempt"
    directory.mkdir()
    assignment = Assignment(
        job_id="job_1", attempt=1, request_id=None, spec={}, directory=directory, datasets={}, learned_models={}
    )
    return ProcessContext(assignment, "cpu", sent.append, threading.Event())


def test_context_is_what_the_mathematics_asks_for(context: ProcessContext) -> None:
    assert isinstance(context, RunContext)


def test_table_reads_numbers_as_float64_and_the_rest_as_text(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    table = pa.table(
        {
            "integer": pa.array([1, None, 3], pa.int64()),
            "wide": pa.array([2**60, 1, 2], pa.int64()),
            "flag": pa.array([True, False, None], pa.bool_()),
            "single": pa.array([0.5, float("inf"), None], pa.float32()),
            "price": pa.array([Decimal("1.50"), None, Decimal("2.25")], pa.decimal128(8, 2)),
            "name": pa.array(["a", None, "c"], pa.string()),
            "class": pa.array(["u", "v", "u"]).dictionary_encode(),
        }
    )
    pq.write_table(table, path)
    read = read_table(path)
    assert read.rows == 3
    assert read.order == tuple(table.column_names)
    assert set(read.numbers) == {"integer", "wide", "flag", "single", "price"}
    assert all(column.dtype == torch.float64 for column in read.numbers.values())
    nan = float("nan")
    for name, expected in {
        "integer": [1.0, nan, 3.0],
        "wide": [float(2**60), 1.0, 2.0],
        "flag": [1.0, 0.0, nan],
        "single": [0.5, float("inf"), nan],
        "price": [1.5, nan, 2.25],
    }.items():
        torch.testing.assert_close(
            read.numbers[name], torch.tensor(expected, dtype=torch.float64), equal_nan=True, rtol=0, atol=0
        )
    assert read.texts == {"name": ["a", None, "c"], "class": ["u", "v", "u"]}


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "models/../../outside", "", "result.json"])
def test_save_refuses_to_leave_the_attempt_directory(context: ProcessContext, tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="must stay in its attempt"):
        context.save(path, b"x")
    assert not (tmp_path / "outside").exists()


def test_save_does_not_follow_a_link_outside(context: ProcessContext, tmp_path: Path) -> None:
    (tmp_path / "attempt" / "models").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="must stay in its attempt"):
        context.save("models/outside", b"x")


def test_saved_file_appears_whole(context: ProcessContext, tmp_path: Path) -> None:
    context.save("models/0/weights.safetensors", b"bytes")
    assert [path.name for path in (tmp_path / "attempt" / "models" / "0").iterdir()] == ["weights.safetensors"]


def test_progress_is_throttled_but_never_loses_a_phase_or_the_last_step(
    context: ProcessContext, sent: list[dict[str, Any]]
) -> None:
    for step in range(1, 1001):
        context.progress("training", step, 1000)
    context.progress("bounds", 0, 2)
    assert len(sent) < 100
    assert (sent[0]["step"], sent[-2]["step"], sent[-1]["phase"]) == (1, 1000, "bounds")


def test_report_holds_a_risk_where_one_is_known(context: ProcessContext, sent: list[dict[str, Any]]) -> None:
    context.progress("training", 1, 2, 0.25)
    context.progress("training", 2, 2)
    assert [report.get("empirical_risk") for report in sent] == [0.25, None]


def test_dataset_that_is_not_assigned_is_invalid_data(context: ProcessContext) -> None:
    with pytest.raises(InvalidData, match="ds_1"):
        context.table("ds_1")


def test_infinity_is_spelled_out_in_the_result() -> None:
    written = json_with_infinities({"bound": float("inf"), "terms": [float("-inf"), float("nan"), 1.0]})
    assert json.loads(written) == {"bound": "inf", "terms": ["-inf", "nan", 1.0]}
