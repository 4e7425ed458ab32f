"""The formats of uploads: how each is told, and how each is read."""

from collections.abc import Callable
from pathlib import Path

from api.dataset_files.arrays import read_npz
from api.dataset_files.canonical import TableDescription, TableSource, write_canonical
from api.dataset_files.caps import Caps
from api.dataset_files.columnar import read_arrow, read_ndjson, read_parquet
from api.dataset_files.delimited import read_csv
from api.dataset_files.options import CsvOptions

_READERS: dict[str, Callable[[Path, Caps], TableSource]] = {
    "parquet": read_parquet,
    "arrow": read_arrow,
    "ndjson": read_ndjson,
    "npz": read_npz,
}


def canonicalise(path: Path, file_format: str, destination: Path, caps: Caps, options: CsvOptions) -> TableDescription:
    """Read an upload, write its canonical file, and say what is in it.

    Raises:
        FileRefused: the file is not what it says, is no table, or exceeds a cap; names the place or the cap.
    """
    options.check_format(file_format)
    source = read_csv(path, caps, options) if file_format == "csv" else _READERS[file_format](path, caps)
    return write_canonical(source, destination, caps)
