"""Tables that a job leaves to be downloaded."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, StreamingResponse
from starlette.responses import Response

from api.dependencies import AppServices, Reader
from api.errors import Conflict, NotFound
from api.serving.sessions import ServingFailure
from db.job_state import JobStatus
from db.repositories.jobs import Jobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

Format = Literal["parquet", "csv", "arrow"]
MEDIA_TYPES: dict[Format, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
}
_ROWS = 8192
_CONTENT: dict[str, Any] = {
    media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in MEDIA_TYPES.values()
}


@router.get(
    "/{job_id}/predictions",
    summary="The predictions that a job made",
    response_class=Response,
    responses={200: {"description": "A table, one row for each row that was predicted.", "content": _CONTENT}},
)
def get_predictions(
    services: AppServices,
    principal: Reader,
    job_id: str,
    file_format: Annotated[Format, Query(alias="format")] = "parquet",
) -> Response:
    """Parquet is the stored file; CSV and Arrow IPC are written from it while they are sent."""
    with services.database.reading() as session:
        jobs = Jobs(session, principal.owner)
        job = jobs.get(job_id)
        if job is None:
            raise NotFound("There is no job with this id.")
        if job.status != JobStatus.SUCCEEDED:
            raise Conflict(f"The job is {job.status}; there are no predictions.")
        entry = (jobs.result(job_id) or {}).get("files", {}).get("predictions")
    if entry is None:
        raise NotFound("This job made no predictions to download; a 'predict' job does.")
    path = services.store.path(entry["uri"])
    if not path.is_file():
        raise ServingFailure(f"The predictions of job {job_id} are gone from the store.")
    headers = {"ETag": f'"{entry["sha256"]}"'} if file_format == "parquet" else {}
    name, media_type = f"{job_id}-predictions.{file_format}", MEDIA_TYPES[file_format]
    if file_format == "parquet":
        return FileResponse(path, media_type=media_type, headers=headers, filename=name)
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return StreamingResponse(_WRITERS[file_format](path), media_type=media_type, headers=headers)


class _Sink:
    """A file that only remembers what was written since the last look."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: bytes) -> int:
        """Remember."""
        self._parts.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        """What was written; forgotten afterwards."""
        content, self._parts = b"".join(self._parts), []
        return content


def _written(path: Path, writer_of: Callable[[Any, pa.Schema], Any]) -> Iterator[bytes]:
    file, sink = pq.ParquetFile(path), _Sink()
    with writer_of(sink, file.schema_arrow) as writer:
        for batch in file.iter_batches(_ROWS, use_threads=False):
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


def _csv(path: Path) -> Iterator[bytes]:
    return _written(path, pacsv.CSVWriter)


def _arrow(path: Path) -> Iterator[bytes]:
    return _written(path, pa.ipc.new_stream)


_WRITERS: dict[Format, Callable[[Path], Iterator[bytes]]] = {"csv": _csv, "arrow": _arrow}
