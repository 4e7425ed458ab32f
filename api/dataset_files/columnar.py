"""Parquet, Arrow IPC and newline-delimited JSON."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.json as pajson
import pyarrow.parquet as pq

from api.dataset_files.canonical import (
    TableSource,
    canonical_column,
    check_names,
    decoded_bytes,
    guarded,
    kind_of,
    reading_as,
)
from api.dataset_files.caps import Caps
from api.dataset_files.column_counts import NUMBER

_BATCH_CELLS = 2**20
_ARROW_FILE_MAGIC = b"ARROW1"


def read_parquet(path: Path, caps: Caps) -> TableSource:
    """The shape and the decompressed size are checked before any column is decoded.

    Texts stay in their dictionary until it is known how large they become: a page of a few bytes can name one long
    text a million times.
    """
    with reading_as("Parquet"):
        schema = pq.read_schema(path)
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    with reading_as("Parquet"):
        file = pq.ParquetFile(path, read_dictionary=texts)
        schema, metadata = file.schema_arrow, file.metadata
    check_names(list(schema.names), caps)
    caps.check(metadata.num_rows, len(schema.names))
    caps.check_bytes(sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)))
    batch_rows = max(1, _BATCH_CELLS // max(1, len(schema.names)))
    return _source(schema, file.iter_batches(batch_size=batch_rows, use_threads=False), "Parquet", caps)


def read_arrow(path: Path, caps: Caps) -> TableSource:
    """The file or the streaming form of Arrow IPC."""
    with path.open("rb") as opened:
        is_file = opened.read(len(_ARROW_FILE_MAGIC)) == _ARROW_FILE_MAGIC
    with reading_as("Arrow IPC"):
        if is_file:
            file = pa.ipc.open_file(pa.OSFile(str(path)))
            batches = (file.get_batch(index) for index in range(file.num_record_batches))
            return _source(file.schema, batches, "Arrow IPC", caps)
        stream: Any = pa.ipc.open_stream(pa.OSFile(str(path)))
    return _source(stream.schema, iter(stream), "Arrow IPC", caps)


def read_ndjson(path: Path, caps: Caps) -> TableSource:
    """One flat object a line; a member that is missing in some lines is null there."""
    with reading_as("newline-delimited JSON"):
        table = pajson.read_json(path, read_options=pajson.ReadOptions(use_threads=False, block_size=8 * 2**20))
    caps.check(table.num_rows, table.num_columns)
    return _source(table.schema, iter(table.to_batches()), "newline-delimited JSON", caps)


def _source(schema: pa.Schema, batches: Iterator[pa.RecordBatch], format_name: str, caps: Caps) -> TableSource:
    names = list(schema.names)
    check_names(names, caps)
    types = [kind_of(field.name, field.type) for field in schema]

    def canonical() -> Iterator[pa.RecordBatch]:
        rows = decoded = 0
        for batch in batches:
            # Before anything is made of it: a column of nulls has any length in no bytes.
            rows += batch.num_rows
            caps.check(rows, len(names))
            # Offsets, indices and text of a foreign file are not to be trusted.
            batch.validate(full=True)
            pairs = list(zip(batch.columns, types, strict=True))
            decoded += sum(8 * len(column) if kind == NUMBER else decoded_bytes(column) for column, kind in pairs)
            caps.check_bytes(decoded)
            columns = [canonical_column(column, kind) for column, kind in pairs]
            yield pa.RecordBatch.from_arrays(columns, names=names)

    return TableSource(names, types, guarded(canonical(), format_name))
