"""Tables on their way to the service: rows, columns, records, arrays, frames and files, each in its densest form.

numpy, pandas and polars are imported only where the caller's table is theirs.
"""

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl

Cell: TypeAlias = float | int | str | bool | None

Frame: TypeAlias = Union["pd.DataFrame", "pl.DataFrame"]
Table: TypeAlias = Union[
    Sequence[Sequence[Cell]],
    Mapping[str, Sequence[Cell]],
    Sequence[Mapping[str, Cell]],
    "np.ndarray[Any, Any]",
    Frame,
    "os.PathLike[str]",
]
"""Rows in the model's order of inputs, columns by name, records, a 2-d array, a frame of pandas or polars, a file."""

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".arrows": "application/vnd.apache.arrow.stream",
    ".npy": "application/x-npy",
}
"""Of a file by its ending."""


def request_content(table: Table) -> dict[str, Any]:
    """The body and its headers, as options of a request.

    Raises:
        ValueError: the ending of a file is not known, or a number is infinite.
        TypeError: this is no table.
    """
    if isinstance(table, os.PathLike):
        path = Path(table)
        return encoded(path.read_bytes(), media_type_of(path))
    if is_frame(table):
        return encoded(parquet_bytes(table), MEDIA_TYPES[".parquet"])
    if _library(table) == "numpy":
        return _array_content(table)
    if isinstance(table, Mapping):
        columns = {name: [_cell(value) for value in values] for name, values in table.items()}
        return {"json": {"columns": columns}}
    if isinstance(table, Sequence) and not isinstance(table, str | bytes):
        rows: Sequence[Any] = table
        if rows and isinstance(rows[0], Mapping):
            return {"json": {"records": [{key: _cell(cell) for key, cell in record.items()} for record in rows]}}
        return {"json": {"rows": [[_cell(cell) for cell in row] for row in rows]}}
    raise TypeError(f"{type(table).__name__} is no table: give rows, columns, records, an array, a frame or a path.")


def encoded(content: bytes, media_type: str) -> dict[str, Any]:
    """Bytes as options of a request."""
    return {"content": content, "headers": {"Content-Type": media_type}}


def media_type_of(path: Path) -> str:
    """By the file's ending.

    Raises:
        ValueError: it is none of the known ones.
    """
    known = MEDIA_TYPES.get(path.suffix.lower())
    if known is None:
        raise ValueError(f"{path.name!r} ends in none of {', '.join(MEDIA_TYPES)}.")
    return known


def is_frame(value: object) -> bool:
    """Whether it is a DataFrame of pandas or polars."""
    return _library(value) in ("pandas", "polars") and type(value).__name__ == "DataFrame"


def parquet_bytes(frame: Any) -> bytes:
    """A frame as Parquet; pandas needs pyarrow for it. The index of pandas is left out."""
    buffer = io.BytesIO()
    if _library(frame) == "polars":
        frame.write_parquet(buffer)
    else:
        frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def npz_bytes(x: Any, y: Any) -> bytes:
    """Two arrays as the NPZ file that datasets are read from: `x` [rows, inputs], `y` [rows] or [rows, outputs]."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, x=np.asarray(x, dtype=np.float64), y=np.asarray(y, dtype=np.float64))
    return buffer.getvalue()


def _array_content(array: Any) -> dict[str, Any]:
    import numpy as np

    if array.dtype.kind not in "fiub":
        return request_content(array.tolist())
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array, dtype=np.float64), allow_pickle=False)
    return encoded(buffer.getvalue(), MEDIA_TYPES[".npy"])


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def _cell(value: Any) -> Any:
    """NaN is how Python tables miss a value; numbers of numpy become Python's."""
    plain = value.item() if _library(value) == "numpy" else value
    return None if isinstance(plain, float) and math.isnan(plain) else plain
