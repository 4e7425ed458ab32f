"""Parquet and Arrow IPC bodies of a prediction. Nothing is decoded before its shape and its cost are known."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from flatbuffers import number_types
from flatbuffers.table import Table as Flatbuffer
from numpy.typing import NDArray

from api.errors import Malformed, TooLarge, field_problem
from api.serving.inputs import InputColumn, InputSchema, ModelRows
from api.serving.rows import check_column_names, check_row_count, finite_rows, pointer_step

_ARROW_FILE_HEAD = b"ARROW1\x00\x00"
_ARROW_ERRORS = (pa.ArrowException, OSError, EOFError, ValueError, KeyError, NotImplementedError)
_EXPANSION = 32
"""A Parquet body may decode to so many times the cap of rows of 64-bit numbers."""


def decode_parquet(body: bytes, schema: InputSchema, max_rows: int) -> ModelRows:
    """The rows of a Parquet file; its shape is checked before a page is read."""
    texts = [column.name for column in schema.texts]
    try:
        file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts)
        names, count, metadata = file.schema_arrow.names, file.metadata.num_rows, file.metadata
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        size = sum(
            group.column(place).total_uncompressed_size for group in groups for place in range(group.num_columns)
        )
    except _ARROW_ERRORS as error:
        raise Malformed("The body is not a Parquet file.") from error
    check_column_names(names, schema.names, "")
    check_row_count(count, max_rows, "")
    if size > _EXPANSION * 8 * max_rows * len(names):
        raise TooLarge("The Parquet file holds more bytes than its rows need.")
    try:
        table = file.read(use_threads=False)
    except _ARROW_ERRORS as error:
        raise Malformed("The body is not a Parquet file.") from error
    return _rows(table, schema, count)


def decode_arrow(body: bytes, schema: InputSchema, max_rows: int) -> ModelRows:
    """The rows of an Arrow IPC stream or file, not compressed inside: its own length then bounds what it holds."""
    # A file is a stream behind eight bytes, with an index at its end.
    stream = body[len(_ARROW_FILE_HEAD) :] if body.startswith(_ARROW_FILE_HEAD) else body
    try:
        if any(_is_compressed(message) for message in _messages(stream)):
            raise field_problem("", "Arrow IPC must not be compressed inside; send a Content-Encoding instead.")
        reader = pa.ipc.open_stream(pa.BufferReader(stream))
        check_column_names(reader.schema.names, schema.names, "")
        batches, count = [], 0
        for batch in reader:
            batch.validate(full=True)
            count += batch.num_rows
            if count > max_rows:
                break
            batches.append(batch)
    except _ARROW_ERRORS as error:
        raise Malformed("The body is not an Arrow IPC stream or file.") from error
    check_row_count(count, max_rows, "")
    return _rows(pa.Table.from_batches(batches, reader.schema), schema, count)


def _messages(stream: bytes) -> Iterator[Any]:
    reader = pa.ipc.MessageReader.open_stream(pa.BufferReader(stream))
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _is_compressed(message: Any) -> bool:
    """Whether a record batch, or a dictionary's, has the member `compression` (Message.fbs of the Arrow format)."""
    if message.type not in ("record batch", "dictionary"):
        return False
    content = bytes(message.metadata)
    root = Flatbuffer(content, int.from_bytes(content[:4], "little"))
    header = _member(root, 8)
    batch = _member(header, 6) if message.type == "dictionary" and header is not None else header
    return batch is not None and batch.Offset(10) != 0


def _member(table: Flatbuffer, slot: int) -> Flatbuffer | None:
    offset = table.Offset(slot)
    if offset == 0:
        return None
    place = offset + table.Pos
    return Flatbuffer(table.Bytes, place + table.Get(number_types.UOffsetTFlags, place))


def _rows(table: pa.Table, schema: InputSchema, count: int) -> ModelRows:
    numbers = np.empty((count, len(schema.numbers)))
    texts = np.empty((count, len(schema.texts)), dtype=object)
    for place, column in enumerate(schema.numbers):
        numbers[:, place] = _numbers(table.column(column.name), column)
    for place, column in enumerate(schema.texts):
        texts[:, place] = _texts(table.column(column.name), column)
    rows = ModelRows(numbers, texts if schema.texts else None)
    return finite_rows(rows, schema, lambda row, name: f"/{row}{pointer_step(name)}")


def _numbers(cells: pa.ChunkedArray, column: InputColumn) -> NDArray[np.float64]:
    kind, is_ = cells.type, pa.types
    if is_.is_boolean(kind):
        cells = cells.cast(pa.uint8())
    elif not any(test(kind) for test in (is_.is_integer, is_.is_floating, is_.is_decimal)):
        raise field_problem(pointer_step(column.name), f"Column {column.name!r} holds {kind}, not numbers.")
    # Null becomes NaN.
    return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _texts(cells: pa.ChunkedArray, column: InputColumn) -> list[str]:
    kind, is_ = cells.type, pa.types
    kind = kind.value_type if is_.is_dictionary(kind) else kind
    if not any(test(kind) for test in (is_.is_string, is_.is_large_string, is_.is_string_view)):
        raise field_problem(pointer_step(column.name), f"Column {column.name!r} holds {kind}, not text.")
    texts: list[str] = []
    for chunk in cells.chunks:
        # By its dictionary, so that a long text which stands in every row is held once.
        encoded = chunk if isinstance(chunk, pa.DictionaryArray) else chunk.dictionary_encode()
        words = [word or "" for word in encoded.dictionary.to_pylist()]
        texts += [words[place] if place is not None else "" for place in encoded.indices.to_pylist()]
    if not column.accepts_missing and "" in texts:
        row = texts.index("")
        pointer = f"/{row}{pointer_step(column.name)}"
        raise field_problem(pointer, f"Row {row}, column {column.name!r}: a text must not be empty.")
    return texts
