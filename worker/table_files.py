"""Tables on disk: the canonical Parquet of a dataset, whole or in pieces, and tables that a job writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from models.errors import InvalidData
from models.run_context import Columns
from models.tables import Table


class StoredPieces:
    """Some columns of a Parquet file, at most `rows` rows at a time. Raises InvalidData where a column is not there."""

    def __init__(self, path: Path, columns: Sequence[str], rows: int) -> None:
        self._file = pq.ParquetFile(path)
        missing = [name for name in columns if name not in self._file.schema_arrow.names]
        if missing:
            raise InvalidData(f"The table has no column {', '.join(map(repr, missing[:10]))}.", "/dataset_id")
        self._columns, self._rows_at_a_time = list(columns), rows
        self.rows = int(self._file.metadata.num_rows)

    def __iter__(self) -> Iterator[Table]:
        """From the first row to the last."""
        for batch in self._file.iter_batches(self._rows_at_a_time, columns=self._columns, use_threads=False):
            yield as_table(pa.Table.from_batches([batch]))


class TableFile:
    """A Parquet file that grows; the first piece gives the columns and their types."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, columns: Columns) -> None:
        """Append rows."""
        arrays = {
            name: pa.array(values.numpy()) if isinstance(values, torch.Tensor) else pa.array(values, pa.string())
            for name, values in columns.items()
        }
        table = pa.table(arrays)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()


def read_table(path: Path) -> Table:
    """A Parquet file: numbers and booleans become float64 with NaN for null, everything else text with None."""
    return as_table(pq.read_table(path, use_threads=False))


def as_table(stored: pa.Table) -> Table:
    """Arrow columns as the mathematics sees them."""
    numbers: dict[str, torch.Tensor] = {}
    texts: dict[str, list[str | None]] = {}
    for name, column in zip(stored.column_names, stored.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            numbers[name] = torch.from_numpy(_float64(column, kind))
        elif pa.types.is_decimal(kind):
            numbers[name] = torch.from_numpy(_float64(column.cast(pa.float64()), pa.float64()))
        else:
            texts[name] = column.cast(pa.string()).to_pylist()
    return Table(tuple(stored.column_names), numbers, texts, stored.num_rows)


def _float64(column: pa.ChunkedArray, kind: pa.DataType) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(kind)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    # Unsafe: integers beyond 2^53 are rounded, as any float64 table would.
    return np.array(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
