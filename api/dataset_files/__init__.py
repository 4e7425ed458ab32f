"""Uploaded tables of every format as one canonical Parquet file: float64 numbers and UTF-8 text, in file order."""

from collections.abc import Callable
from pathlib import Path, PurePath

from api.dataset_files.arrays import read_npz
from api.dataset_files.canonical import Caps, TableDescription, TableSource, write_canonical
from api.dataset_files.columnar import read_arrow, read_ndjson, read_parquet
from api.dataset_files.delimited import read_csv
from api.errors import UnsupportedMediaType

__all__ = ["Caps", "TableDescription", "canonicalise", "format_of"]

_READERS: dict[str, Callable[[Path, Caps], TableSource]] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "ndjson": read_ndjson,
    "npz": read_npz,
}
_SUFFIXES = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".npz": "npz",
}
_MEDIA_TYPES = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.file": "arrow",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-npz": "npz",
}


def format_of(file_name: str, media_type: str | None) -> str:
    """The format, by the file's name and else by the part's media type.

    Raises:
        UnsupportedMediaType: neither tells; names the known formats.
    """
    known = _SUFFIXES.get(PurePath(file_name).suffix.lower())
    if known is None and media_type is not None:
        known = _MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())
    if known is None:
        raise UnsupportedMediaType(
            f"A dataset is a file ending in {', '.join(_SUFFIXES)}, or sent as {', '.join(_MEDIA_TYPES)}."
        )
    return known


def canonicalise(path: Path, file_format: str, destination: Path, caps: Caps) -> TableDescription:
    """Read an upload, write its canonical file, and say what is in it.

    Raises:
        Unprocessable: the file is not what it says, or no table.
        TooLarge: a cap is exceeded; names the cap.
    """
    return write_canonical(_READERS[file_format](path, caps), destination, caps)
