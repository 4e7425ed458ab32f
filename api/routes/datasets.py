"""Datasets: uploaded, described, looked at, deleted."""

import hashlib
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import pyarrow.parquet as pq
import structlog
from fastapi import APIRouter, Depends, File, Form, Query, UploadFile
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.responses import Response

from api.checked_route import CheckedRoute
from api.dataset_files.canonical import TableDescription
from api.dataset_files.caps import Caps
from api.dataset_files.format_names import KNOWN_FORMATS, format_of
from api.dataset_files.options import CsvOptions, Decimal, Delimiter, Encoding
from api.dataset_files.reading import ReadersBusy
from api.dataset_files.refusals import FileRefused
from api.dependencies import AppServices, DatasetPages, Reader, Services, Submitter
from api.errors import Conflict, NotFound, TooLarge, Unavailable, UnsupportedMediaType, field_problem
from api.idempotency import IdempotencyHeader, Reply, fingerprint, reply_once
from api.schemas.datasets import DatasetDocument, DatasetList, DatasetRows, dataset_document
from api.schemas.lists import list_document
from api.theory import MOST_LEVELS
from db.artefact_store import storage_is_full
from db.identifiers import new_id
from db.repositories.datasets import Datasets
from db.repositories.jobs import Jobs
from db.tables import Dataset

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], route_class=CheckedRoute)

logger = structlog.get_logger(__name__)

_CHUNK_BYTES = 2**20
_NO_DATASET = "There is no dataset with this id."


def csv_options(
    header: Annotated[
        bool | None,
        Form(description="CSV: whether the first row names the columns. Default: yes, refused where it holds numbers."),
    ] = None,
    delimiter: Annotated[Delimiter | None, Form(description="CSV: default is read off the first rows.")] = None,
    encoding: Annotated[
        Encoding | None, Form(description="CSV: default UTF-8, or what a byte order mark says.")
    ] = None,
    decimal: Annotated[
        Decimal | None,
        Form(description="CSV: what stands before decimals. Default: a point, refused where commas stand there."),
    ] = None,
) -> CsvOptions:
    """How CSV is to be read, as form fields."""
    return CsvOptions(header, delimiter, encoding, decimal)


@router.post(
    "",
    summary="Upload a table",
    status_code=201,
    responses={
        200: {"model": DatasetDocument, "description": "The same bytes are there already."},
        201: {
            "model": DatasetDocument,
            "headers": {"Location": {"description": "The dataset.", "schema": {"type": "string"}}},
        },
    },
)
def upload_dataset(
    services: AppServices,
    principal: Submitter,
    file: Annotated[UploadFile, File(description="CSV, Parquet, Arrow IPC, NDJSON, or NPZ with x and y.")],
    options: Annotated[CsvOptions, Depends(csv_options)],
    name: Annotated[str | None, Form(min_length=1, max_length=200, description="Default: the file's name.")] = None,
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Numbers and booleans become float64, the rest stays text; missing and non-finite values are counted.

    The format is told by the file's name, else by its media type. The same bytes are one dataset: to read a CSV file
    in another way, delete the first.
    """
    file_format = format_of(file.filename or "", file.content_type)
    if file_format is None:
        raise UnsupportedMediaType(KNOWN_FORMATS)
    shown_name = name or Path(file.filename or "").name[:200] or "dataset"
    if "\x00" in shown_name:
        raise field_problem("/name", "A name must not hold NUL.")
    adopted: list[str] = []
    try:
        with TemporaryDirectory(dir=services.store.staging_directory()) as folder:
            staged, canonical = Path(folder) / "upload", Path(folder) / "canonical.parquet"
            digest = _stage(file, staged, services.settings.max_upload_bytes)
            known = _known(services, principal.owner, digest)
            described = None
            if known is None or options.given:
                described = _read(services, staged, file_format, canonical, options)
            # One who says how the file is to be read gets the dataset that was read so, or none.
            if known is not None and described is not None and not _same_table(known, described):
                raise Conflict(f"These bytes were read in another way as dataset {known.id}; delete that one first.")

            def create(session: Session) -> Reply:
                datasets = Datasets(session, principal.owner)
                twin = datasets.with_sha256(digest)
                if twin is not None:
                    return Reply(200, dataset_document(twin).model_dump(mode="json"))
                if described is None:
                    raise Conflict("The dataset of these bytes was deleted meanwhile; upload it again.")
                identifier = new_id("ds")
                adopted.append(services.store.adopt(canonical, f"datasets/{identifier}.parquet").uri)
                dataset = datasets.add(
                    identifier=identifier,
                    name=shown_name,
                    sha256=digest,
                    format=file_format,
                    size_bytes=staged.stat().st_size,
                    rows=described.rows,
                    columns=described.columns,
                    uri=adopted[0],
                )
                document = dataset_document(dataset).model_dump(mode="json")
                return Reply(201, document, {"Location": f"/v1/datasets/{identifier}"})

            request = fingerprint("POST", "/v1/datasets", f"{digest}\n{file_format}\n{name}\n{options}".encode())
            reply = reply_once(services, principal.owner, idempotency_key, request, create)
        if not reply.replayed:
            adopted.clear()
    except OSError as error:
        if storage_is_full(error):
            logger.error("storage_full", exc_info=error)
            raise Unavailable("There is no space left to keep the file.", retry_after_seconds=60) from error
        raise
    except IntegrityError as error:
        raise Conflict("The same bytes are being uploaded right now; send them again.") from error
    finally:
        # What was adopted by a transaction that then lost to its twin.
        for uri in adopted:
            services.store.remove(uri)
    return reply.response()


@router.get("", summary="Datasets", response_model=DatasetList)
def list_datasets(services: AppServices, principal: Reader, paging: DatasetPages) -> dict[str, Any]:
    """By creation."""
    with services.database.reading() as session:
        page = Datasets(session, principal.owner).page(limit=paging.limit, after=paging.after, order=paging.order)
    return list_document(page.items, page.has_more, dataset_document, lambda dataset: dataset.id)


@router.get("/{dataset_id}", summary="One dataset")
def get_dataset(services: AppServices, principal: Reader, dataset_id: str) -> DatasetDocument:
    """Its description."""
    with services.database.reading() as session:
        dataset = Datasets(session, principal.owner).get(dataset_id)
    if dataset is None:
        raise NotFound(_NO_DATASET)
    return dataset_document(dataset)


@router.get("/{dataset_id}/rows", summary="The first rows")
def get_rows(
    services: AppServices, principal: Reader, dataset_id: str, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> DatasetRows:
    """As records; a missing value is null, and one that is not finite is "inf", "-inf" or "nan"."""
    with services.database.reading() as session:
        dataset = Datasets(session, principal.owner).get(dataset_id)
    if dataset is None:
        raise NotFound(_NO_DATASET)
    with pq.ParquetFile(services.store.path(dataset.uri)) as file:
        batch = next(file.iter_batches(batch_size=limit, use_threads=False))
    records = [{name: _spelled(value) for name, value in record.items()} for record in batch.to_pylist()]
    return DatasetRows(data=records, has_more=dataset.rows > len(records))


@router.delete("/{dataset_id}", summary="Delete a dataset", status_code=204)
def delete_dataset(services: AppServices, principal: Submitter, dataset_id: str) -> None:
    """Models that were trained on it stay."""
    with services.database.unit_of_work() as session:
        datasets = Datasets(session, principal.owner)
        dataset = datasets.take(dataset_id)
        if dataset is None:
            raise NotFound(_NO_DATASET)
        users = Jobs(session, principal.owner).active_with_dataset(dataset_id)
        if users:
            raise Conflict(f"Unfinished jobs use this dataset: {', '.join(users[:10])}.")
        datasets.delete(dataset)
    services.store.remove(dataset.uri)


def _stage(file: UploadFile, destination: Path, max_bytes: int) -> str:
    digest, size = hashlib.sha256(), 0
    with destination.open("wb") as staged:
        while chunk := file.file.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                raise TooLarge(f"The file is larger than {max_bytes} bytes.")
            digest.update(chunk)
            staged.write(chunk)
    return digest.hexdigest()


def _read(services: Services, staged: Path, file_format: str, canonical: Path, options: CsvOptions) -> TableDescription:
    settings = services.settings
    caps = Caps(
        rows=settings.max_dataset_rows,
        columns=settings.max_dataset_columns,
        cells=settings.max_dataset_cells,
        decoded_bytes=settings.max_decoded_bytes,
        levels=MOST_LEVELS,
    )
    try:
        return services.readers.read(staged, file_format, canonical, caps, options)
    except FileRefused as refused:
        if refused.status == 413:
            raise TooLarge(refused.detail) from refused
        raise field_problem(refused.pointer, refused.detail) from refused
    except ReadersBusy as busy:
        raise Unavailable(f"{settings.max_parallel_readings} files are being read; send this one again.") from busy


def _known(services: Services, owner: str, digest: str) -> Dataset | None:
    with services.database.reading() as session:
        return Datasets(session, owner).with_sha256(digest)


def _same_table(known: Dataset, described: TableDescription) -> bool:
    shapes = [
        [(column["name"], column["type"]) for column in columns] for columns in (known.columns, described.columns)
    ]
    return known.rows == described.rows and shapes[0] == shapes[1]


def _spelled(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
