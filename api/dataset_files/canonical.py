"""The canonical file: how columns become numbers or text, and what is refused on the way."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.dataset_files.caps import Caps
from api.dataset_files.column_counts import DATE, NUMBER, TEXT, ColumnCounts
from api.dataset_files.refusals import FileRefused, refuse_file

MAX_NAME_LENGTH = 500


@dataclass(frozen=True)
class TableSource:
    """A table to be written: batches whose columns are float64 (NUMBER) or string (TEXT, DATE) already.

    `first_text_rows`: of text columns that are numbers for the most part, the first row that is none, from 1.
    """

    names: Sequence[str]
    types: Sequence[str]
    batches: Iterator[pa.RecordBatch]
    first_text_rows: Mapping[str, int] = field(default_factory=dict)

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


@contextmanager
def reading_as(format_name: str) -> Iterator[None]:
    """Whatever a decoder trips over means that the file is not of this format; its message may quote the data.

    A decoder that ran out of memory is told apart: the reading process answers for its limit.
    """
    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, ValueError, OSError, KeyError, EOFError, RecursionError) as error:
        raise FileRefused(f"The file cannot be read as {format_name}.") from error


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
    # A nested type's own name can be as long as its file.
    shown = str(data_type)[:100]
    return refuse_file(f"Column {name!r} holds values of type {shown}; numbers, booleans and text are allowed.")


def decoded_bytes(column: pa.Array) -> int:
    """Bytes of a column's values as they will be written, before a dictionary is spread over its rows."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    values = column.dictionary
    if kind_of("", values.type) != TEXT:
        return 8 * len(column)
    return int(pc.sum(pc.binary_length(values).take(column.indices)).as_py() or 0) + 8 * len(column)


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
        FileRefused: there is no row, a text holds NUL, or there are more rows, cells or bytes than the caps allow;
            what was written so far is the caller's to remove.
    """
    rows = decoded = 0
    counts = [ColumnCounts(kind, caps.levels) for kind in source.types]
    with pq.ParquetWriter(destination, source.schema) as writer:
        for batch in source.batches:
            rows += batch.num_rows
            decoded += batch.nbytes
            caps.check(rows, len(source.names))
            caps.check_bytes(decoded)
            for name, count, column in zip(source.names, counts, batch.columns, strict=True):
                if count.kind == TEXT and pc.any(pc.match_substring(column, "\x00")).as_py():
                    refuse_file(f"Column {name!r} holds a text with NUL, which no database stores.")
                count.add(column)
            writer.write_batch(batch)
    if rows == 0:
        refuse_file("The table has no rows.")
    columns = []
    for name, count in zip(source.names, counts, strict=True):
        columns.append({"name": name, **count.description(), "first_text_row": source.first_text_rows.get(name)})
    return TableDescription(rows, columns)
