"""What the first row of a CSV file tells: the delimiter, the names, and whether it is a header at all."""

import csv
import io
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

from api.dataset_files.options import MARKS, CsvOptions
from api.dataset_files.refusals import FileRefused, refuse_file, too_large

HEADER_BYTES = 4 * 2**20
_COMPARED_ROWS = 5

# The csv module's own cap is one of its globals; the block and the memory are what bounds a cell here.
csv.field_size_limit(sys.maxsize)


@dataclass(frozen=True)
class Layout:
    """`skip_first`: the first row holds the names. `delimiter`: the character."""

    names: list[str]
    delimiter: str
    skip_first: bool


def read_layout(path: Path, options: CsvOptions) -> Layout:
    """The layout of a UTF-8 file.

    Raises:
        FileRefused: there is no first row, it is longer than HEADER_BYTES, or it looks like data and `options.header`
            does not say which it is.
    """
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES + 1)
    cut = len(start) > HEADER_BYTES
    text = start[:HEADER_BYTES].decode("utf-8", "ignore")
    if not text.strip():
        refuse_file("The file is empty.")
    marks = [MARKS[options.delimiter]] if options.delimiter else list(MARKS.values())
    if options.decimal == "comma" and options.delimiter is None:
        marks.remove(",")
    rows = {mark: _first_rows(text, mark, cut) for mark in marks}
    if not any(rows.values()):
        if cut:
            too_large(f"The first row is longer than {HEADER_BYTES} bytes, the most allowed.")
        refuse_file("The first row is no header.")
    delimiter = max(marks, key=lambda mark: (*_plausibility(rows[mark]), mark == "," and len(rows[mark][0]) == 1))
    first = rows[delimiter][0]
    if options.header is None and any(looks_like_number(cell) for cell in first):
        refuse_file(
            "The first row holds numbers: is it data? Send header=false to read it as data, with the columns named "
            "column_1, column_2 and so on, or header=true if it holds the columns' names.",
            "/header",
        )
    if options.header is False:
        return Layout([f"column_{place}" for place in range(1, len(first) + 1)], delimiter, False)
    return Layout(first, delimiter, True)


def looks_like_number(cell: str) -> bool:
    """Whether a cell is a number, with a point or a comma."""
    if "_" in cell:
        return False
    try:
        float(cell.strip().replace(",", "."))
    except ValueError:
        return False
    return True


def _first_rows(text: str, mark: str, cut: bool) -> list[list[str]]:
    """A few rows that are not blank; of a text that was cut off, only those that end before the cut."""
    lines = io.StringIO(text, newline="")
    rows = []
    try:
        for row in itertools.islice((row for row in csv.reader(lines, delimiter=mark) if row), _COMPARED_ROWS):
            if cut and lines.tell() == len(text):
                break
            rows.append(row)
    except csv.Error as error:
        if not rows:
            raise FileRefused("The first row is no header.") from error
    return rows


def _plausibility(rows: list[list[str]]) -> tuple[bool, int]:
    """A mark that splits every row into the same number of cells comes first, then the one of more cells."""
    if not rows:
        return False, 0
    width = len(rows[0])
    return width > 1 and all(len(row) == width for row in rows), width
