"""What is accepted is the table that an independent reader finds; what is refused says why, by a pointer."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uploaded_files import canonical

from api.dataset_files.caps import Caps
from api.dataset_files.delimited import MISSING
from api.dataset_files.options import MARKS, Delimiter
from api.dataset_files.refusals import FileRefused

CAPS = Caps(rows=10_000, columns=100, cells=10**6, decoded_bytes=2**24, levels=1000)
EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FLOATS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([math.inf, -math.inf, math.nan, 0.0])
)
WORDS = st.text(st.characters(exclude_characters="\x00\r", exclude_categories=["Cs", "Cc"]), max_size=12)
NAMES = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=2, max_size=5, unique=True)


def same(found: list[Any], expected: list[Any]) -> bool:
    """Equal values; NaN equals NaN."""
    return len(found) == len(expected) and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))
        for a, b in zip(found, expected, strict=True)
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Names, and columns of numbers or of words, with gaps."""
    names = draw(NAMES)
    rows = draw(st.integers(1, 8))
    kinds = draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names)))
    cells = [st.one_of(st.none(), FLOATS) if numeric else st.one_of(st.none(), WORDS) for numeric in kinds]
    return names, [draw(st.lists(cell, min_size=rows, max_size=rows)) for cell in cells]


@given(table=tables(), mark=st.sampled_from(list(MARKS)))
@EXAMPLES
def test_csv_is_what_pythons_own_reader_finds(tmp_path: Path, table: tuple[Any, Any], mark: Delimiter) -> None:
    names, columns = table
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=MARKS[mark], lineterminator="\n")
    writer.writerow(names)
    writer.writerows(
        ["" if cell is None else repr(cell) if isinstance(cell, float) else cell for cell in row]
        for row in zip(*columns, strict=True)
    )
    content = buffer.getvalue()
    description, found = canonical(tmp_path, content.encode(), "csv", CAPS, delimiter=mark, decimal="point")
    lines = [line for line in csv.reader(io.StringIO(content, newline=""), delimiter=MARKS[mark]) if line]
    for place, column in enumerate(description.columns):
        cells = [None if line[place] in MISSING else line[place] for line in lines[1:]]
        if column["type"] == "number":
            expected: list[Any] = [_number(cell) for cell in cells]
        else:
            expected = cells
        assert same(found[column["name"]], expected)


def _number(cell: str | None) -> float | None:
    if cell is None or not cell.strip():
        return None
    word = cell.strip().lower()
    return float(word == "true") if word in ("true", "false") else float(word)


@given(content=st.text(st.sampled_from('ab,;|\t"\n\r 1.5e-x'), max_size=60), header=st.booleans())
@EXAMPLES
def test_any_csv_has_the_rows_that_pythons_own_reader_finds_or_is_refused(
    tmp_path: Path, content: str, header: bool
) -> None:
    try:
        description, found = canonical(
            tmp_path, content.encode(), "csv", CAPS, header=header, delimiter="comma", decimal="point"
        )
    except FileRefused as refused:
        told = (refused.status, refused.pointer[:1], bool(refused.detail))
        assert told in ((413, "/", True), (422, "/", True))
        return
    lines = [line for line in csv.reader(io.StringIO(content, newline="")) if line]
    assert description.rows == len(lines) - header
    assert all(len(line) == len(description.columns) for line in lines)
    assert len(found) == len(lines[0])


@given(table=tables())
@EXAMPLES
@pytest.mark.parametrize("file_format", ["parquet", "arrow"])
def test_columnar_files_keep_every_value(tmp_path: Path, table: tuple[Any, Any], file_format: str) -> None:
    names, columns = table
    numeric = [all(cell is None or isinstance(cell, float) for cell in column) for column in columns]
    kinds = [pa.float64() if number else pa.string() for number in numeric]
    content = io.BytesIO()
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    written = pa.table(arrays, names=names)
    if file_format == "parquet":
        pq.write_table(written, content)
    else:
        with pa.ipc.new_stream(content, written.schema) as writer:
            writer.write_table(written)
    _, found = canonical(tmp_path, content.getvalue(), file_format, CAPS)
    assert list(found) == names
    assert all(same(found[name], column) for name, column in zip(names, columns, strict=True))


@given(
    values=st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=20), dtype=st.sampled_from(["<f8", ">f8", "<f4"])
)
@EXAMPLES
def test_npz_keeps_every_value(tmp_path: Path, values: list[tuple[float, float]], dtype: str) -> None:
    with np.errstate(over="ignore"):
        array = np.array(values).astype(dtype)
    buffer = io.BytesIO()
    np.savez(buffer, x=array, y=array[:, 0])
    _, found = canonical(tmp_path, buffer.getvalue(), "npz", CAPS)
    for name, column in (("x1", array[:, 0]), ("x2", array[:, 1]), ("y", array[:, 0])):
        assert same(found[name], column.astype(np.float64).tolist())


@given(rows=st.lists(st.fixed_dictionaries({"a": st.floats(-1e300, 1e300), "b": WORDS}), min_size=1, max_size=8))
@EXAMPLES
def test_ndjson_keeps_every_value(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    content = "".join(json.dumps(row) + "\n" for row in rows)
    description, found = canonical(tmp_path, content.encode(), "ndjson", CAPS)
    assert same(found["a"], [float(row["a"]) for row in rows])
    if description.columns[1]["type"] == "text":
        assert same(found["b"], [row["b"] for row in rows])
    else:
        # Arrow takes words that are all timestamps for times; they stay text of the same count.
        assert len(found["b"]) == len(rows)
