"""Webhooks."""

from datetime import datetime
from typing import Literal

from api.client.documents.base import Document
from api.client.documents.jobs import JobStatus


class WebhookDelivery(Document):
    """A message that a job ended. `id` is the header `webhook-id` of every attempt; `error` a word for what went wrong
    in the last one."""

    id: str
    object: Literal["webhook_delivery"]
    job_id: str
    url: str
    job_status: JobStatus
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    response_status: int | None
    error: str | None
    created_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None


class WebhookSecret(Document):
    """What signs the messages, in the form of Standard Webhooks; after a rotation the one before it, too, for a day."""

    object: Literal["webhook_secret"]
    secret: str
    previous_secret: str | None
