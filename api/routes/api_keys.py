"""API keys: made, listed and revoked by administrators."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import Response

from api.checked_route import CheckedRoute
from api.dependencies import Administrator, AppServices, KeyPages
from api.errors import NotFound
from api.idempotency import IdempotencyHeader, Reply, fingerprint, reply_once
from api.schemas.api_keys import ApiKeyList, ApiKeyRequest, CreatedApiKey, api_key_document
from api.schemas.lists import list_document
from db.repositories.api_keys import ApiKeys

router = APIRouter(prefix="/v1/api-keys", tags=["api keys"], route_class=CheckedRoute)


@router.post("", summary="Make a key", status_code=201, responses={201: {"model": CreatedApiKey}})
def create_api_key(
    services: AppServices, principal: Administrator, wanted: ApiKeyRequest, idempotency_key: IdempotencyHeader = None
) -> Response:
    """The secret is in this answer and nowhere else: a replayed answer has null in its place.

    The first key closes the server to requests without one.
    """

    def create(session: Session) -> Reply:
        owner, under = wanted.owner or principal.owner, services.authenticator.key_secret
        key, secret = ApiKeys(session).create(owner, wanted.name, wanted.scopes, under)
        document = CreatedApiKey(**api_key_document(key).model_dump(), secret=None)
        return Reply(201, document.model_dump(mode="json"), once={"secret": secret})

    request = fingerprint("POST", "/v1/api-keys", wanted.model_dump_json().encode())
    return reply_once(services, principal.owner, idempotency_key, request, create).response()


@router.get("", summary="Live keys", response_model=ApiKeyList)
def list_api_keys(services: AppServices, principal: Administrator, paging: KeyPages) -> dict[str, Any]:
    """Every owner's keys, without their secrets."""
    with services.database.reading() as session:
        page = ApiKeys(session).page(limit=paging.limit, after=paging.after, order=paging.order)
    return list_document(page.items, page.has_more, api_key_document, lambda key: key.id)


@router.delete("/{key_id}", summary="Revoke a key", status_code=204)
def revoke_api_key(services: AppServices, principal: Administrator, key_id: str) -> None:
    """It is dead two seconds later in every process."""
    with services.database.unit_of_work() as session:
        found = ApiKeys(session).revoke(key_id)
    if not found:
        raise NotFound("There is no live key with this id.")
