"""Learned models: what they are, their aliases, their files."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import FileResponse
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.checked_route import CheckedRoute
from api.dependencies import AppServices, DecompositionPages, ModelPages, Reader, Submitter
from api.errors import Conflict, NotFound, field_problem
from api.resolution import AliasName, ModelName, VersionOrAlias, check_words, learned_model
from api.schemas.decompositions import DecompositionList, decomposition_document
from api.schemas.learned_models import (
    AliasDocument,
    AliasTarget,
    BoundsDocument,
    LearnedModelDocument,
    learned_model_document,
)
from api.schemas.lists import ListDocument, list_document
from api.serving.sessions import ServingFailure, stored_file
from db.repositories.decompositions import Decompositions
from db.repositories.learned_models import LearnedModels
from db.repositories.pages import Page
from db.tables import LearnedModel

router = APIRouter(prefix="/v1/models", tags=["learned models"], route_class=CheckedRoute)

ROLES = {"onnx": "graph", "safetensors": "weights"}
"""The stored file of each export format."""


@router.get("", summary="Learned models, the newest version of each name")
def list_models(services: AppServices, principal: Reader, paging: ModelPages) -> ListDocument[LearnedModelDocument]:
    """By creation of that version."""
    with services.database.reading() as session:
        models = LearnedModels(session, principal.owner)
        page = models.newest_page(limit=paging.limit, after=paging.after, order=paging.order)
        return _list(models, page)


@router.get("/{name}", summary="The newest version of a model")
def get_newest(services: AppServices, principal: Reader, name: ModelName) -> LearnedModelDocument:
    """The version that a prediction without a version uses."""
    with services.database.reading() as session:
        return _document(session, learned_model(session, principal.owner, name))


@router.get("/{name}/versions", summary="Every version of a model")
def list_versions(
    services: AppServices, principal: Reader, name: ModelName, paging: ModelPages
) -> ListDocument[LearnedModelDocument]:
    """By creation."""
    with services.database.reading() as session:
        learned_model(session, principal.owner, name)
        models = LearnedModels(session, principal.owner)
        page = models.versions_page(name, limit=paging.limit, after=paging.after, order=paging.order)
        return _list(models, page)


@router.get("/{name}/versions/{version}", summary="A version of a model")
def get_version(
    services: AppServices, principal: Reader, name: ModelName, version: VersionOrAlias
) -> LearnedModelDocument:
    """By number or alias."""
    with services.database.reading() as session:
        return _document(session, learned_model(session, principal.owner, name, version))


@router.delete("/{name}/versions/{version}", summary="Delete a version and its files", status_code=204)
def delete_version(services: AppServices, principal: Submitter, name: ModelName, version: VersionOrAlias) -> None:
    """409 while an alias points at it."""
    try:
        with services.database.unit_of_work() as session:
            model = learned_model(session, principal.owner, name, version)
            models = LearnedModels(session, principal.owner)
            if aliases := _aliases(models, model):
                raise Conflict(f"Version {model.version} of {name!r} is what {', '.join(aliases)} points at.")
            models.delete(model)
    except IntegrityError as error:
        raise Conflict(f"An alias was just pointed at version {version} of {name!r}.") from error
    services.directory.forget(principal.owner, name)
    services.sessions.forget(model.id)
    # After the commit: a row without files would be worse than files without a row.
    for entry in model.files.values():
        services.store.remove(entry["uri"])


@router.put("/{name}/aliases/{alias}", summary="Point an alias at a version")
def put_alias(
    services: AppServices, principal: Submitter, name: ModelName, alias: AliasName, target: AliasTarget
) -> AliasDocument:
    """Creates or moves it. Predictions by this alias are answered by that version: here from the next one on, in other
    processes of the API within a second."""
    check_words(name, alias)
    if alias.isdecimal():
        raise field_problem("alias", "An alias must not be a number: numbers are versions.")
    with services.database.unit_of_work() as session:
        model = learned_model(session, principal.owner, name, str(target.version))
        LearnedModels(session, principal.owner).point(name, alias, model.version)
    services.directory.forget(principal.owner, name)
    return AliasDocument(name=name, alias=alias, version=target.version)


@router.delete("/{name}/aliases/{alias}", summary="Remove an alias", status_code=204)
def delete_alias(services: AppServices, principal: Submitter, name: ModelName, alias: AliasName) -> None:
    """The version stays."""
    check_words(name, alias)
    with services.database.unit_of_work() as session:
        if not LearnedModels(session, principal.owner).unpoint(name, alias):
            raise NotFound(f"There is no alias {alias!r} of model {name!r}.")
    services.directory.forget(principal.owner, name)


@router.get(
    "/{name}/versions/{version}/export",
    summary="The stored file of a version",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The very bytes that are served; the ETag is their sha256.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        304: {"description": "The client has these bytes."},
    },
)
def export_version(
    services: AppServices,
    principal: Reader,
    name: ModelName,
    version: VersionOrAlias,
    file_format: Annotated[Literal["onnx", "safetensors"], Query(alias="format")] = "onnx",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The ONNX graph takes raw rows and answers in label units; safetensors hold the parameters."""
    with services.database.reading() as session:
        model = learned_model(session, principal.owner, name, version)
    entry = stored_file(model, ROLES[file_format])
    tag = f'"{entry["sha256"]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    path = services.store.path(entry["uri"])
    if not path.is_file():
        raise ServingFailure(f"The {file_format} file of {name!r}, version {model.version}, is gone from the store.")
    file_name = f"{model.name}-v{model.version}.{file_format}"
    return FileResponse(path, media_type="application/octet-stream", headers=headers, filename=file_name)


