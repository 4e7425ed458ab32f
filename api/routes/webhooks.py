"""Webhooks: what was sent for a job, sent once more, and the secret that signs it. Workers do the sending."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy.exc import IntegrityError

from api.checked_route import CheckedRoute
from api.dependencies import AppServices, DeliveryPages, Reader, Submitter
from api.errors import Conflict, NotFound
from api.schemas.lists import list_document
from api.schemas.webhooks import (
    WebhookDeliveryDocument,
    WebhookDeliveryList,
    WebhookSecretDocument,
    webhook_delivery_document,
    webhook_secret_document,
)
from db.repositories.jobs import Jobs
from db.repositories.webhook_deliveries import WebhookDeliveries
from db.repositories.webhook_secrets import WebhookSecrets

router = APIRouter(prefix="/v1", tags=["webhooks"], route_class=CheckedRoute)


@router.get(
    "/jobs/{job_id}/webhook_deliveries", summary="Webhook deliveries of a job", response_model=WebhookDeliveryList
)
def list_webhook_deliveries(
    services: AppServices, principal: Reader, job_id: str, paging: DeliveryPages
) -> dict[str, Any]:
    """One for each time that the job ended. They go when the job is deleted."""
    with services.database.reading() as session:
        if Jobs(session, principal.owner).get(job_id) is None:
            raise NotFound("There is no job with this id.")
        page = WebhookDeliveries(session, principal.owner).page(
            job_id, limit=paging.limit, after=paging.after, order=paging.order
        )
    return list_document(page.items, page.has_more, webhook_delivery_document, lambda delivery: delivery.id)


@router.post(
    "/jobs/{job_id}/webhook_deliveries/{delivery_id}/redeliver",
    summary="Send a webhook once more",
    status_code=202,
    response_model=WebhookDeliveryDocument,
)
def redeliver_webhook(
    services: AppServices, principal: Submitter, job_id: str, delivery_id: str
) -> WebhookDeliveryDocument:
    """The same message with the same id, delivered already or not; with every attempt before it again."""
    with services.database.unit_of_work() as session:
        delivery = WebhookDeliveries(session, principal.owner).redeliver(job_id, delivery_id)
    if delivery is None:
        raise NotFound("There is no such delivery of a job with this id.")
    return webhook_delivery_document(delivery)


@router.get("/webhook_secret", summary="The secret that signs webhooks", response_model=WebhookSecretDocument)
def get_webhook_secret(services: AppServices, principal: Submitter) -> WebhookSecretDocument:
    """For the receiver, to verify by any library for Standard Webhooks. It signs for every key of this owner."""
    with services.database.reading() as session:
        secrets = WebhookSecrets(session, principal.owner, services.authenticator.key_secret)
        return webhook_secret_document(secrets.live())


@router.post("/webhook_secret/rotate", summary="A new secret for webhooks", response_model=WebhookSecretDocument)
def rotate_webhook_secret(services: AppServices, principal: Submitter) -> WebhookSecretDocument:
    """For a day, messages are signed under the new secret and the one before it; a second rotation ends the older."""
    try:
        with services.database.unit_of_work() as session:
            secrets = WebhookSecrets(session, principal.owner, services.authenticator.key_secret)
            secrets.rotate()
            return webhook_secret_document(secrets.live())
    except IntegrityError as error:
        raise Conflict("The secret is being rotated right now.") from error
