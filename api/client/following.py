"""The events of a job as they come, over a connection that may be lost."""

import math
import time
from collections.abc import Iterator

import httpx

from api.client.connection import Connection, place
from api.client.documents.jobs import FINISHED, JobDocument, JobEvent
from api.client.errors import RiskscopeError, ServiceUnreachable
from api.client.server_sent_events import event_data

QUIET_SECONDS = 45.0
"""A stream that is silent for so long is lost: the service sends a comment every 15 seconds."""

_STREAM = {"Accept": "text/event-stream"}


class DeadlinePassed(RiskscopeError):
    """The time to follow is over."""


class EventFollower:
    """Iterates over the events above `after`, each once and in order, until the job is finished and its last was given.

    `last_id` is the id of the last event given; `deadline` is of time.monotonic.
    """

    def __init__(self, connection: Connection, job_id: str, after: str = "0", deadline: float = math.inf) -> None:
        self.last_id = after
        self._connection = connection
        self._job = place("/v1/jobs/{}", job_id)
        self._deadline = deadline
        self._alive = False

    def __iter__(self) -> Iterator[JobEvent]:
        """Events.

        Raises:
            DeadlinePassed: the deadline came first.
            ServiceUnreachable: streams were lost one after the other, and nothing came over them.
        """
        losses = 0
        while True:
            self._alive, lost = False, None
            try:
                yield from self._stream()
            except httpx.TransportError as error:
                lost = error
            if lost is None and self._is_over():
                # What a stream that was cut short has not sent.
                yield from self._rest()
                return
            self._check_deadline()
            losses = 1 if self._alive else losses + 1
            delay = self._connection.policy.delay_seconds(losses)
            if delay is None:
                raise ServiceUnreachable(f"{self._connection.base_url} ends every stream of events.") from lost
            self._connection.sleep(delay)

    def _stream(self) -> Iterator[JobEvent]:
        headers = _STREAM | {"Last-Event-ID": self.last_id}
        with self._connection.streamed(f"{self._job}/events", headers=headers, timeout=self._timeout()) as response:
            for data in event_data(self._lines(response)):
                event = JobEvent.model_validate_json(data)
                self.last_id = event.id
                yield event

    def _lines(self, response: httpx.Response) -> Iterator[str]:
        for line in response.iter_lines():
            self._alive = True
            self._check_deadline()
            yield line

    def _rest(self) -> Iterator[JobEvent]:
        for item in self._connection.pages(f"{self._job}/events", {"after": self.last_id}):
            event = JobEvent.model_validate(item)
            self.last_id = event.id
            yield event

    def _is_over(self) -> bool:
        return JobDocument.model_validate(self._connection.get(self._job)).status in FINISHED

    def _check_deadline(self) -> None:
        if time.monotonic() >= self._deadline:
            raise DeadlinePassed

    def _timeout(self) -> httpx.Timeout:
        left = max(0.01, self._deadline - time.monotonic())
        return httpx.Timeout(10.0, read=min(QUIET_SECONDS, left))
