"""Datasets: uploaded, described, looked at, deleted."""

import hashlib
import math
import secrets
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
from fastapi import APIRouter, File, Form, Query, UploadFile
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.responses import Response

from api.checked_route import CheckedRoute
from api.dataset_files import Caps, canonicalise, format_of
from api.dependencies import AppServices, DatasetPages, Reader, Services, Submitter
from api.errors import Conflict, NotFound, TooLarge, field_problem
from api.idempotency import IdempotencyHeader, Reply, fingerprint, reply_once
from api.schemas.datasets import DatasetDocument, DatasetList, DatasetRows, dataset_document
from api.schemas.lists import list_document
from db.identifiers import new_id
from db.repositories.datasets import Datasets
from db.repositories.jobs import Jobs

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], route_class=CheckedRoute)

_CHUNK_BYTES = 2**20
_NO_DATASET = "There is no dataset with this id."


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
    file: Annotated[UploadFile, File(description="CSV in UTF-8, Parquet, Arrow IPC, NDJSON, or NPZ with x and y.")],
    name: Annotated[str | None, Form(min_length=1, max_length=200, description="Default: the file's name.")] = None,
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Numbers and booleans become float64, the rest stays text; missing and non-finite values are counted.

    The format is told by the file's name, else by its media type.
    """
    file_format = format_of(file.filename or "", file.content_type)
    shown_name = name or Path(file.filename or "").name[:200] or "dataset"
    if "\x00" in shown_name:
        raise field_problem("/name", "A name must not hold NUL.")
    staged = services.store.staging_directory() / secrets.token_hex(16)
    canonical = staged.with_suffix(".parquet")
    adopted: list[str] = []
    try:
        digest = _stage(file, staged, services.settings.max_upload_bytes)
        known = _known(services, principal.owner, digest)
        if known is None:
            described = canonicalise(staged, file_format, canonical, _caps(services))

        def create(session: Session) -> Reply:
            datasets = Datasets(session, principal.owner)
            twin = datasets.with_sha256(digest)
            if twin is not None:
                return Reply(200, dataset_document(twin).model_dump(mode="json"))
            if known is not None:
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

        request = fingerprint("POST", "/v1/datasets", f"{digest}\n{file_format}\n{name}".encode())
        reply = reply_once(services, principal.owner, idempotency_key, request, create)
        if not reply.replayed:
            adopted.clear()
    except IntegrityError as error:
        raise Conflict("The same bytes are being uploaded right now; send them again.") from error
    finally:
        staged.unlink(missing_ok=True)
        canonical.unlink(missing_ok=True)
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


def _known(services: Services, owner: str, digest: str) -> str | None:
    with services.database.reading() as session:
        dataset = Datasets(session, owner).with_sha256(digest)
    return None if dataset is None else dataset.id


def _caps(services: Services) -> Caps:
    settings = services.settings
    return Caps(settings.max_dataset_rows, settings.max_dataset_columns, settings.max_dataset_cells)


def _spelled(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
