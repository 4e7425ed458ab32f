"""The canonical file: how columns become numbers or text, what is counted, and what is refused."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.errors import TooLarge, field_problem
from api.theory import MOST_LEVELS

NUMBER, TEXT, DATE = "number", "text", "date"
MAX_NAME_LENGTH = 500


@dataclass(frozen=True)
class Caps:
    """The largest table that is taken."""

    rows: int
    columns: int
    cells: int

    def check(self, rows: int, columns: int) -> None:
        """Refuse a table of this shape where it is too large. Raises TooLarge with the number."""
        if columns > self.columns:
            raise TooLarge(f"The table has {columns} columns; at most {self.columns} are allowed.")
        if rows > self.rows:
            raise TooLarge(f"The table has more than {self.rows} rows, the most that are allowed.")
        if rows * columns > self.cells:
            raise TooLarge(f"The table has more than {self.cells} cells (rows times columns), the most allowed.")


@dataclass(frozen=True)
class TableSource:
    """A table to be written: batches whose columns are float64 (NUMBER) or string (TEXT, DATE) already."""

    names: Sequence[str]
    types: Sequence[str]
    batches: Iterator[pa.RecordBatch]

    @property
    def schema(self) -> pa.Schema:
        """Of every batch."""
        kinds = [pa.float64() if kind == NUMBER else pa.string() for kind in self.types]
        return pa.schema(list(zip(self.names, kinds, strict=True)))


@dataclass(frozen=True)
class TableDescription:
    """What the dataset's row will say."""

    rows: int
    columns: list[dict[str, Any]]


def refuse_file(detail: str) -> NoReturn:
    """The upload is no table that can be used; `detail` never quotes its values."""
    raise field_problem("/file", detail)


@contextmanager
def reading_as(format_name: str) -> Iterator[None]:
    """Whatever a decoder trips over means that the file is not of this format; its message may quote the data."""
    try:
        yield
    except (pa.ArrowException, ValueError, OSError, KeyError, EOFError) as error:
        raise field_problem("/file", f"The file cannot be read as {format_name}.") from error


def guarded(batches: Iterator[pa.RecordBatch], format_name: str) -> Iterator[pa.RecordBatch]:
    """The batches, with `reading_as` around every step of the decoder and not around what is done with them."""
    while True:
        with reading_as(format_name):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def check_names(names: Sequence[str], caps: Caps) -> None:
    """Refuse names that could not be pointed at: none, empty, double, or not printable."""
    if not names:
        refuse_file("The table has no columns.")
    caps.check(0, len(names))
    for position, name in enumerate(names, start=1):
        if not name.strip():
            refuse_file(f"Column {position} of {len(names)} has no name.")
        if len(name) > MAX_NAME_LENGTH or not name.isprintable():
            refuse_file(f"The name of column {position} is longer than {MAX_NAME_LENGTH} or holds control characters.")
    doubled = [name for name, times in Counter(names).items() if times > 1]
    if doubled:
        refuse_file(f"Column {doubled[0]!r} is there twice.")


def kind_of(name: str, data_type: pa.DataType) -> str:
    """NUMBER, TEXT or DATE (times too) for an Arrow type; other types are refused by the column's name."""
    if pa.types.is_dictionary(data_type):
        data_type = data_type.value_type
    is_ = pa.types
    numeric = (is_.is_integer, is_.is_floating, is_.is_boolean, is_.is_decimal, is_.is_null)
    if any(test(data_type) for test in numeric):
        return NUMBER
    if any(test(data_type) for test in (is_.is_date, is_.is_time, is_.is_timestamp)):
        return DATE
    if any(test(data_type) for test in (is_.is_string, is_.is_large_string, is_.is_string_view)):
        return TEXT
    return refuse_file(f"Column {name!r} holds values of type {data_type}; numbers, booleans and text are allowed.")


def canonical_column(column: pa.Array, kind: str) -> pa.Array:
    """A column as float64 or string; integers beyond 2^53 are rounded to the nearest float64."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kind != NUMBER:
        return column.cast(pa.string())
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return column.cast(pa.float64(), safe=False)


def write_canonical(source: TableSource, destination: Path, caps: Caps) -> TableDescription:
    """Write the batches one by one, counting.

    Raises:
        Unprocessable: there is no row.
        TooLarge: more rows or cells than the caps allow; what was written so far is the caller's to remove.
    """
    rows = 0
    counts = [_Counts(kind) for kind in source.types]
    with pq.ParquetWriter(destination, source.schema) as writer:
        for batch in source.batches:
            rows += batch.num_rows
            caps.check(rows, len(source.names))
            for count, column in zip(counts, batch.columns, strict=True):
                count.add(column)
            writer.write_batch(batch)
    if rows == 0:
        refuse_file("The table has no rows.")
    described = zip(source.names, counts, strict=True)
    return TableDescription(rows, [{"name": name, **count.description()} for name, count in described])


class _Counts:
    """What is counted of one column while it is written."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.nulls = self.non_finite = self.infinite = 0
        self.values: set[Any] | None = set()

    def add(self, column: pa.Array) -> None:
        """Count one batch."""
        self.nulls += column.null_count
        if self.kind == NUMBER:
            finite = pc.sum(pc.is_finite(column)).as_py() or 0
            self.non_finite += len(column) - column.null_count - finite
            self.infinite += pc.sum(pc.is_inf(column)).as_py() or 0
            column = column.filter(pc.is_finite(column), null_selection_behavior="drop")
        if self.values is not None:
            self.values.update(pc.unique(column.drop_null()).to_pylist())
            if len(self.values) > MOST_LEVELS:
                self.values = None

    def description(self) -> dict[str, Any]:
        """The members of the column's description."""
        return {
            "type": self.kind,
            "nulls": self.nulls,
            "non_finite": self.non_finite,
            "infinite": self.infinite,
            "distinct": None if self.values is None else len(self.values),
        }
