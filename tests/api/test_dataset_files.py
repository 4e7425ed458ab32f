"""Every format becomes the same canonical table, or a refusal that says what is wrong and quotes no value."""

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uploaded_files import canonical, counts

from api.dataset_files.format_names import format_of
from api.dataset_files.refusals import FileRefused


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def arrow(table: pa.Table, form: Any) -> bytes:
    buffer = io.BytesIO()
    with form(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


TABLE = pa.table(
    {
        "integer": pa.array([1, None, 2**60]),
        "category": pa.array(["a", "b", None]).dictionary_encode(),
        "logical": [True, False, None],
        "time": pa.array([0, 1, 2], pa.timestamp("s")),
        "half": pa.array(np.array([1, np.nan, np.inf], np.float16)),
        "nothing": pa.nulls(3),
    }
)


@pytest.mark.parametrize(
    ("content", "file_format"),
    [
        (parquet(TABLE), "parquet"),
        (arrow(TABLE, pa.ipc.new_file), "arrow"),
        (arrow(TABLE, pa.ipc.new_stream), "arrow"),
    ],
)
def test_columnar_formats_agree(tmp_path: Path, content: bytes, file_format: str) -> None:
    description, values = canonical(tmp_path, content, file_format)
    assert counts(description) == {
        "integer": ("number", 1, 0),
        "category": ("text", 1, 0),
        "logical": ("number", 1, 0),
        "time": ("date", 0, 0),
        "half": ("number", 0, 2),
        "nothing": ("number", 3, 0),
    }
    assert values["integer"] == [1.0, None, 2.0**60]
    assert values["category"] == ["a", "b", None]
    with pytest.raises(FileRefused, match="cannot be read"):
        canonical(tmp_path, content[: len(content) // 3], file_format)


def test_parquet_shape_is_refused_before_a_column_is_decoded(tmp_path: Path) -> None:
    content = parquet(pa.table({"a": np.zeros(100_000)}))
    with pytest.raises(FileRefused, match="1000"):
        canonical(tmp_path, content, "parquet")
    many = parquet(pa.table({f"c{index}": np.zeros(900) for index in range(40)}))
    with pytest.raises(FileRefused, match="20000"):
        canonical(tmp_path, many, "parquet")


@pytest.mark.parametrize("column", [[[1], [2]], [{"a": 1}], [b"x"]])
def test_nested_and_binary_columns_are_refused_by_name(tmp_path: Path, column: list[Any]) -> None:
    with pytest.raises(FileRefused, match="'bad'"):
        canonical(tmp_path, parquet(pa.table({"bad": column})), "parquet")


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    lying = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    with pytest.raises(FileRefused, match="cannot be read"):
        canonical(tmp_path, arrow(pa.table({"t": lying}), pa.ipc.new_file), "arrow")


def test_ndjson_fills_what_a_line_leaves_out(tmp_path: Path) -> None:
    description, values = canonical(tmp_path, b'{"a": 1, "b": "x"}\n{"a": 2.5}\n', "ndjson")
    assert counts(description) == {"a": ("number", 0, 0), "b": ("text", 1, 0)}
    assert values["a"] == [1.0, 2.5]
    for bad in (b'{"a": {"b": 1}}\n', b'{"a": 1}\n{"a": "x"}\n', b"nope", b'{"a": 1, "a": 2}\n', b""):
        with pytest.raises(FileRefused):
            canonical(tmp_path, bad, "ndjson")


@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_axes_after_the_first_are_flattened_in_c_order(tmp_path: Path, order: Any) -> None:
    x = np.asarray(np.arange(12).reshape(2, 3, 2), order=order)
    _, values = canonical(tmp_path, npz(x=x, y=np.array([0.5, np.nan])), "npz")
    assert [values[f"x{index}"][1] for index in range(1, 7)] == [6, 7, 8, 9, 10, 11]
    assert list(values)[-1] == "y"
    _, values = canonical(tmp_path, npz(x=x, y=np.ones((2, 2), bool)), "npz")
    assert list(values)[-2:] == ["y1", "y2"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (npz(x=np.array([{}], dtype=object), y=np.ones(1)), "type"),
        (npz(x=np.ones((2, 1), complex), y=np.ones(2)), "type"),
        (npz(x=np.ones((3, 2))), "'y'"),
        (npz(x=np.ones((3, 2)), y=np.ones(2)), "3 rows"),
        (npz(x=np.ones(()), y=np.ones(())), "no rows"),
        (npz(x=np.ones((0, 2)), y=np.ones(0)), "no rows"),
        (npz(x=np.ones((2, 0)), y=np.ones(2)), "without columns"),
        (npz(x=np.ones((2, 1)), y=np.ones((2, 1, 1))), "matrix"),
        (npz(x=np.ones((2000, 2)), y=np.ones(2000)), "1000"),
        (b"PK", "NPZ"),
    ],
)
def test_bad_npz_is_refused(tmp_path: Path, content: bytes, named: str) -> None:
    with pytest.raises(FileRefused, match=named):
        canonical(tmp_path, content, "npz")


def test_npz_that_declares_more_than_it_holds_is_refused_before_allocation(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**40)})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", header.getvalue())
        archive.writestr("y.npy", header.getvalue())
    with pytest.raises(FileRefused, match="size that its header declares"):
        canonical(tmp_path, buffer.getvalue(), "npz")


@given(content=st.binary(max_size=300), file_format=st.sampled_from(["csv", "parquet", "arrow", "ndjson", "npz"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_table_or_a_refusal(tmp_path: Path, content: bytes, file_format: str) -> None:
    magic = {"parquet": b"PAR1", "arrow": b"ARROW1\0\0", "npz": b"PK\x03\x04", "csv": b"a,b\n1,", "ndjson": b'{"a":'}
    for start in (b"", magic[file_format]):
        # A length in an Arrow stream is believed before it is read; the reading process answers for its memory.
        with contextlib.suppress(FileRefused, MemoryError):
            canonical(tmp_path, start + content, file_format)


def test_format_is_told_by_name_then_by_media_type() -> None:
    assert format_of("a.CSV", "application/octet-stream") == "csv"
    assert format_of("a", "text/csv; charset=utf-8") == "csv"
    assert format_of("a.xlsx", None) is None
