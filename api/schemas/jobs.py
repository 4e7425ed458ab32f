"""Jobs as JSON."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.lists import ListDocument
from api.schemas.webhooks import WebhookTarget
from api.theory import ExtendedFloat, JobSpecification
from db.job_state import JobStatus
from db.tables import Job, JobEvent

# What every database can look up by its own JSON path.
METADATA_KEY = r'^[^"\\\x00-\x1f\x7f\[\]]{1,64}$'

MetadataKey = Annotated[str, Field(pattern=METADATA_KEY)]
MetadataValue = Annotated[str, Field(max_length=512)]


class JobSubmission(BaseModel):
    """A job to run."""

    model_config = ConfigDict(extra="forbid")

    spec: JobSpecification
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16, description="Yours; never read.")] = {}
    priority: Annotated[int, Field(strict=True, ge=-100, le=100, description="Higher is claimed earlier.")] = 0
    webhook: WebhookTarget | None = None


class JobError(BaseModel):
    """Why a job failed; `param` points into its specification where one field is to blame."""

    code: str
    message: str
    param: str | None = None


class JobProgress(BaseModel):
    """The last report of a run; `eta_seconds` is of the phase, null until there is a pace.

    `empirical_risk`: while a model trains, its newest, over the sample or a minibatch, in the units that it trains in;
    where several are tried at once, the smallest. Null where there is none.
    """

    phase: str
    step: int
    total: int
    fraction: float | None = None
    eta_seconds: float | None = None
    empirical_risk: float | None = None


class JobLinks(BaseModel):
    """Where to go on from a job."""

    self: str
    events: str
    result: str
    cancel: str
    retry: str
    report: str
    decompositions: str
    webhook_deliveries: str


class JobDocument(BaseModel):
    """A job. `attempt` counts its starts; `spec` has every default filled in."""

    id: str
    object: Literal["job"] = "job"
    kind: str
    status: JobStatus
    spec: dict[str, Any]
    priority: int
    progress: JobProgress | None
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None = Field(
        description="A cancellation is a request; the status follows when the work has stopped."
    )
    error: JobError | None
    metadata: dict[str, str]
    model_ids: list[str]
    webhook: WebhookTarget | None
    links: JobLinks


class QueueState(BaseModel):
    """Jobs waiting now, of every owner."""

    depth: int


class JobPlan(BaseModel):
    """What a job would cost; nothing is queued."""

    object: Literal["job.plan"] = "job.plan"
    kind: str
    parameters: int
    peak_memory_bytes: int
    floating_point_operations: ExtendedFloat
    estimated_seconds: ExtendedFloat
    queue: QueueState


class JobEventDocument(BaseModel):
    """Something that happened to a job; ids ascend."""

    id: str
    object: Literal["job.event"] = "job.event"
    type: str
    data: dict[str, Any]
    created_at: datetime


JobList = ListDocument[JobDocument]
JobEventList = ListDocument[JobEventDocument]


def job_document(job: Job) -> JobDocument:
    """A row as its document."""
    here = f"/v1/jobs/{job.id}"
    return JobDocument(
        id=job.id,
        kind=job.kind,
        status=JobStatus(job.status),
        spec=job.spec,
        priority=job.priority,
        progress=None if job.progress is None else JobProgress.model_validate(job.progress),
        attempt=job.attempt,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        cancel_requested_at=job.cancel_requested_at,
        error=None if job.error is None else JobError.model_validate(job.error),
        metadata=job.user_metadata,
        model_ids=job.model_ids,
        webhook=None if job.webhook_url is None else WebhookTarget(url=job.webhook_url),
        links=JobLinks(
            self=here,
            events=f"{here}/events",
            result=f"{here}/result",
            cancel=f"{here}/cancel",
            retry=f"{here}/retry",
            report=f"{here}/report",
            decompositions=f"/v1/decompositions?job_id={job.id}",
            webhook_deliveries=f"{here}/webhook_deliveries",
        ),
    )


def event_document(event: JobEvent) -> JobEventDocument:
    """A row as its document."""
    return JobEventDocument(id=str(event.id), type=event.type, data=event.data, created_at=event.created_at)
