"""Uploads as tests meet them: bytes in, the canonical table out."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from api.dataset_files.canonical import TableDescription
from api.dataset_files.caps import Caps
from api.dataset_files.formats import canonicalise
from api.dataset_files.options import CsvOptions

CAPS = Caps(rows=1000, columns=50, cells=20_000, decoded_bytes=2**20, levels=1000)


def canonical(
    folder: Path, content: bytes, file_format: str, caps: Caps = CAPS, **options: Any
) -> tuple[TableDescription, Any]:
    (folder / "in").write_bytes(content)
    description = canonicalise(folder / "in", file_format, folder / "out.parquet", caps, CsvOptions(**options))
    return description, pq.read_table(folder / "out.parquet").to_pydict()


def counts(description: TableDescription) -> dict[str, tuple[str, int, int]]:
    return {column["name"]: (column["type"], column["nulls"], column["non_finite"]) for column in description.columns}
