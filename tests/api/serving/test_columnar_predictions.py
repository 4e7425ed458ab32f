"""Parquet and Arrow in, and every form of an answer out."""

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Problem, TooLarge, Unprocessable
from api.serving.inputs import InputColumn, InputSchema
from api.serving.json_arrays import inference_document, table_of_rows
from api.serving.table_answers import ENCODERS, NotAcceptable, answer_media_type
from api.serving.table_bodies import decode_rows

PREDICT = "/v1/models/plane/predict"
AB = InputSchema((InputColumn("a"), InputColumn("b")))
MIXED = InputSchema(
    (InputColumn("age", accepts_missing=True), InputColumn("colour", "text", accepts_missing=True), InputColumn("h"))
)
PARQUET, STREAM, FILE = (f"application/vnd.apache.{name}" for name in ("parquet", "arrow.stream", "arrow.file"))


def parquet(table, **options):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()


def arrow(table, new=pa.ipc.new_stream, batch=2, **options):
    sink = pa.BufferOutputStream()
    with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=batch)
    return sink.getvalue().to_pybytes()


FORMS = {
    PARQUET: parquet,
    STREAM: arrow,
    FILE: lambda table: arrow(table, pa.ipc.new_file),
}


@pytest.mark.parametrize("form", FORMS)
def test_columnar_bodies_are_the_same_table(client, register, form):
    register()
    table = pa.table({"b": pa.array([2, 4, 6], pa.int16()), "a": pa.array([1.0, 3.0, 5.0], pa.float32())})
    answer = client.post(PREDICT, content=FORMS[form](table), headers={"Content-Type": form})
    assert answer.json()["predictions"] == [[21.0], [43.0], [65.0]]


@pytest.mark.parametrize("form", FORMS)
def test_null_is_missing_and_text_may_be_a_dictionary(form):
    for colours in (pa.array(["red", None, "blue", "red"]), pa.array(["red", None, "blue", "red"]).dictionary_encode()):
        table = pa.table({"h": [True, False, True, True], "colour": colours, "age": [1.5, None, 2.5, None]})
        rows = decode_rows(FORMS[form](table), form, MIXED, 10)
        np.testing.assert_array_equal(rows.numbers, [[1.5, 1], [np.nan, 0], [2.5, 1], [np.nan, 1]])
        assert rows.texts[:, 0].tolist() == ["red", "", "blue", "red"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("columns", "pointer", "says"),
    [
        ({"a": [1.0]}, "/b", "missing columns: 'b'"),
        ({"a": [1.0], "b": [1.0], "c": [1.0]}, "", "unknown columns: 'c'"),
        ({"a": [1.0], "b": ["x"]}, "/b", "Column 'b' holds string"),
        ({"a": [1.0, 2.0], "b": [1.0, None]}, "/1/b", "Row 1, column 'b'"),
        ({"a": [1.0, np.inf], "b": [1.0, 2.0]}, "/1/a", "Row 1, column 'a'"),
        ({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())}, "", "At least one row"),
    ],
)
def test_what_does_not_fit_is_named(form, columns, pointer, says):
    with pytest.raises(Unprocessable, match=says) as refusal:
        decode_rows(FORMS[form](pa.table(columns)), form, AB, 10)
    assert refusal.value.errors[0].pointer == pointer


@pytest.mark.parametrize("form", FORMS)
def test_text_that_may_not_be_missing_is_named(form):
    strict = InputSchema((InputColumn("colour", "text"),))
    with pytest.raises(Unprocessable, match="Row 1, column 'colour'"):
        decode_rows(FORMS[form](pa.table({"colour": ["red", None]})), form, strict, 10)
    with pytest.raises(Unprocessable, match="holds int64, not text"):
        decode_rows(FORMS[form](pa.table({"colour": [1]})), form, strict, 10)


@pytest.mark.parametrize("form", FORMS)
def test_too_many_rows_are_told_with_the_cap(form):
    with pytest.raises(TooLarge, match="at most 10"):
        decode_rows(FORMS[form](pa.table({"a": np.ones(11), "b": np.ones(11)})), form, AB, 10)


