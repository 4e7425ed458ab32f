"""A job as it goes: its events as a stream, and the wait for another status. Neither holds a thread while it waits."""

import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from fastapi import Request
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api.dependencies import Services
from api.schemas.jobs import JobEventDocument, event_document
from db.job_state import TERMINAL
from db.repositories.job_events import events_after
from db.repositories.jobs import Jobs
from db.tables import Job

POLL_SECONDS = 0.5
WAIT_POLL_SECONDS = 0.25
KEEPALIVE_SECONDS = 15.0

T = TypeVar("T")


async def _read(question: Callable[[], T]) -> T:
    """Ask the database in the thread pool; a client that leaves does not wait for the answer."""
    return await anyio.to_thread.run_sync(question, abandon_on_cancel=True)


async def events_as_they_come(
    request: Request, services: Services, owner: str, job_id: str, last_id: int
) -> AsyncIterator[bytes]:
    """Server-sent events with ids above `last_id`; ends after the event that ends the job, or with the client.

    A job that is finished before the stream begins gets the events it still has not sent, and the end.
    """

    def look() -> tuple[list[JobEventDocument], bool]:
        with services.database.reading() as session:
            # The job first: an event of its end that is written in between is then read with the others.
            job = Jobs(session, owner).get(job_id)
            found = [event_document(event) for event in events_after(session, job_id, last_id)]
        return found, job is None or job.status in TERMINAL

    quiet_since = time.monotonic()
    while not (services.closing.is_set() or await request.is_disconnected()):
        found, over = await _read(look)
        for event in found:
            last_id = int(event.id)
            yield format_sse_event(id=event.id, event=event.type, data_str=event.model_dump_json())
        if over and not found:
            return
        if found:
            quiet_since = time.monotonic()
            continue
        if time.monotonic() - quiet_since >= KEEPALIVE_SECONDS:
            quiet_since = time.monotonic()
            yield KEEPALIVE_COMMENT
        await anyio.sleep(POLL_SECONDS)


async def job_after_change(request: Request, services: Services, owner: str, job_id: str, seconds: float) -> Job | None:
    """The job once its status differs from what it is now, or has, after at most `seconds`; None: it is not there."""

    def look() -> Job | None:
        with services.database.reading() as session:
            return Jobs(session, owner).get(job_id)

    deadline = time.monotonic() + seconds
    job = await _read(look)
    before = None if job is None else job.status
    while job is not None and job.status == before and before not in TERMINAL:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or services.closing.is_set() or await request.is_disconnected():
            break
        await anyio.sleep(min(WAIT_POLL_SECONDS, remaining))
        job = await _read(look)
    return job
