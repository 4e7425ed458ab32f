"""Jobs."""

from datetime import datetime
from typing import Any, Literal

from api.client.documents.base import Document

JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]

FINISHED: frozenset[JobStatus] = frozenset({"succeeded", "failed", "cancelled"})


class JobError(Document):
    """Why a job failed; `param` points into its specification where one field is to blame."""

    code: str
    message: str
    param: str | None = None


class JobProgress(Document):
    """The last report of a run; `eta_seconds` is of the phase, None until there is a pace.

    `empirical_risk`: of the model that trains, the newest, in the units that it trains in; None where there is none.
    """

    phase: str
    step: int
    total: int
    fraction: float | None = None
    eta_seconds: float | None = None
    empirical_risk: float | None = None


class WebhookTarget(Document):
    """Whom the service calls when the job ends."""

    url: str


class JobLinks(Document):
    """Where to go on from a job."""

    self: str
    events: str
    result: str
    cancel: str
    retry: str
    report: str
    decompositions: str
    webhook_deliveries: str


class JobDocument(Document):
    """A job as it was when it was asked for; `spec` has every default filled in."""

    id: str
    object: Literal["job"]
    kind: str
    status: JobStatus
    spec: dict[str, Any]
    priority: int
    progress: JobProgress | None
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    error: JobError | None
    metadata: dict[str, str]
    model_ids: list[str]
    webhook: WebhookTarget | None
    links: JobLinks


class QueueState(Document):
    """Jobs waiting, of every owner."""

    depth: int


class JobPlan(Document):
    """What a job would cost; nothing is queued."""

    object: Literal["job.plan"]
    kind: str
    parameters: int
    peak_memory_bytes: int
    floating_point_operations: float
    estimated_seconds: float
    queue: QueueState


class JobEvent(Document):
    """Something that happened to a job; ids ascend. `type` is a status, "progress", "resumed" or "cancel_requested"."""

    id: str
    object: Literal["job.event"]
    type: str
    data: dict[str, Any]
    created_at: datetime


class JobFile(Document):
    """A file that a job left to be downloaded."""

    href: str
    sha256: str
    size_bytes: int
