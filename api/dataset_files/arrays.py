"""NPZ with the arrays `x` (inputs, a row an example, further axes flattened) and `y` (labels)."""

import contextlib
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from api.dataset_files.canonical import TableSource, guarded, reading_as
from api.dataset_files.caps import Caps
from api.dataset_files.column_counts import NUMBER
from api.dataset_files.refusals import refuse_file

_BATCH_CELLS = 2**20
_MAX_HEADER_BYTES = 10_000
_KINDS = "biuf"


class _Member:
    """One array of the archive: its header, checked; its rows, in order."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        if f"{name}.npy" not in archive.namelist():
            refuse_file(f"The archive has no array {name!r}; it must hold 'x' and 'y'.")
        info = archive.getinfo(f"{name}.npy")
        self.file: IO[bytes] = archive.open(info)
        version = npy_format.read_magic(self.file)
        read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        self.shape, self.fortran, self.dtype = read_header(self.file, max_header_size=_MAX_HEADER_BYTES)
        if self.dtype.kind not in _KINDS or self.dtype.hasobject:
            refuse_file(f"The array {name!r} has the type {self.dtype.str}; numbers and booleans are allowed.")
        if not self.shape or any(side < 0 for side in self.shape):
            refuse_file(f"The array {name!r} has no rows.")
        self.rows = self.shape[0]
        self.columns = math.prod(self.shape[1:])
        # Python's integers do not overflow: the size is known before anything is allocated.
        declared = self.rows * self.columns * self.dtype.itemsize
        if info.file_size - self.file.tell() != declared:
            refuse_file(f"The array {name!r} does not have the size that its header declares.")

    def batches(self, rows: int) -> Iterator[NDArray[np.float64]]:
        """Blocks of at most `rows` rows, [rows, columns] float64."""
        if self.fortran:
            whole = np.frombuffer(self.file.read(), self.dtype).reshape(self.shape, order="F")
            flat = whole.reshape(self.rows, self.columns, order="C").astype(np.float64)
            yield from (flat[start : start + rows] for start in range(0, self.rows, rows))
            return
        for start in range(0, self.rows, rows):
            count = min(rows, self.rows - start)
            block = self.file.read(count * self.columns * self.dtype.itemsize)
            yield np.frombuffer(block, self.dtype).reshape(count, self.columns).astype(np.float64)


def read_npz(path: Path, caps: Caps) -> TableSource:
    """Columns x1..xd, then y for one label or y1..yk. Nothing is unpickled."""
    with contextlib.ExitStack() as until_it_is_refused:
        with reading_as("NPZ"):
            try:
                # The file itself: an archive keeps it open while any member is.
                archive = zipfile.ZipFile(until_it_is_refused.enter_context(path.open("rb")))
                inputs, labels = _Member(archive, "x"), _Member(archive, "y")
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
                raise ValueError("not an archive that can be opened") from error
        if len(labels.shape) > 2 or inputs.columns == 0 or labels.columns == 0:
            refuse_file("'y' must be a vector or a matrix, and neither array may be without columns.")
        if inputs.rows != labels.rows:
            refuse_file(f"'x' has {inputs.rows} rows and 'y' has {labels.rows}.")
        caps.check(inputs.rows, inputs.columns + labels.columns)
        names = [f"x{index}" for index in range(1, inputs.columns + 1)]
        names += ["y"] if labels.columns == 1 else [f"y{index}" for index in range(1, labels.columns + 1)]
        batches = guarded(_batches(until_it_is_refused.pop_all(), inputs, labels, names), "NPZ")
    return TableSource(names, [NUMBER] * len(names), batches)


def _batches(
    file: contextlib.ExitStack, inputs: _Member, labels: _Member, names: list[str]
) -> Iterator[pa.RecordBatch]:
    rows = max(1, _BATCH_CELLS // len(names))
    with file:
        try:
            for x, y in zip(inputs.batches(rows), labels.batches(rows), strict=True):
                columns = [pa.array(np.ascontiguousarray(column)) for column in (*x.T, *y.T)]
                yield pa.RecordBatch.from_arrays(columns, names=names)
        except (zipfile.BadZipFile, RuntimeError) as error:
            raise ValueError("the archive is damaged") from error
