"""Datasets: uploaded once, however often they are sent."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias, Union

from api.client.connection import Connection, place
from api.client.documents.datasets import Dataset, DatasetRows
from api.client.tables import Frame, is_frame, npz_bytes, parquet_bytes

Source: TypeAlias = Union["os.PathLike[str]", str, bytes, IO[bytes], Frame]


class Datasets:
    """The datasets of one owner."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload(
        self,
        source: Source,
        *,
        name: str | None = None,
        file_name: str | None = None,
        header: bool | None = None,
        delimiter: Literal["comma", "semicolon", "tab", "pipe"] | None = None,
        encoding: str | None = None,
        decimal: Literal["point", "comma"] | None = None,
        idempotency_key: str | None = None,
    ) -> Dataset:
        """A table: CSV, Parquet, Arrow IPC, NDJSON or NPZ. The same bytes are the same dataset.

        `source`: a path, bytes, an open binary file that can be wound back, or a frame of pandas or polars.
        `file_name`: its ending tells the format; needed with bytes and with files that have no name.
        `header`, `delimiter`, `encoding`, `decimal`: how CSV is to be read; by default as the file looks.

        Raises:
            Unprocessable: the table cannot be read; the words name column and line.
            ValueError: nothing tells the format.
        """
        told = {"name": name, "delimiter": delimiter, "encoding": encoding, "decimal": decimal}
        fields = {field: value for field, value in told.items() if value is not None}
        if header is not None:
            fields["header"] = "true" if header else "false"
        with contextlib.ExitStack() as stack:
            shown, content = _opened(source, file_name, name, stack)
            body = _multipart(shown, content, fields)
            return Dataset.model_validate(self._connection.create("/v1/datasets", key=idempotency_key, body=body))

    def upload_arrays(self, x: Any, y: Any, *, name: str) -> Dataset:
        """Inputs `x` [rows, inputs] and labels `y` [rows] or [rows, outputs]; needs numpy."""
        return self.upload(npz_bytes(x, y), name=name, file_name=f"{name}.npz")

    def get(self, dataset_id: str) -> Dataset:
        """Its description."""
        return Dataset.model_validate(self._connection.get(place("/v1/datasets/{}", dataset_id)))

    def rows(self, dataset_id: str, limit: int = 20) -> DatasetRows:
        """The first rows, at most 100."""
        found = self._connection.get(place("/v1/datasets/{}/rows", dataset_id), {"limit": limit})
        return DatasetRows.model_validate(found)

    def delete(self, dataset_id: str) -> None:
        """Models that were trained on it stay; Conflict while an unfinished job uses it."""
        self._connection.send("DELETE", place("/v1/datasets/{}", dataset_id))

    def list(self, *, order: Literal["asc", "desc"] = "desc") -> Iterator[Dataset]:
        """Datasets by creation, the newest first."""
        pages = self._connection.pages("/v1/datasets", {"order": order})
        return (Dataset.model_validate(item) for item in pages)


def _opened(
    source: Source, file_name: str | None, name: str | None, stack: contextlib.ExitStack
) -> tuple[str, bytes | IO[bytes]]:
    """The file's name and its content; what is opened here is closed by `stack`."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return file_name or path.name, stack.enter_context(path.open("rb"))
    if is_frame(source):
        return file_name or f"{name or 'table'}.parquet", parquet_bytes(source)
    if not isinstance(source, bytes) and not hasattr(source, "read"):
        raise TypeError(f"{type(source).__name__} cannot be uploaded: give a path, bytes, a binary file or a frame.")
    shown = file_name or Path(str(getattr(source, "name", ""))).name
    if not shown:
        raise ValueError("Give a file_name: its ending tells the format.")
    return shown, source  # type: ignore[return-value]


def _multipart(shown: str, content: bytes | IO[bytes], fields: Mapping[str, str]) -> Callable[[], dict[str, Any]]:
    """Makes the form anew for every try, from where the file stands now."""
    start = 0 if isinstance(content, bytes) else content.tell()

    def form() -> dict[str, Any]:
        if not isinstance(content, bytes):
            content.seek(start)
        return {"files": {"file": (shown, content)}, "data": fields}

    return form
