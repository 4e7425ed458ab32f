"""Webhooks as JSON."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.lists import ListDocument
from db.job_state import JobStatus
from db.tables import WebhookDelivery
from db.webhook_urls import MAX_LENGTH, PATTERN


class WebhookTarget(BaseModel):
    """Whom to call when the job ends: signed after Standard Webhooks, and again until it is answered with 2xx."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[
        str,
        Field(
            max_length=MAX_LENGTH,
            pattern=PATTERN,
            description="https, port 443 or above 1023, and a public address unless the operator allowed its network.",
        ),
    ]


class WebhookDeliveryDocument(BaseModel):
    """A message that a job ended. `id` is the header `webhook-id` of every attempt."""

    id: str
    object: Literal["webhook_delivery"] = "webhook_delivery"
    job_id: str
    url: str
    job_status: JobStatus = Field(description="What the message says.")
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    response_status: int | None = Field(description="Of the last attempt; null where no HTTP answer came.")
    error: str | None = Field(description="A word for why the last attempt failed, such as timeout or address_refused.")
    created_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None = Field(
        description="While an attempt is under way: when it counts as lost. Null: none will be made."
    )


class WebhookSecretDocument(BaseModel):
    """The secret under which webhooks of this owner's jobs are signed."""

    object: Literal["webhook_secret"] = "webhook_secret"
    secret: str = Field(description="In the form of Standard Webhooks: whsec_ and base64.")
    previous_secret: str | None = Field(description="For a day after a rotation: messages are signed under both.")


WebhookDeliveryList = ListDocument[WebhookDeliveryDocument]


def webhook_delivery_document(delivery: WebhookDelivery) -> WebhookDeliveryDocument:
    """A row as its document."""
    return WebhookDeliveryDocument.model_validate(delivery, from_attributes=True)


def webhook_secret_document(live: list[str]) -> WebhookSecretDocument:
    """The live secrets, the newest first, as their document."""
    return WebhookSecretDocument(secret=live[0], previous_secret=live[1] if len(live) > 1 else None)
