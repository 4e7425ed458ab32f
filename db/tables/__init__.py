"""The tables, one a file; importing this package fills the metadata."""

from db.tables.api_keys import ApiKey
from db.tables.datasets import Dataset
from db.tables.decompositions import Decomposition
from db.tables.idempotency_keys import IdempotencyKey
from db.tables.jobs import Job, JobDataset, JobEvent
from db.tables.learned_models import LearnedModel, ModelAlias
from db.tables.webhooks import WebhookDelivery, WebhookSecret
from db.tables.workers import Worker

__all__ = [
    "ApiKey",
    "Dataset",
    "Decomposition",
    "IdempotencyKey",
    "Job",
    "JobDataset",
    "JobEvent",
    "LearnedModel",
    "ModelAlias",
    "WebhookDelivery",
    "WebhookSecret",
    "Worker",
]
