"""Jobs: submitted, followed, cancelled, retried, read, deleted."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Header, Query, Request
from fastapi.sse import EventSourceResponse
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response

from api.admission import admit, check_queue
from api.checked_route import CheckedRoute
from api.dependencies import AppServices, JobPages, Reader, Submitter
from api.errors import Conflict, NotFound, field_problem
from api.event_stream import events_as_they_come, job_after_change
from api.idempotency import IdempotencyHeader, Reply, fingerprint, reply_once
from api.schemas.jobs import (
    METADATA_KEY,
    JobDocument,
    JobEventList,
    JobList,
    JobPlan,
    JobSubmission,
    event_document,
    job_document,
)
from api.schemas.lists import list_document
from api.settings import ApiSettings
from api.theory import specification_json
from db.job_state import ACTIVE, JobStatus
from db.repositories.datasets import Datasets
from db.repositories.job_events import events_after
from db.repositories.jobs import Jobs
from db.tables import Job
from db.webhook_urls import check_webhook_url

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=CheckedRoute)

_NO_JOB = "There is no job with this id."
_RETRY_AFTER_SECONDS = "1"
_METADATA_PARAMETER = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_LOCATION = {"Location": {"description": "The job.", "schema": {"type": "string"}}}
_EventId = Annotated[str | None, Query(pattern=r"^\d{1,18}$", description="The id of the last event already known.")]


@router.post(
    "",
    summary="Submit a job",
    status_code=202,
    responses={
        200: {"model": JobPlan, "description": "The plan of a dry run; nothing is queued."},
        202: {"model": JobDocument, "description": "Queued.", "headers": _LOCATION},
    },
)
def submit_job(
    request: Request,
    services: AppServices,
    principal: Submitter,
    submission: JobSubmission,
    dry_run: Annotated[bool, Query(description="Answer with the plan only.")] = False,
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """The job is checked, planned and queued; what cannot fit is refused here."""
    experiment, webhook = submission.spec, submission.webhook
    if webhook is not None:
        _check_webhook(webhook.url, services.settings)
    if dry_run:
        with services.database.reading() as session:
            plan = admit(session, principal.owner, experiment, services.settings).plan
        return JSONResponse(plan.model_dump(mode="json"))

    def create(session: Session) -> Reply:
        check_queue(session, principal.owner, services.settings)
        admission = admit(session, principal.owner, experiment, services.settings)
        job = Jobs(session, principal.owner).accept(
            kind=experiment.kind,
            spec=specification_json(experiment),
            metadata=submission.metadata,
            priority=submission.priority,
            dataset_ids=admission.dataset_ids,
            max_attempts=services.settings.max_attempts,
            request_id=request.state.request_id,
            webhook_url=None if webhook is None else webhook.url,
        )
        headers = {"Location": f"/v1/jobs/{job.id}", "Retry-After": _RETRY_AFTER_SECONDS}
        return Reply(202, job_document(job).model_dump(mode="json"), headers)

    sent = fingerprint("POST", "/v1/jobs", submission.model_dump_json().encode())
    reply = reply_once(services, principal.owner, idempotency_key, sent, create)
    response = reply.response()
    if not reply.replayed:
        services.metrics.accepted.labels(experiment.kind).inc()
        # After the answer: a broker that is down costs seconds, and its ring may be lost anyway.
        response.background = BackgroundTask(services.doorbell.ring, reply.body["id"])
    return response


@router.get(
    "",
    summary="Jobs",
    response_model=JobList,
    openapi_extra={
        "parameters": [
            {
                "name": "metadata",
                "in": "query",
                "style": "deepObject",
                "explode": True,
                "description": "`metadata[key]=value`: jobs whose metadata have all of these.",
                "schema": {"type": "object", "additionalProperties": {"type": "string"}},
            }
        ]
    },
)
def list_jobs(
    request: Request,
    services: AppServices,
    principal: Reader,
    paging: JobPages,
    status: JobStatus | None = None,
    kind: Annotated[str | None, Query(max_length=100)] = None,
    dataset_id: Annotated[str | None, Query(max_length=64)] = None,
) -> dict[str, Any]:
    """By creation, filtered."""
    with services.database.reading() as session:
        page = Jobs(session, principal.owner).page(
            limit=paging.limit,
            after=paging.after,
            order=paging.order,
            status=status,
            kind=kind,
            dataset_id=dataset_id,
            metadata=_metadata_filter(request),
        )
    return list_document(page.items, page.has_more, job_document, lambda job: job.id)


@router.get("/{job_id}", summary="One job", response_model=JobDocument)
async def get_job(
    request: Request,
    services: AppServices,
    principal: Reader,
    job_id: str,
    wait: Annotated[float, Query(ge=0, le=86_400, description="Seconds to wait for another status; capped.")] = 0,
) -> JobDocument:
    """With `wait`, as soon as the status changes, and at once where it cannot change any more."""
    seconds = min(wait, services.settings.max_wait_seconds)
    return job_document(_found(await job_after_change(request, services, principal.owner, job_id, seconds)))


@router.get(
    "/{job_id}/events",
    summary="Events of a job",
    response_model=JobEventList,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
def get_events(
    request: Request,
    services: AppServices,
    principal: Reader,
    job_id: str,
    after: _EventId = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,18}$", description="Where a stream resumes.")] = None,
) -> Any:
    """A JSON list in order; or, where text/event-stream is accepted, the events as they come until the job ends."""
    last_id = int(last_event_id or after or 0)
    with services.database.reading() as session:
        _found(Jobs(session, principal.owner).get(job_id))
        if "text/event-stream" in accept:
            stream = events_as_they_come(request, services, principal.owner, job_id, last_id)
            return EventSourceResponse(stream, headers={"X-Accel-Buffering": "no"})
        events = events_after(session, job_id, last_id, limit + 1)
    return list_document(events[:limit], len(events) > limit, event_document, lambda event: str(event.id))


@router.post(
    "/{job_id}/cancel",
    summary="Ask for a job's end",
    status_code=202,
    responses={200: {"model": JobDocument, "description": "It is cancelled already."}, 202: {"model": JobDocument}},
)
def cancel_job(services: AppServices, principal: Submitter, job_id: str) -> Response:
    """A queued job is cancelled at once; of a running one the status follows when the work has stopped."""
    with services.database.unit_of_work() as session:
        jobs = Jobs(session, principal.owner)
        before = jobs.request_cancel(job_id)
        job = _found(jobs.get(job_id))
    if before in (JobStatus.SUCCEEDED, JobStatus.FAILED):
        raise Conflict(f"The job has {before} already.")
    code = 200 if before == JobStatus.CANCELLED else 202
    return JSONResponse(job_document(job).model_dump(mode="json"), status_code=code)


@router.post("/{job_id}/retry", summary="Run a job again", status_code=202, response_model=JobDocument)
def retry_job(
    services: AppServices, principal: Submitter, job_id: str, response: Response, background: BackgroundTasks
) -> JobDocument:
    """A new attempt of a failed or cancelled job; its datasets must still be there."""
    with services.database.unit_of_work() as session:
        jobs = Jobs(session, principal.owner)
        check_queue(session, principal.owner, services.settings)
        datasets = Datasets(session, principal.owner)
        gone = [dataset_id for dataset_id in jobs.dataset_ids(job_id) if datasets.hold(dataset_id) is None]
        if gone:
            raise Conflict(f"The job's dataset {gone[0]} was deleted.")
        if not jobs.retry(job_id, services.settings.max_attempts):
            job = _found(jobs.get(job_id))
            raise Conflict(f"The job is {job.status}; only a failed or cancelled one is run again.")
        job = _found(jobs.get(job_id))
    background.add_task(services.doorbell.ring, job_id)
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return job_document(job)


@router.get("/{job_id}/result", summary="What a job found")
def get_result(services: AppServices, principal: Reader, job_id: str) -> dict[str, Any]:
    """The summary of its experiment; its models and decompositions are resources of their own."""
    with services.database.reading() as session:
        return finished_job(session, principal.owner, job_id)[1]


@router.delete("/{job_id}", summary="Delete a finished job", status_code=204)
def delete_job(services: AppServices, principal: Submitter, job_id: str) -> None:
    """With its events and decompositions; its models stay."""
    with services.database.unit_of_work() as session:
        jobs = Jobs(session, principal.owner)
        job = _found(jobs.get(job_id))
        if not jobs.delete(job_id):
            raise Conflict(f"The job is {job.status}; cancel it first.")


def finished_job(session: Session, owner: str, job_id: str) -> tuple[Job, dict[str, Any]]:
    """A job that succeeded, and its result.

    Raises:
        NotFound: there is no such job.
        Conflict: it has no result, or none yet.
    """
    jobs = Jobs(session, owner)
    job = _found(jobs.get(job_id))
    if job.status in ACTIVE:
        raise Conflict(f"The job is {job.status}; there is no result yet.")
    if job.status == JobStatus.FAILED:
        reason = (job.error or {}).get("message", "no reason is known")
        raise Conflict(f"The job failed: {reason}")
    if job.status == JobStatus.CANCELLED:
        raise Conflict("The job was cancelled; there is no result.")
    return job, _with_links(job_id, jobs.result(job_id) or {})


def _with_links(job_id: str, result: dict[str, Any]) -> dict[str, Any]:
    """The result, its files told by where they are downloaded and not by where they are stored."""
    if "files" not in result:
        return result
    files = {
        what: {"href": f"/v1/jobs/{job_id}/{what}", "sha256": file["sha256"], "size_bytes": file["size_bytes"]}
        for what, file in result["files"].items()
    }
    return result | {"files": files}


def _check_webhook(url: str, settings: ApiSettings) -> None:
    """Names are not looked up here: what counts is where they lead when they are called."""
    try:
        check_webhook_url(url, settings.webhook_allowed_networks)
    except ValueError as error:
        raise field_problem("/webhook/url", str(error)) from error


def _found(job: Job | None) -> Job:
    if job is None:
        raise NotFound(_NO_JOB)
    return job


def _metadata_filter(request: Request) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        match = _METADATA_PARAMETER.fullmatch(name)
        if match is None:
            continue
        if re.fullmatch(METADATA_KEY, match[1]) is None:
            raise field_problem(name, "This is no key that metadata may have.")
        wanted[match[1]] = value
    return wanted
