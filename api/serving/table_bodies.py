"""Bodies of a native prediction to rows. A media type is a function in `DECODERS`."""

import csv
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from numpy.lib import format as npy

from api.errors import Malformed, Unprocessable, UnsupportedMediaType, field_problem
from api.serving.columnar_bodies import decode_arrow, decode_parquet
from api.serving.inputs import InputColumn, InputSchema, ModelRows
from api.serving.json_arrays import table_of_rows
from api.serving.rows import (
    check_column_names,
    check_row_count,
    finite_rows,
    pointer_step,
    rows_of_columns,
    rows_of_lists,
)

FORMS = ("rows", "columns", "records")


def decode_rows(body: bytes, content_type: str | None, schema: InputSchema, max_rows: int) -> ModelRows:
    """The rows of a body, columns in the order of `schema`; without a Content-Type it is JSON.

    Raises:
        Malformed: the bytes are not of the media type.
        UnsupportedMediaType: there is no decoder for it.
        Unprocessable: columns, lengths or values do not fit the model; names the first that does not.
        TooLarge: more than `max_rows` rows.
    """
    media_type = (content_type or "application/json").partition(";")[0].strip().lower()
    decoder = DECODERS.get(media_type)
    if decoder is None:
        raise UnsupportedMediaType(f"This media type is not read here; known: {', '.join(DECODERS)}.")
    return decoder(body, schema, max_rows)


def _decode_json(body: bytes, schema: InputSchema, max_rows: int) -> ModelRows:
    if schema.only_complete_numbers:
        table = table_of_rows(body, len(schema.columns))
        # Every number of valid JSON is finite.
        if table is not None and len(table) <= max_rows:
            return ModelRows(table)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed("The body is not valid JSON.") from error
    if type(document) is not dict or len(document) != 1 or next(iter(document)) not in FORMS:
        raise Unprocessable('The body must be an object with exactly one of "rows", "columns" and "records".')
    form, content = next(iter(document.items()))
    if form == "columns":
        if type(content) is not dict:
            raise field_problem("/columns", "Must be an object of lists.")
        return _from_columns(content, schema, max_rows)
    if type(content) is not list:
        raise field_problem(f"/{form}", "Must be a list.")
    check_row_count(len(content), max_rows, f"/{form}")
    return rows_of_lists(content, schema, "/rows") if form == "rows" else _from_records(content, schema)


def _from_columns(columns: dict[str, Any], schema: InputSchema, max_rows: int) -> ModelRows:
    names = schema.names
    check_column_names(list(columns), names, "/columns")
    for name, values in columns.items():
        if type(values) is not list:
            raise field_problem("/columns" + pointer_step(name), f"Column {name!r} is not a list.")
    count = len(columns[names[0]])
    check_row_count(count, max_rows, "/columns" + pointer_step(names[0]))
    for name in names:
        if len(columns[name]) != count:
            detail = f"Column {name!r} has {len(columns[name])} values, column {names[0]!r} has {count}."
            raise field_problem("/columns" + pointer_step(name), detail)
    ordered = [columns[name] for name in names]
    return rows_of_columns(ordered, schema, lambda row, name: f"/columns{pointer_step(name)}/{row}")


def _from_records(records: list[Any], schema: InputSchema) -> ModelRows:
    names = schema.names
    for index, record in enumerate(records):
        if type(record) is not dict:
            raise field_problem(f"/records/{index}", f"Record {index} is not an object.")
        check_column_names(list(record), names, f"/records/{index}", f"Record {index}: ")
    columns = [[record[name] for record in records] for name in names]
    return rows_of_columns(columns, schema, lambda row, name: f"/records/{row}{pointer_step(name)}")


def _decode_csv(body: bytes, schema: InputSchema, max_rows: int) -> ModelRows:
    try:
        table = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed("The body is not CSV in UTF-8.") from error
    lines = [line for line in table if line]
    if not lines:
        raise field_problem("", "A CSV body begins with a header of column names.")
    header, lines = lines[0], lines[1:]
    check_column_names(header, schema.names, "")
    check_row_count(len(lines), max_rows, "")
    for index, line in enumerate(lines):
        if len(line) != len(header):
            raise field_problem(f"/{index}", f"Row {index} has {len(line)} values; the header has {len(header)}.")
    columns = []
    for column in schema.columns:
        place = header.index(column.name)
        columns.append([_csv_cell(line[place], column) for line in lines])
    return rows_of_columns(columns, schema, lambda row, name: f"/{row}{pointer_step(name)}")


def _csv_cell(text: str, column: InputColumn) -> float | str | None:
    """The cell as JSON would hold it: an empty one is null, and what is no number stays text, to be refused."""
    if column.kind == "text" or not text.strip():
        return text or None
    try:
        # Python also reads 1_000, which is a number to nobody else.
        return float("" if "_" in text else text)
    except ValueError:
        return text


def _decode_npy(body: bytes, schema: InputSchema, max_rows: int) -> ModelRows:
    if schema.texts:
        raise field_problem("", f"Column {schema.texts[0].name!r} is text, which an array of numbers cannot hold.")
    shape, fortran_order, dtype, offset = _npy_header(body)
    if dtype.kind not in "fiu" or len(shape) != 2:
        raise field_problem("", "The array must be two-dimensional and of floating-point numbers or integers.")
    if math.prod(shape) * dtype.itemsize != len(body) - offset:
        raise Malformed("The array's header does not fit the number of bytes behind it.")
    check_row_count(shape[0], max_rows, "")
    names = schema.names
    if shape[1] != len(names):
        raise field_problem("", f"The array has {shape[1]} columns; the model has {len(names)} inputs.")
    array = np.frombuffer(body, dtype=dtype, offset=offset).reshape(shape, order="F" if fortran_order else "C")
    with np.errstate(over="ignore"):
        rows = array.astype(np.float64, order="C")
    return finite_rows(ModelRows(rows), schema, lambda row, name: f"/{row}/{names.index(name)}")


def _npy_header(body: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    file = io.BytesIO(body)
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read(file)
    except Exception as error:
        # The header is a Python literal: numpy's parser raises whatever it meets in it.
        raise Malformed("The body is not an NPY array.") from error
    if any(length < 0 for length in shape):
        raise Malformed("The array's header has a negative length.")
    return shape, fortran_order, dtype, file.tell()


DECODERS: dict[str, Callable[[bytes, InputSchema, int], ModelRows]] = {
    "application/json": _decode_json,
    "text/csv": _decode_csv,
    "application/x-npy": _decode_npy,
    "application/vnd.apache.arrow.stream": decode_arrow,
    "application/vnd.apache.arrow.file": decode_arrow,
    "application/vnd.apache.parquet": decode_parquet,
    "application/parquet": decode_parquet,
    "application/x-parquet": decode_parquet,
}
