"""A finished job as one HTML file."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from api.dependencies import AppServices, Reader
from api.pages.report import report
from api.routes.jobs import finished_job
from api.schemas.decompositions import decomposition_document
from api.schemas.jobs import job_document
from db.repositories.decompositions import Decompositions

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MAX_CELLS = 10_000
"""Cells that a report shows; a job's grid has fewer."""


@router.get("/{job_id}/report", summary="What a job found, for the eye", response_class=HTMLResponse)
def get_report(services: AppServices, principal: Reader, job_id: str) -> HTMLResponse:
    """Figures and tables in one file that needs nothing else; 409 while there is no result."""
    with services.database.reading() as session:
        job, result = finished_job(session, principal.owner, job_id)
        decompositions = Decompositions(session, principal.owner)
        found = decompositions.ids(limit=MAX_CELLS, after=None, order="asc", order_by="created_at", job_id=job_id)
        cells = [decomposition_document(row).model_dump(mode="json") for row in decompositions.rows(found.items)]
        document = job_document(job).model_dump(mode="json")
    return report(document, result, cells)
