"""NaN and the infinities through every codec of a prediction: refused on the way in, and never sent out."""

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

from api.serving.table_answers import ENCODERS

PREDICT, INFER = "/v1/models/plane/predict", "/v2/models/plane/infer"
VALUES = (math.nan, math.inf, -math.inf)


def _table(value: float, write: Callable[[Any, pa.Table], None]) -> bytes:
    sink = pa.BufferOutputStream()
    write(sink, pa.table({"a": [1.0, 2.0], "b": [3.0, value]}))
    return bytes(sink.getvalue())


def _arrow(writer_of: Callable[..., Any]) -> Callable[[Any, pa.Table], None]:
    def write(sink: Any, table: pa.Table) -> None:
        with writer_of(sink, table.schema) as writer:
            writer.write_table(table)

    return write


def _npy(value: float) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([[1.0, 3.0], [2.0, value]]))
    return file.getvalue()


def _binary(value: float, dtype: str, name: str) -> tuple[bytes, dict[str, str]]:
    raw = np.array([[1.0, 3.0], [2.0, value]], dtype).tobytes()
    tensor = {"name": "inputs", "shape": [2, 2], "datatype": name, "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + raw, {"Inference-Header-Content-Length": str(len(head))}


JSON = {"Content-Type": "application/json"}
REQUESTS: dict[str, Callable[[float], tuple[str, bytes, dict[str, str]]]] = {
    # Python writes NaN and Infinity, which JSON does not have.
    "rows": lambda value: (PREDICT, json.dumps({"rows": [[1, 3], [2, value]]}).encode(), JSON),
    "columns": lambda value: (PREDICT, json.dumps({"columns": {"a": [1, 2], "b": [3, value]}}).encode(), JSON),
    "records": lambda value: (PREDICT, json.dumps({"records": [{"a": 2, "b": value}]}).encode(), JSON),
    "words": lambda value: (PREDICT, json.dumps({"rows": [[1, 3], [2, str(value)]]}).encode(), JSON),
    "csv": lambda value: (PREDICT, f"a,b\n1,3\n2,{value}\n".encode(), {"Content-Type": "text/csv"}),
    "npy": lambda value: (PREDICT, _npy(value), {"Content-Type": "application/x-npy"}),
    "parquet": lambda value: (
        PREDICT,
        _table(value, lambda sink, table: pq.write_table(table, sink)),
        {"Content-Type": "application/vnd.apache.parquet"},
    ),
    "arrow stream": lambda value: (
        PREDICT,
        _table(value, _arrow(pa.ipc.new_stream)),
        {"Content-Type": "application/vnd.apache.arrow.stream"},
    ),
    "arrow file": lambda value: (
        PREDICT,
        _table(value, _arrow(pa.ipc.new_file)),
        {"Content-Type": "application/vnd.apache.arrow.file"},
    ),
    "tensor in JSON": lambda value: (
        INFER,
        json.dumps(
            {"inputs": [{"name": "inputs", "shape": [2, 2], "datatype": "FP64", "data": [1, 3, 2, value]}]}
        ).encode(),
        JSON,
    ),
    "FP64 tensor": lambda value: (INFER, *_binary(value, "<f8", "FP64")),
    "FP32 tensor": lambda value: (INFER, *_binary(value, "<f4", "FP32")),
}


@pytest.mark.parametrize("value", VALUES, ids=str)
@pytest.mark.parametrize("form", REQUESTS)
def test_value_that_is_not_finite_is_refused_in_every_form(client: Any, register: Any, form: str, value: float) -> None:
    register()
    path, body, headers = REQUESTS[form](value)
    answer = client.post(path, content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    # The same request with a number in its place is answered.
    path, body, headers = REQUESTS["rows" if form == "words" else form](4.0)
    assert client.post(path, content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("media_type", ENCODERS)
@pytest.mark.parametrize("slope", [1e308, -1e308])
def test_prediction_that_overflows_is_refused_in_every_form(
    client: Any, register: Any, media_type: str, slope: float
) -> None:
    register(matrix=((slope,), (0.0,)))
    answer = client.post(PREDICT, json={"rows": [[1, 0], [100, 0]]}, headers={"Accept": media_type})
    assert answer.status_code == 422
    assert "row 1" in answer.json()["detail"]


@pytest.mark.parametrize("binary", [False, True])
def test_prediction_that_overflows_is_refused_by_the_inference_protocol(
    client: Any, register: Any, binary: bool
) -> None:
    register(matrix=((1e308,), (0.0,)))
    tensor = {"name": "inputs", "shape": [2, 2], "datatype": "FP64", "data": [1, 0, 100, 0]}
    outputs = [{"name": "outputs", "parameters": {"binary_data": binary}}]
    answer = client.post(INFER, json={"inputs": [tensor], "outputs": outputs})
    assert answer.status_code in (400, 422)
    assert "row 1" in answer.json()["error"]
