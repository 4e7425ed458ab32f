"""Which format a file has, by its name and else by its media type."""

from pathlib import PurePath

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
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
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.file": "arrow",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-npz": "npz",
}
KNOWN_FORMATS = f"A dataset is a file ending in {', '.join(_SUFFIXES)}, or sent as {', '.join(_MEDIA_TYPES)}."


def format_of(file_name: str, media_type: str | None) -> str | None:
    """The format, or None where neither tells."""
    known = _SUFFIXES.get(PurePath(file_name).suffix.lower())
    if known is None and media_type is not None:
        known = _MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())
    return known
