"""CSV in UTF-8, read twice in blocks: once to learn which columns are numbers, once to write."""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from api.dataset_files.canonical import DATE, NUMBER, TEXT, Caps, TableSource, check_names, refuse_file
from api.errors import field_problem

MISSING = ["", "?", "NA", "N/A", "#N/A", "null", "NULL"]
"""Cells that are no value. NaN is a number that is not finite, and is counted as such."""

_DATE = (
    r"^\s*(\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{4})"
    r"([T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?\s*$|^\s*\d{1,2}:\d{2}(:\d{2})?\s*$"
)
"""Year first with dashes or slashes, or last with dots or slashes, with or without a time; or a time alone."""

_HEADER_BYTES = 4 * 2**20
_BLOCK_BYTES = 8 * 2**20


def read_csv(path: Path, caps: Caps) -> TableSource:
    """A table whose first row names the columns; separated by the comma, semicolon or tab that the header shows."""
    names, delimiter = _header(path)
    check_names(names, caps)
    numeric, dated = [True] * len(names), [True] * len(names)
    rows = 0
    for batch in _text_batches(path, names, delimiter):
        rows += batch.num_rows
        caps.check(rows, len(names))
        numeric = [still and numbers(column) is not None for still, column in zip(numeric, batch.columns, strict=True)]
        dated = [still and _all_dates(column) for still, column in zip(dated, batch.columns, strict=True)]
    types = [NUMBER if n else DATE if d else TEXT for n, d in zip(numeric, dated, strict=True)]
    return TableSource(names, types, _canonical_batches(path, names, delimiter, numeric))


def _all_dates(column: pa.Array) -> bool:
    return bool(pc.all(pc.match_substring_regex(column, _DATE)).as_py() is not False)


def numbers(column: pa.Array) -> pa.Array | None:
    """Text as float64, spaces around it ignored; true and false are 1 and 0; None where some cell is no number."""
    trimmed = pc.utf8_trim_whitespace(column)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    try:
        return trimmed.cast(pa.float64())
    except pa.ArrowInvalid:
        lowered = pc.utf8_lower(trimmed)
        logical = pc.is_in(lowered, value_set=pa.array(["true", "false", None]))
        return pc.equal(lowered, "true").cast(pa.uint8()).cast(pa.float64()) if pc.all(logical).as_py() else None


def _header(path: Path) -> tuple[list[str], str]:
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    if not start.strip():
        refuse_file("The file is empty.")
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError:
        refuse_file("The file is not UTF-8.")
    try:
        headers = {mark: next(csv.reader(io.StringIO(text), delimiter=mark)) for mark in (",", ";", "\t")}
    except (csv.Error, StopIteration) as error:
        raise field_problem("/file", "The first row is no header.") from error
    delimiter = max(headers, key=lambda mark: len(headers[mark]))
    return headers[delimiter], delimiter


def _text_batches(path: Path, names: list[str], delimiter: str) -> Iterator[pa.RecordBatch]:
    ragged: list[Any] = []

    def remember(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        reader = pacsv.open_csv(
            path,
            read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=pacsv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=MISSING
            ),
        )
        if reader.schema.names != names:
            refuse_file("The first row is no header: its names cannot be told apart.")
        yield from reader
    except pa.ArrowException as error:
        if ragged:
            first = ragged[0]
            detail = f"Row {first.number} has {first.actual_columns} cells; the header has {first.expected_columns}."
        elif "UTF8" in str(error):
            detail = "The file is not UTF-8."
        elif "Empty CSV" in str(error):
            detail = "The table has no rows."
        else:
            detail = "The file cannot be read as CSV."
        raise field_problem("/file", detail) from error


def _canonical_batches(path: Path, names: list[str], delimiter: str, numeric: list[bool]) -> Iterator[pa.RecordBatch]:
    for batch in _text_batches(path, names, delimiter):
        pairs = zip(batch.columns, numeric, strict=True)
        columns = [numbers(column) if number else column for column, number in pairs]
        yield pa.RecordBatch.from_arrays(columns, names=names)
