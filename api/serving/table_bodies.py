"""Bodies of a native prediction: JSON, CSV or NPY to rows. A media type is a function in `DECODERS`."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.lib import format as npy

from api.errors import Malformed, Unprocessable, UnsupportedMediaType, field_problem
from api.serving.rows import (
    Rows,
    check_column_names,
    check_row_count,
    column_of_list,
    finite_rows,
    not_a_number,
    pointer_step,
    rows_of_lists,
)

FORMS = ("rows", "columns", "records")


def decode_rows(body: bytes, content_type: str | None, names: Sequence[str], max_rows: int) -> Rows:
    """The rows of a body, columns in the order of `names`; without a Content-Type it is JSON.

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
    return decoder(body, names, max_rows)


def _decode_json(body: bytes, names: Sequence[str], max_rows: int) -> Rows:
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
        return _from_columns(content, names, max_rows)
    if type(content) is not list:
        raise field_problem(f"/{form}", "Must be a list.")
    check_row_count(len(content), max_rows, f"/{form}")
    return rows_of_lists(content, names, "/rows") if form == "rows" else _from_records(content, names)


def _from_columns(columns: dict[str, Any], names: Sequence[str], max_rows: int) -> Rows:
    check_column_names(list(columns), names, "/columns")
    for name, values in columns.items():
        if type(values) is not list:
            raise field_problem("/columns" + pointer_step(name), f"Column {name!r} is not a list.")
    count = len(columns[names[0]])
    check_row_count(count, max_rows, "/columns" + pointer_step(names[0]))
    rows = np.empty((count, len(names)))
    for place, name in enumerate(names):
        pointer = "/columns" + pointer_step(name)
        if len(columns[name]) != count:
            detail = f"Column {name!r} has {len(columns[name])} values, column {names[0]!r} has {count}."
            raise field_problem(pointer, detail)
        rows[:, place] = column_of_list(columns[name], name, pointer)
    return finite_rows(rows, names, lambda row, column: f"/columns{pointer_step(names[column])}/{row}")


def _from_records(records: list[Any], names: Sequence[str]) -> Rows:
    rows = np.empty((len(records), len(names)))
    for index, record in enumerate(records):
        pointer = f"/records/{index}"
        if type(record) is not dict:
            raise field_problem(pointer, f"Record {index} is not an object.")
        check_column_names(list(record), names, pointer, f"Record {index}: ")
        values = [record[name] for name in names]
        for name, value in zip(names, values, strict=True):
            if type(value) is not float and type(value) is not int:
                raise field_problem(pointer + pointer_step(name), not_a_number(index, name))
        rows[index] = values
    return finite_rows(rows, names, lambda row, column: f"/records/{row}{pointer_step(names[column])}")


def _decode_csv(body: bytes, names: Sequence[str], max_rows: int) -> Rows:
    try:
        table = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed("The body is not CSV in UTF-8.") from error
    lines = [line for line in table if line]
    if not lines:
        raise field_problem("", "A CSV body begins with a header of column names.")
    header, lines = lines[0], lines[1:]
    check_column_names(header, names, "")
    check_row_count(len(lines), max_rows, "")
    order = [header.index(name) for name in names]
    rows = np.empty((len(lines), len(names)))
    for index, line in enumerate(lines):
        if len(line) != len(header):
            raise field_problem(f"/{index}", f"Row {index} has {len(line)} values; the header has {len(header)}.")
        for place, column in enumerate(order):
            rows[index, place] = _csv_number(line[column], index, names[place])
    return finite_rows(rows, names, lambda row, column: f"/{row}{pointer_step(names[column])}")


def _csv_number(text: str, row: int, name: str) -> float:
    try:
        # Python also reads 1_000, which is a number to nobody else.
        return float("" if "_" in text else text)
    except ValueError:
        raise field_problem(f"/{row}{pointer_step(name)}", not_a_number(row, name)) from None


def _decode_npy(body: bytes, names: Sequence[str], max_rows: int) -> Rows:
    shape, fortran_order, dtype, offset = _npy_header(body)
    if dtype.kind not in "fiu" or len(shape) != 2:
        raise field_problem("", "The array must be two-dimensional and of floating-point numbers or integers.")
    if math.prod(shape) * dtype.itemsize != len(body) - offset:
        raise Malformed("The array's header does not fit the number of bytes behind it.")
    check_row_count(shape[0], max_rows, "")
    if shape[1] != len(names):
        raise field_problem("", f"The array has {shape[1]} columns; the model has {len(names)} inputs.")
    array = np.frombuffer(body, dtype=dtype, offset=offset).reshape(shape, order="F" if fortran_order else "C")
    with np.errstate(over="ignore"):
        rows = array.astype(np.float64, order="C")
    return finite_rows(rows, names, lambda row, column: f"/{row}/{column}")


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


DECODERS: dict[str, Callable[[bytes, Sequence[str], int], Rows]] = {
    "application/json": _decode_json,
    "text/csv": _decode_csv,
    "application/x-npy": _decode_npy,
}
