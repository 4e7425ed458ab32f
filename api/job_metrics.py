"""Metrics of jobs, brought up to date at each scrape from what the workers wrote into the database.

Every API process counts the jobs of all workers from its own start on: over several processes take the maximum.
"""

import threading

from sqlalchemy.exc import SQLAlchemyError

from api.metrics import Metrics
from db.engine import Database
from db.job_state import JobStatus
from db.repositories.finished_runs import newest_event_id, run_events_after
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import count_by_status
from db.repositories.workers import Workers


class JobMetrics:
    """Counters grow by the events since the last scrape, so that a deleted job takes nothing back."""

    def __init__(self, metrics: Metrics, database: Database, fresh_worker_seconds: float) -> None:
        self._metrics = metrics
        self._database = database
        self._fresh = fresh_worker_seconds
        self._last_event_id: int | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Count from now on; where the database does not answer yet, from the first scrape that it answers."""
        try:
            with self._database.reading() as session:
                self._last_event_id = newest_event_id(session)
        except SQLAlchemyError:
            return

    def update(self) -> None:
        """Read what is new; where the database is down everything is left as it was."""
        with self._lock:
            if self._last_event_id is None:
                self.begin()
                return
            try:
                self._read(self._last_event_id)
            except SQLAlchemyError:
                return

    def _read(self, last_id: int) -> None:
        with self._database.reading() as session:
            jobs = count_by_status(session)
            workers = Workers(session).fresh(self._fresh)
            oldest = JobQueue(session).oldest_queued_seconds()
            events = run_events_after(session, last_id)
        for status in JobStatus:
            self._metrics.jobs.labels(status.value).set(jobs.get(status.value, 0))
        self._metrics.workers.set(workers)
        self._metrics.oldest_queued.set(oldest or 0.0)
        for event in events:
            if event.outcome is not None:
                self._metrics.job_seconds.labels(event.kind, event.outcome).observe(event.seconds)
            if event.lost:
                self._metrics.lost_attempts.labels(event.kind).inc()
            self._last_event_id = event.id
