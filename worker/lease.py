"""The lease of a running job: renewed by a thread of its own, whatever the job and the database do."""

import threading
import time
from collections.abc import Callable
from typing import Any, Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db.engine import Database
from db.repositories.job_queue import Claim, Heartbeat, JobQueue
from worker.settings import WorkerSettings

logger = structlog.get_logger(__name__)


class Lease:
    """Renews, stores progress, and learns of cancellation and of fencing.

    Its end is kept on this machine's clock from before each renewal: where the database cannot be reached, the claim
    counts as lost no later than another worker may take it.
    """

    def __init__(
        self,
        database: Database,
        claim: Claim,
        settings: WorkerSettings,
        claimed_at: float,
        due_progress: Callable[[], dict[str, Any] | None],
    ) -> None:
        self.cancel_requested = False
        self._database = database
        self._claim = claim
        self._settings = settings
        self._due_progress = due_progress
        self._fenced = False
        self._renewed_at = claimed_at
        self._closing = threading.Event()
        self._context = structlog.contextvars.get_contextvars()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{claim.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.set()
        # It may hang in a dead connection; as a daemon it cannot hold up the worker.
        self._thread.join(timeout=1)

    @property
    def lost(self) -> bool:
        """Whether the claim is another's, or may be: nothing may be written for it any more."""
        return self._fenced or time.monotonic() > self._renewed_at + self._settings.lease_seconds

    def _keep(self) -> None:
        structlog.contextvars.bind_contextvars(**self._context)
        while not self._closing.wait(self._settings.poll_seconds) and not self.lost:
            try:
                standing = self._beat()
            except SQLAlchemyError as error:
                logger.warning("heartbeat_failed", reason=str(error).splitlines()[0])
                continue
            self._fenced = self._fenced or not standing.held
            self.cancel_requested = standing.cancel_requested

    def _beat(self) -> Heartbeat:
        started = time.monotonic()
        progress = self._due_progress()
        if progress is None and started < self._renewed_at + self._settings.heartbeat_seconds:
            with self._database.reading() as session:
                return JobQueue(session).standing(self._claim.job_id, self._claim.attempt)
        with self._database.unit_of_work() as session:
            standing = JobQueue(session).heartbeat(
                self._claim.job_id, self._claim.attempt, self._settings.lease_seconds, progress
            )
        self._renewed_at = started
        return standing
