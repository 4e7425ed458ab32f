"""Error decompositions, searched over every job."""

import io
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.csv as pacsv
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.dependencies import AppServices, Reader
from api.errors import NotFound, field_problem
from api.schemas.decompositions import (
    DecompositionDocument,
    DecompositionList,
    decomposition_document,
    flat_table,
)
from api.schemas.lists import list_document
from db.repositories.decompositions import Decompositions, UnknownCursorError

router = APIRouter(prefix="/v1/decompositions", tags=["decompositions"])

MAX_TABLE_ROWS = 10_000
CSV_MEDIA_TYPE = "text/csv"
ARROW_MEDIA_TYPE = "application/vnd.apache.arrow.stream"

_Name = Annotated[str | None, Query(max_length=100)]
_Id = Annotated[str | None, Query(max_length=64)]
_Count = Annotated[int | None, Query(ge=0, le=2**31 - 1)]


@dataclass(frozen=True)
class Filters:
    """Equality on what a cell is of; a range of the sample size."""

    job_id: _Id = None
    hypothesis_space: _Name = None
    target: _Name = None
    dataset_id: _Id = None
    dimension: _Count = None
    width: _Count = None
    sample_size: _Count = None
    min_sample_size: _Count = None
    max_sample_size: _Count = None


@router.get(
    "",
    summary="Cells of error decompositions",
    response_model=DecompositionList,
    responses={
        200: {"content": {CSV_MEDIA_TYPE: {"schema": {"type": "string"}}, ARROW_MEDIA_TYPE: {"schema": {}}}},
    },
)
def list_decompositions(
    request: Request,
    services: AppServices,
    principal: Reader,
    filters: Annotated[Filters, Depends()],
    limit: Annotated[
        int | None,
        Query(ge=1, le=MAX_TABLE_ROWS, description="JSON: 1 to 100, by default 20; tables: by default all rows."),
    ] = None,
    after: Annotated[
        str | None, Query(pattern="^dec_[0-9a-z]{1,40}$", description="The last id of the page before.")
    ] = None,
    order: Literal["asc", "desc"] = "desc",
    order_by: Literal["id", "created_at", "trained_risk", "width", "sample_size"] = "created_at",
    format: Literal["json", "csv", "arrow"] = "json",
) -> Any:
    """As JSON, or flattened as a table: every estimate is a column of values and one of standard errors.

    A table that is cut off names the next one in a Link header.
    """
    if format == "json" and limit is not None and limit > 100:
        raise field_problem("limit", "A JSON list has at most 100 items.")
    with services.database.reading() as session:
        try:
            page = Decompositions(session, principal.owner).page(
                limit=limit or (20 if format == "json" else MAX_TABLE_ROWS),
                after=after,
                order=order,
                order_by="created_at" if order_by == "id" else order_by,
                **vars(filters),
            )
        except UnknownCursorError as error:
            raise field_problem("after", "There is no decomposition with this id.") from error
    if format == "json":
        return list_document(page.items, page.has_more, decomposition_document, lambda row: row.id)
    headers = {}
    if page.has_more:
        following = request.url.include_query_params(after=page.items[-1].id)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return _table_response(flat_table(page.items), format, headers)


@router.get("/{decomposition_id}", summary="One cell")
def get_decomposition(services: AppServices, principal: Reader, decomposition_id: str) -> DecompositionDocument:
    """A hypothesis space, a width and a sample size, averaged over its seeds."""
    with services.database.reading() as session:
        row = Decompositions(session, principal.owner).get(decomposition_id)
    if row is None:
        raise NotFound("There is no decomposition with this id.")
    return decomposition_document(row)


def _table_response(table: pa.Table, format: str, headers: dict[str, str]) -> Response:
    buffer = io.BytesIO()
    if format == "csv":
        pacsv.write_csv(table, buffer)
        return Response(buffer.getvalue(), media_type=CSV_MEDIA_TYPE, headers=headers)
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return Response(buffer.getvalue(), media_type=ARROW_MEDIA_TYPE, headers=headers)
