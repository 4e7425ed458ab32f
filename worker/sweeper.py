"""The worker's second thread: registration, lost claims, lost rings, stalled queues, and files nobody refers to."""

import threading
import time
from collections.abc import Callable

import structlog
from kombu.exceptions import OperationalError as BrokerUnreachable
from sqlalchemy.exc import SQLAlchemyError

from db.artefact_store import ArtefactStore
from db.engine import Database
from db.repositories.job_queue import JobQueue
from db.repositories.workers import Workers
from worker.children import WarmChildren
from worker.identity import has_ended
from worker.leftovers import collect_leftovers
from worker.runner import Runner
from worker.settings import WorkerSettings

logger = structlog.get_logger(__name__)

COLLECTION_SECONDS = 3600.0
CLOCK_STEP_SECONDS = 2.0
"""A database's clock that gained so much on this machine's between two ticks was set, or the machine slept."""


class Sweeper:
    """Every tick is on its own: neither a dead broker nor a dead database ends the thread."""

    def __init__(
        self,
        database: Database,
        store: ArtefactStore,
        settings: WorkerSettings,
        worker: str,
        runner: Runner,
        children: WarmChildren,
        ring: Callable[[str], None],
        draining: threading.Event,
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._worker = worker
        self._runner = runner
        self._children = children
        self._ring = ring
        self._draining = draining
        self._device: str | None = None
        self._seen_at = float("-inf")
        self._clock_ahead = float("inf")
        self._leases_hold_until = float("-inf")
        self._collected_at = time.monotonic()
        self._helping: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._sweep_for_ever, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the jobs it started, then sign off."""
        self._thread.join(timeout=2)
        for thread in self._helping:
            thread.join(timeout=self._settings.drain_grace_seconds + 1)
        try:
            with self._database.unit_of_work() as session:
                Workers(session).gone(self._worker)
        except SQLAlchemyError:
            logger.warning("sign_off_failed")

    def _sweep_for_ever(self) -> None:
        while not self._draining.is_set():
            try:
                self.sweep()
            except (SQLAlchemyError, OSError) as error:
                logger.warning("sweep_failed", reason=str(error).splitlines()[0])
            except Exception:
                logger.exception("sweep_failed")
            self._draining.wait(self._settings.sweep_seconds)

    def sweep(self) -> None:
        """One tick."""
        self._register()
        self._end_lost_claims()
        self._ring_again()
        self._help_a_stalled_queue()
        if time.monotonic() > self._collected_at + COLLECTION_SECONDS:
            self._collected_at = time.monotonic()
            collect_leftovers(self._database, self._store)

    def _register(self) -> None:
        """Say that this worker is alive; from the moment on that a child of it could run a job."""
        if self._device is None:
            self._device = self._children.device(timeout=self._settings.sweep_seconds)
        if self._device is None or time.monotonic() < self._seen_at + self._settings.heartbeat_seconds:
            return
        with self._database.unit_of_work() as session:
            Workers(session).seen(self._worker, self._device, self._settings.slots)
        self._seen_at = time.monotonic()

    def _end_lost_claims(self) -> None:
        with self._database.unit_of_work() as session:
            queue = JobQueue(session)
            if self._leases_may_be_judged(queue.clock_seconds):
                for job_id in queue.requeue_expired():
                    logger.warning("lease_expired", job_id=job_id)
            for job_id, attempt, worker in queue.held_claims():
                # Its children heard the end of file and ended with it; no need to wait for the lease.
                if has_ended(worker) and queue.lose(job_id, attempt, "its worker's process ended") is not None:
                    logger.warning("worker_ended", job_id=job_id, attempt=attempt)

    def _leases_may_be_judged(self, clock_seconds: Callable[[], float]) -> bool:
        """False for the time of one lease after the database's clock was put ahead: the living renew theirs in it."""
        asked = time.monotonic()
        reading = clock_seconds()
        answered = time.monotonic()
        # How far ahead of this machine's it is at least, against at most the last time: a slow answer is no step.
        step = reading - answered - self._clock_ahead
        self._clock_ahead = reading - asked
        if step > CLOCK_STEP_SECONDS:
            logger.warning("database_clock_stepped", seconds=round(step, 1))
            self._leases_hold_until = answered + self._settings.lease_seconds
        return answered >= self._leases_hold_until

    def _ring_again(self) -> None:
        with self._database.unit_of_work() as session:
            due = JobQueue(session).due_rings()
        try:
            for job_id in due:
                self._ring(job_id)
        except (BrokerUnreachable, OSError) as error:
            # Each row keeps its turn: it is due again after its pause.
            logger.warning("broker_unreachable", reason=type(error).__name__)

    def _help_a_stalled_queue(self) -> None:
        """A job that waits long beside a free slot was rung for in vain: take it without a message."""
        self._helping = [thread for thread in self._helping if thread.is_alive()]
        if self._runner.free_slots() and self._stalled():
            thread = threading.Thread(target=self._work_off, name="stalled-queue", daemon=True)
            self._helping.append(thread)
            thread.start()

    def _stalled(self) -> bool:
        with self._database.reading() as session:
            waiting = JobQueue(session).oldest_queued_seconds()
        return waiting is not None and waiting > self._settings.stall_seconds

    def _work_off(self) -> None:
        logger.warning("queue_stalled")
        try:
            while self._stalled() and self._runner.run(None, wait_for_slot=False):
                pass
        except Exception:
            logger.exception("run_failed")
