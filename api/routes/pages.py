"""The pages. They hold no data of their own: their modules ask /v1 with the key of whoever looks at them."""

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse

from api.errors import NotFound
from api.pages.assets import assets
from api.pages.catalogue import described_families
from api.pages.rendering import SWAGGER_POLICY, page

router = APIRouter(include_in_schema=False)


@router.get("/")
def home() -> HTMLResponse:
    """What the service answers, the last jobs, queue and workers."""
    return page("home.html", here="/")


@router.get("/new")
def new_job() -> HTMLResponse:
    """Data, space and learner chosen in forms; the plan; the same as curl and Python."""
    return page("new_job.html", here="/new")


@router.get("/jobs/{job_id}")
def job(job_id: str) -> HTMLResponse:
    """One job as it goes, and what it found."""
    return page("job.html", here="/", job_id=job_id)


@router.get("/models")
def models() -> HTMLResponse:
    """Learned models."""
    return page("models.html", here="/models")


@router.get("/models/{name}")
def model(name: str) -> HTMLResponse:
    """One model: versions, aliases, certificate, a form to predict."""
    return page("model.html", here="/models", name=name)


@router.get("/catalogue")
def catalogue() -> HTMLResponse:
    """Every kind with its statement, assumptions, parameters and source."""
    return page("catalogue.html", here="/catalogue", families=described_families())


@router.get("/compare")
def compare() -> HTMLResponse:
    """Decompositions side by side; the selection is in the address."""
    return page("compare.html", here="/compare")


@router.get("/docs")
def docs() -> HTMLResponse:
    """The API's interactive documentation, without a content delivery network."""
    return page("docs.html", here="/docs", policy=SWAGGER_POLICY)


@router.get("/assets/{digest}/{name:path}")
def asset(digest: str, name: str) -> FileResponse:
    """A file by its content's digest; another digest is another release's, and not here."""
    known = assets()
    if digest != known.digest or name not in known.paths:
        raise NotFound("There is no such file.")
    return FileResponse(
        known.paths[name],
        media_type=known.media_type(name),
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )
