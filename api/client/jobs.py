"""Jobs: submitted, waited for, cancelled, run again, and what they found."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

from api.client.connection import Connection, place
from api.client.decompositions import DecompositionSearch
from api.client.documents.jobs import (
    FINISHED,
    JobDocument,
    JobError,
    JobEvent,
    JobFile,
    JobPlan,
    JobProgress,
    JobStatus,
)
from api.client.documents.webhooks import WebhookDelivery
from api.client.downloads import Destination, download
from api.client.errors import JobCancelled, JobFailed, WaitTimeout
from api.client.following import DeadlinePassed, EventFollower


class Job:
    """A job of the service. `document` is as it was last asked for; `refresh` and `wait` renew it."""

    def __init__(self, connection: Connection, document: JobDocument) -> None:
        self._connection = connection
        self.document = document

    def __repr__(self) -> str:
        return f"<Job {self.id}: {self.kind}, {self.status}>"

    @property
    def id(self) -> str:
        """`job_...`"""
        return self.document.id

    @property
    def kind(self) -> str:
        """Of its experiment."""
        return self.document.kind

    @property
    def status(self) -> JobStatus:
        """As last asked for."""
        return self.document.status

    @property
    def is_finished(self) -> bool:
        """Whether the status cannot change any more, but by `retry`."""
        return self.status in FINISHED

    @property
    def progress(self) -> JobProgress | None:
        """The last report, as last asked for."""
        return self.document.progress

    @property
    def error(self) -> JobError | None:
        """Why it failed."""
        return self.document.error

    def refresh(self, *, wait_seconds: float = 0) -> Self:
        """Ask again. `wait_seconds`: let the service answer when the status changes, or after so long."""
        # The answer comes later than others by design.
        options = {"timeout": wait_seconds + 30} if wait_seconds else {}
        params = {"wait": wait_seconds or None}
        self._renew(self._connection.get(place("/v1/jobs/{}", self.id), params, **options))
        return self

    def wait(
        self,
        *,
        timeout: float | None = None,
        progress: bool = False,
        on_event: Callable[[JobEvent], None] | None = None,
    ) -> Self:
        """Return when it has succeeded. `progress` shows a bar with phase and time left, on standard error.

        `on_event` is called with every event, those before this call included.

        A connection that is lost on the way is made again. An interrupt (Ctrl-C) ends the waiting, not the job.

        Raises:
            JobFailed: with the reason.
            JobCancelled: somebody asked for its end.
            WaitTimeout: it was not finished after `timeout` seconds; it goes on.
            ServiceUnreachable: the service was gone for longer than the retries last.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with contextlib.ExitStack() as stack:
            told = [] if on_event is None else [on_event]
            if progress:
                from api.client.progress import ProgressBar

                told.append(stack.enter_context(ProgressBar(f"{self.kind} {self.id}")).show)
            try:
                for event in EventFollower(self._connection, self.id, deadline=deadline):
                    for tell in told:
                        tell(event)
            except DeadlinePassed:
                raise WaitTimeout(self.refresh().document, timeout or 0.0) from None
        return self.refresh().check()

    def check(self) -> Self:
        """Itself, where it has not ended without a result.

        Raises:
            JobFailed, JobCancelled: as `wait` does.
        """
        if self.status == "failed":
            reason = "no reason is known" if self.error is None else f"{self.error.message} ({self.error.code})"
            raise JobFailed(self.document, f"Job {self.id} failed: {reason}")
        if self.status == "cancelled":
            raise JobCancelled(self.document, f"Job {self.id} was cancelled.")
        return self

    def events(self, *, after: str = "0", follow: bool = False) -> Iterator[JobEvent]:
        """What happened, above the id `after`; `follow`: and what happens, until the job is finished."""
        if follow:
            yield from EventFollower(self._connection, self.id, after)
            return
        for item in self._connection.pages(place("/v1/jobs/{}/events", self.id), {"after": after}):
            yield JobEvent.model_validate(item)

    def cancel(self) -> Self:
        """Ask for its end; the status follows when the work has stopped. Conflict where it is finished otherwise."""
        self._renew(self._connection.post(place("/v1/jobs/{}/cancel", self.id), repeatable=True))
        return self

    def retry(self) -> Self:
        """Run it again, where it failed or was cancelled; Conflict otherwise."""
        self._renew(self._connection.post(place("/v1/jobs/{}/retry", self.id)))
        return self

    def delete(self) -> None:
        """With its events and decompositions; its models stay. Conflict while it is active."""
        self._connection.send("DELETE", place("/v1/jobs/{}", self.id))

    def result(self) -> dict[str, Any]:
        """What it found, as its experiment says it. Conflict where there is no result."""
        found: dict[str, Any] = self._connection.get(place("/v1/jobs/{}/result", self.id))
        return found

    def report(self) -> str:
        """The result as one HTML file that needs nothing else."""
        return self._connection.send("GET", place("/v1/jobs/{}/report", self.id)).text

    def files(self) -> dict[str, JobFile]:
        """Files that it left to be downloaded, by name."""
        return {name: JobFile.model_validate(file) for name, file in self.result().get("files", {}).items()}

    def predictions(self, to: Destination, format: Literal["parquet", "csv", "arrow"] = "parquet") -> None:
        """Write the table that a job of kind `predict` made."""
        download(self._connection, place("/v1/jobs/{}/predictions", self.id), to, {"format": format})

    def decompositions(self, **filters: Any) -> DecompositionSearch:
        """Its cells, as `client.decompositions` finds them; in the order in which they were computed."""
        return DecompositionSearch(self._connection, {"order": "asc", **filters, "job_id": self.id})

    def webhook_deliveries(self) -> Iterator[WebhookDelivery]:
        """What its webhook was told, one message for each time that it ended."""
        for item in self._connection.pages(place("/v1/jobs/{}/webhook_deliveries", self.id)):
            yield WebhookDelivery.model_validate(item)

    def redeliver(self, delivery_id: str) -> WebhookDelivery:
        """Tell its webhook once more: the same message with the same id."""
        path = place("/v1/jobs/{}/webhook_deliveries/{}/redeliver", self.id, delivery_id)
        return WebhookDelivery.model_validate(self._connection.post(path, repeatable=True))

    def _renew(self, document: Any) -> None:
        self.document = JobDocument.model_validate(document)


class Jobs:
    """The jobs of one owner."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def submit(
        self,
        spec: Mapping[str, Any],
        *,
        metadata: Mapping[str, str] | None = None,
        priority: int = 0,
        webhook: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Queue a job. Sent again after a lost answer, it is still one job.

        `webhook`: an https address that the service calls when the job ends, see `client.webhooks`.
        `idempotency_key`: one of your own, so that another process that submits the same gets this job.

        Raises:
            Unprocessable: `field_errors` name what is wrong with the specification.
        """
        body: dict[str, Any] = {"spec": dict(spec), "metadata": dict(metadata or {}), "priority": priority}
        if webhook is not None:
            body["webhook"] = {"url": webhook}
        return self._job(self._connection.create("/v1/jobs", key=idempotency_key, json=body))

    def plan(self, spec: Mapping[str, Any]) -> JobPlan:
        """What it would cost: parameters, memory, operations, seconds. Nothing is queued."""
        params, body = {"dry_run": "true"}, {"spec": dict(spec)}
        return JobPlan.model_validate(self._connection.post("/v1/jobs", repeatable=True, params=params, json=body))

    def get(self, job_id: str) -> Job:
        """A job."""
        return self._job(self._connection.get(place("/v1/jobs/{}", job_id)))

    def list(
        self,
        *,
        status: JobStatus | None = None,
        kind: str | None = None,
        dataset_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> Iterator[Job]:
        """Jobs by creation, the newest first; filtered by equality, and by every entry of `metadata`."""
        params: dict[str, Any] = {"status": status, "kind": kind, "dataset_id": dataset_id, "order": order}
        params |= {f"metadata[{key}]": value for key, value in (metadata or {}).items()}
        return (self._job(item) for item in self._connection.pages("/v1/jobs", params))

    def _job(self, document: Any) -> Job:
        return Job(self._connection, JobDocument.model_validate(document))
