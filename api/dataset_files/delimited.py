"""CSV, read twice in blocks: once to learn which columns are numbers, once to write."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from api.dataset_files.canonical import TableSource, check_names
from api.dataset_files.caps import Caps
from api.dataset_files.column_counts import DATE, NUMBER, TEXT
from api.dataset_files.delimited_cells import all_dates, first_overflow, numbers, text_among_numbers
from api.dataset_files.delimited_header import Layout, read_layout
from api.dataset_files.options import CsvOptions
from api.dataset_files.refusals import FileRefused, refuse_file
from api.dataset_files.text_encoding import as_utf8

MISSING = ["", "?", "NA", "N/A", "#N/A", "null", "NULL"]
"""Cells that are no value. NaN is a number that is not finite, and is counted as such."""

BLOCK_BYTES = 8 * 2**20


def read_csv(path: Path, caps: Caps, options: CsvOptions) -> TableSource:
    """A table whose first row names the columns, unless the options say otherwise."""
    text_file = as_utf8(path, options)
    text = text_file.path
    layout = read_layout(text, options)
    check_names(layout.names, caps)
    learnt = _Columns(text, layout, options)
    rows = 0
    for batch in _text_batches(text, layout):
        caps.check(rows + batch.num_rows, len(layout.names))
        learnt.learn(batch, rows)
        rows += batch.num_rows
    if text_file.odd_quotes:
        _check_last_quote(text, layout)
    return TableSource(layout.names, learnt.types, learnt.canonical(), learnt.first_text_rows)


class _Columns:
    """What is known of the columns after the rows seen so far."""

    def __init__(self, path: Path, layout: Layout, options: CsvOptions) -> None:
        self.path, self.layout, self.options = path, layout, options
        self.numeric = [True] * len(layout.names)
        self.dated = [True] * len(layout.names)
        self.first_text_rows: dict[str, int] = {}

    @property
    def types(self) -> list[str]:
        """The kind of each column."""
        return [NUMBER if n else DATE if d else TEXT for n, d in zip(self.numeric, self.dated, strict=True)]

    def learn(self, batch: pa.RecordBatch, before: int) -> None:
        """`before`: rows in earlier batches."""
        for place, column in enumerate(batch.columns):
            self.dated[place] = self.dated[place] and all_dates(column)
            if not self.numeric[place]:
                continue
            values = numbers(column, self.options.decimal)
            if values is None:
                self.numeric[place] = False
                if not self.dated[place]:
                    self._look_for_numbers(column, place, before)
                continue
            overflow = first_overflow(column, values)
            if overflow is not None:
                refuse_file(f"{self._cell(place, before + overflow)}: the number is beyond what a float64 can hold.")

    def _look_for_numbers(self, column: pa.Array, place: int, before: int) -> None:
        found = text_among_numbers(column)
        if found is None:
            return
        if found.decimal_comma is not None and self.options.decimal is None:
            refuse_file(
                f"{self._cell(place, before + found.decimal_comma)}: the number has a decimal comma. Send "
                "decimal=comma to read such cells as numbers, or decimal=point to keep them as text.",
                "/decimal",
            )
        if found.mostly_numbers or before > 0:
            self.first_text_rows[self.layout.names[place]] = before + found.first_text + 1

    def _cell(self, place: int, row: int) -> str:
        line = line_of_row(self.path, self.layout, row)
        return f"Column {self.layout.names[place]!r}, line {line}"

    def canonical(self) -> Iterator[pa.RecordBatch]:
        """The batches again, as numbers and text."""
        for batch in _text_batches(self.path, self.layout):
            pairs = zip(batch.columns, self.numeric, strict=True)
            columns = [numbers(column, self.options.decimal) if number else column for column, number in pairs]
            yield pa.RecordBatch.from_arrays(columns, names=self.layout.names)


def _text_batches(path: Path, layout: Layout) -> Iterator[pa.RecordBatch]:
    ragged: list[Any] = []

    def remember(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        reader = pacsv.open_csv(
            path,
            read_options=pacsv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                column_names=None if layout.skip_first else layout.names,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=layout.delimiter, newlines_in_values=True, invalid_row_handler=remember
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(layout.names, pa.string()), strings_can_be_null=True, null_values=MISSING
            ),
        )
        if reader.schema.names != layout.names:
            refuse_file("The first row is no header: its names cannot be told apart.")
        yield from reader
    except MemoryError:
        raise
    except pa.ArrowException as error:
        if ragged:
            detail = _ragged(path, layout, ragged[0])
        elif "Empty CSV" in str(error):
            detail = "The table has no rows."
        elif "straddling" in str(error):
            detail = f"A row is longer than {BLOCK_BYTES} bytes; is a quotation mark not closed?"
        else:
            detail = "The file cannot be read as CSV."
        raise FileRefused(detail) from error


def _ragged(path: Path, layout: Layout, row: Any) -> str:
    width = len(layout.names)
    for line, cells in _rows_with_lines(path, layout):
        if len(cells) != width:
            return f"Line {line} has {len(cells)} cells; the first row has {width}."
    return f"Row {row.number} has {row.actual_columns} cells; the first row has {width}."


def _check_last_quote(path: Path, layout: Layout) -> None:
    """The decoder takes all that follows an open quotation mark for its cell, without a word."""
    last = 1
    try:
        for line, _ in _rows_with_lines(path, layout, strict=True):
            last = line
    except csv.Error as error:
        if "end of data" in str(error):
            raise FileRefused(f"A quotation mark is opened after line {last} and never closed.") from error


def line_of_row(path: Path, layout: Layout, row: int) -> int:
    """The line of the file, from 1, in which a row of data (from 0) begins."""
    wanted = row + layout.skip_first
    return next(itertools.islice(_rows_with_lines(path, layout), wanted, None))[0]


def _rows_with_lines(path: Path, layout: Layout, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, the header too, behind its first line. Slow: for the wording of a refusal."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter=layout.delimiter, strict=strict)
        begins = 1
        for cells in reader:
            if cells:
                yield begins, cells
            begins = reader.line_num + 1
