"""Error decompositions, searched over every job."""

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.csv as pacsv
from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from api.dependencies import AppServices, Reader
from api.errors import NotFound, field_problem
from api.schemas.decompositions import (
    DecompositionDocument,
    DecompositionList,
    cell_table,
    decomposition_document,
)
from api.schemas.lists import list_document
from db.engine import Database
from db.repositories.decompositions import Decompositions, OrderBy, UnknownCursorError

router = APIRouter(prefix="/v1/decompositions", tags=["decompositions"])

Format = Literal["json", "csv", "arrow"]

MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
}
_FORMATS: dict[str, Format] = {media_type: name for name, media_type in MEDIA_TYPES.items()} | {
    "application/*": "json",
    "*/*": "json",
}
DEFAULT_LIMITS: dict[Format, int] = {"json": 20, "csv": 500, "arrow": 500}
MAX_LIMITS: dict[Format, int] = {"json": 100, "csv": 100_000, "arrow": 100_000}

BATCH_ROWS = 500
"""Rows of a table that are in memory at once."""

_Name = Annotated[str | None, Field(max_length=100)]
_Id = Annotated[str | None, Field(max_length=64)]
_Count = Annotated[int | None, Field(ge=0, le=2**31 - 1)]


class Filters(BaseModel):
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


class Search(Filters):
    """The whole query. A misspelt filter would answer with cells that nobody asked for, so that it is refused."""

    model_config = ConfigDict(extra="forbid")

    order_by: OrderBy | Literal["id"] = Field(
        default="created_at", description="Equal values follow by creation, which is also the order of ids."
    )
    order: Literal["asc", "desc"] = "desc"
    after: str | None = Field(
        default=None, pattern="^dec_[0-9a-z]{1,40}$", description="The last id of the page before."
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        le=max(MAX_LIMITS.values()),
        description=f"JSON: 1 to {MAX_LIMITS['json']}, by default {DEFAULT_LIMITS['json']}. "
        f"CSV and Arrow: 1 to {MAX_LIMITS['csv']}, by default {DEFAULT_LIMITS['csv']}.",
    )
    format: Format | None = Field(default=None, description="By default what Accept prefers, else JSON.")


@router.get(
    "",
    summary="Cells of error decompositions",
    response_model=DecompositionList,
    responses={
        200: {
            "content": {MEDIA_TYPES["csv"]: {"schema": {"type": "string"}}, MEDIA_TYPES["arrow"]: {"schema": {}}},
            "headers": {
                "Link": {
                    "description": 'A table that is not the last names the next: `<...>; rel="next"`.',
                    "schema": {"type": "string"},
                }
            },
        },
    },
)
def list_decompositions(
    request: Request,
    services: AppServices,
    principal: Reader,
    search: Annotated[Search, Query()],
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Any:
    """As JSON, or as a table that is streamed: a column for every number, named by its path in the document.

    A table that is cut off names the next one in a Link header.
    """
    chosen = search.format or accepted_format(accept)
    limit = search.limit or DEFAULT_LIMITS[chosen]
    if limit > MAX_LIMITS[chosen]:
        raise field_problem("limit", f"A {chosen.upper()} list has at most {MAX_LIMITS[chosen]} items.")
    with services.database.reading() as session:
        cells = Decompositions(session, principal.owner)
        try:
            found = cells.ids(
                limit=limit,
                after=search.after,
                order=search.order,
                order_by="created_at" if search.order_by == "id" else search.order_by,
                **search.model_dump(include=set(Filters.model_fields)),
            )
        except UnknownCursorError as error:
            raise field_problem("after", "There is no decomposition with this id.") from error
        if chosen == "json":
            rows = cells.rows(found.items)
            return list_document(rows, found.has_more, decomposition_document, lambda row: row.id)
    headers = {}
    if found.has_more:
        following = request.url.include_query_params(after=found.items[-1], format=chosen)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    tables = _tables(services.database, principal.owner, found.items)
    return StreamingResponse(_WRITERS[chosen](tables), media_type=MEDIA_TYPES[chosen], headers=headers)


@router.get("/{decomposition_id}", summary="One cell")
def get_decomposition(services: AppServices, principal: Reader, decomposition_id: str) -> DecompositionDocument:
    """A hypothesis space, a width and a sample size, averaged over its seeds."""
    with services.database.reading() as session:
        row = Decompositions(session, principal.owner).get(decomposition_id)
    if row is None:
        raise NotFound("There is no decomposition with this id.")
    return decomposition_document(row)


def accepted_format(accept: str) -> Format:
    """The format that an Accept header prefers, the first of equals; JSON where it names none of them."""
    best: Format = "json"
    best_quality = 0.0
    for item in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in item.split(";"))
        name, quality = _FORMATS.get(media_type), _quality(parameters)
        if name is not None and quality > best_quality:
            best, best_quality = name, quality
    return best


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _tables(database: Database, owner: str, ids: Sequence[str]) -> Iterator[pa.Table]:
    """Batches of rows; one, empty, where there are none. A slow client holds no connection between two of them."""
    for start in range(0, max(1, len(ids)), BATCH_ROWS):
        with database.reading() as session:
            rows = Decompositions(session, owner).rows(ids[start : start + BATCH_ROWS])
        yield cell_table(rows)


def _csv(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    for index, table in enumerate(tables):
        buffer = io.BytesIO()
        pacsv.write_csv(table, buffer, pacsv.WriteOptions(include_header=index == 0))
        yield buffer.getvalue()


def _arrow(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    buffer = io.BytesIO()
    first = next(tables)
    with pa.ipc.new_stream(buffer, first.schema) as writer:
        for table in itertools.chain([first], tables):
            writer.write_table(table)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


_WRITERS: dict[Format, Callable[[Iterator[pa.Table]], Iterator[bytes]]] = {"csv": _csv, "arrow": _arrow}