@pytest.mark.parametrize("form", FORMS)
def test_cut_off_bytes_are_malformed(form):
    body = FORMS[form](pa.table({"a": np.ones(5), "b": np.ones(5)}))
    for length in (0, 3, len(body) // 2 + 3):
        with pytest.raises(Problem) as refusal:
            decode_rows(body[:length], form, AB, 10)
        assert 400 <= refusal.value.status < 500


def test_arrow_that_unfolds_is_refused_before_it_does():
    million = pa.table({"a": np.zeros(2**20), "b": np.zeros(2**20)})
    for codec in ("zstd", "lz4"):
        body = arrow(million, batch=2**18, compression=codec)
        with pytest.raises(Unprocessable, match="compressed inside"):
            decode_rows(body, STREAM, AB, 10)
    letters = pa.table({"colour": pa.array(["x" * 10**6]).dictionary_encode()})
    with pytest.raises(Unprocessable, match="compressed inside"):
        decode_rows(arrow(letters, compression="zstd"), STREAM, InputSchema((InputColumn("colour", "text"),)), 10)


def test_parquet_that_unfolds_is_refused_before_it_does():
    letters = pa.table({"colour": ["x" * 10**6, "y" * 10**6]})
    with pytest.raises(TooLarge, match="more bytes than"):
        decode_rows(parquet(letters, compression="zstd"), PARQUET, InputSchema((InputColumn("colour", "text"),)), 10)


@given(form=st.sampled_from(sorted(FORMS)), cut=st.integers(0, 400), byte=st.integers(0, 255))
def test_damaged_bytes_give_rows_or_a_refusal(form, cut, byte):
    body = bytearray(FORMS[form](pa.table({"a": [1.0, 2.0], "b": [3.0, 4.0]})))
    body[cut % len(body)] = byte
    try:
        rows = decode_rows(bytes(body), form, AB, 10)
    except Problem as problem:
        assert 400 <= problem.status < 500  # noqa: PT017  either outcome is right
    else:
        assert rows.numbers.shape[1:] == (2,)
        assert np.isfinite(rows.numbers).all()


# Answers


def read_back(answer):
    content, media_type = answer.content, answer.headers["content-type"].partition(";")[0]
    if media_type == "application/x-npy":
        return np.load(io.BytesIO(content)).tolist()
    if media_type == "text/csv":
        header, *rows = csv.reader(io.StringIO(answer.text))
        assert header == ["y0", "y1"]
        return [[float(cell) for cell in row] for row in rows]
    readers = {STREAM: pa.ipc.open_stream, FILE: pa.ipc.open_file}
    table = (
        pq.read_table(pa.BufferReader(content)) if media_type == PARQUET else readers[media_type](content).read_all()
    )
    assert table.column_names == ["y0", "y1"]
    assert table.schema.metadata[b"model_version"] == b"1"
    return [list(row.values()) for row in table.to_pylist()]


@pytest.mark.parametrize("media_type", [name for name in ENCODERS if name != "application/json"])
def test_every_form_of_an_answer_has_the_same_bits(client, register, media_type):
    register(matrix=((1.0, 0.1), (10.0, 1 / 3)))
    rows = np.random.default_rng(0).normal(size=(20, 2)).tolist()
    expected = client.post(PREDICT, json={"rows": rows}).json()["predictions"]
    answer = client.post(PREDICT, json={"rows": rows}, headers={"Accept": media_type})
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert (answer.headers["x-model-name"], answer.headers["x-model-version"]) == ("plane", "1")
    assert read_back(answer) == expected


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/*", "text/csv"),
        ("application/*", "application/json"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("text/csv;q=0.5, application/x-npy; q=0.9", "application/x-npy"),
        ("TEXT/CSV", "text/csv"),
        ("text/csv, application/x-npy", "text/csv"),
    ],
)
def test_form_is_what_the_client_prefers(accept, chosen):
    assert answer_media_type(accept) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "text/csv;q=x", ","])
def test_nothing_acceptable_is_406_with_what_there_is(accept):
    with pytest.raises(NotAcceptable, match="text/csv"):
        answer_media_type(accept)


def test_not_acceptable_is_a_problem_document(client, register):
    register()
    answer = client.post(PREDICT, json={"rows": [[1, 2]]}, headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert answer.headers["content-type"] == "application/problem+json"


# Numbers of JSON straight into an array


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
cells = numbers | st.none() | st.booleans() | st.text(max_size=2) | st.lists(numbers, max_size=2)
tables = st.lists(st.lists(numbers, min_size=2, max_size=2) | st.lists(cells, max_size=3), max_size=4)


@given(rows=tables)
def test_fast_reader_reads_what_the_careful_one_reads_or_leaves_it(rows):
    fast = table_of_rows(json.dumps({"rows": rows}).encode(), 2)
    if fast is None:
        return
    assert all(len(row) == 2 and all(type(cell) in (int, float) for cell in row) for row in rows)
    assert fast.tobytes() == np.array(rows, dtype=np.float64).tobytes()


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows": [[1, [2]]]}',
        b'{"rows": [[[1], 2]]}',
        b'{"rows": [[1, 2], [3]]}',
        b'{"rows": [[1], [2, 3, 4]]}',
        b'{"rows": [[1, null]]}',
        b'{"rows": [[1, true]]}',
        b'{"rows": [[1, 1e999]]}',
        b'{"rows": [], "rows": [[1, 2]]}',
        b'{"rows": [[1, 2]], "columns": {}}',
        b'{"rows": 3}',
        b"[[1, 2]]",
        b"",
    ],
)
def test_what_is_no_table_is_left_to_the_careful_reader(body):
    assert table_of_rows(body, 2) is None


@pytest.mark.parametrize(
    "data",
    ["[[1], [2, 3, 4]]", "[[1, [2]], [3, 4]]", "[1, [2], 3, 4]", "[[1, 2], 3, 4]", "[1, null, 3, 4]", "[1, true]"],
)
def test_ragged_or_deeper_tensors_are_left_to_the_careful_reader(data):
    body = b'{"inputs": [{"name": "inputs", "shape": [2, 2], "datatype": "FP64", "data": %s}]}' % data.encode()
    assert inference_document(body) is None


def test_plain_tensors_are_arrays():
    for data in ("[1, 2, 3, 4]", "[[1, 2], [3, 4]]"):
        body = b'{"id": "a[", "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": %s}]}'
        document = inference_document((body % data.encode()).replace(b"a[", b"a"))
        assert document["id"] == "a"
        assert document["inputs"][0]["data"].tolist() == [1.0, 2.0, 3.0, 4.0]
        # A bracket in a text only makes the reader careful.
        assert inference_document(body % data.encode()) is None