@router.get("/{name}/versions/{version}/bounds", summary="The bounds of a version's risk")
def get_bounds(services: AppServices, principal: Reader, name: ModelName, version: VersionOrAlias) -> BoundsDocument:
    """Bounds evaluated when it was learnt, and those that later jobs evaluated."""
    with services.database.reading() as session:
        model = learned_model(session, principal.owner, name, version)
    return BoundsDocument(name=model.name, version=model.version, bounds=model.bounds)


@router.get(
    "/{name}/versions/{version}/error-decomposition", summary="The error decompositions of the job that made a version"
)
def get_error_decomposition(
    services: AppServices, principal: Reader, name: ModelName, version: VersionOrAlias, paging: DecompositionPages
) -> DecompositionList:
    """The cells of that job's grid; 404 where it made none."""
    with services.database.reading() as session:
        model = learned_model(session, principal.owner, name, version)
        cells = Decompositions(session, principal.owner)
        job_id = model.job_id
        if job_id is None or not cells.page(limit=1, after=None, order="asc", job_id=job_id).items:
            raise NotFound(
                f"No error decomposition is stored for {name!r}, version {model.version}: "
                "the job that made it decomposed nothing. A 'decompose_error' job makes one."
            )
        page = cells.page(limit=paging.limit, after=paging.after, order=paging.order, job_id=job_id)
    return DecompositionList.model_validate(
        list_document(page.items, page.has_more, decomposition_document, lambda cell: cell.id)
    )


def _aliases(models: LearnedModels, model: LearnedModel) -> list[str]:
    return [alias.alias for alias in models.aliases(model.name) if alias.version == model.version]


def _document(session: Session, model: LearnedModel) -> LearnedModelDocument:
    return learned_model_document(model, _aliases(LearnedModels(session, model.owner), model))


def _list(models: LearnedModels, page: Page[LearnedModel]) -> ListDocument[LearnedModelDocument]:
    pointing = {name: models.aliases(name) for name in {model.name for model in page.items}}

    def render(model: LearnedModel) -> LearnedModelDocument:
        aliases = [alias.alias for alias in pointing[model.name] if alias.version == model.version]
        return learned_model_document(model, aliases)

    return ListDocument[LearnedModelDocument].model_validate(
        list_document(page.items, page.has_more, render, lambda model: model.id)
    )
