"""One job from claim to end: start, follow, stop, store. Knows the rows and the child; knows no Celery."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError

from db.artefact_store import ArtefactStore, storage_is_full
from db.engine import UNREACHABLE, Database
from db.job_state import TERMINAL, JobStatus
from db.repositories.job_queue import Claim, JobQueue
from db.repositories.shards import Shards, running_shards
from worker.assignments import assignment_of
from worker.attempt import TICK_SECONDS, Attempt, Ending
from worker.children import WarmChildren
from worker.failures import failure, failure_of
from worker.lease import Lease
from worker.progress import ProgressView
from worker.protocol import SHARD, Assignment
from worker.results import ClaimLostError, JobResult
from worker.settings import WorkerSettings
from worker.shared_work import SharedWork

T = TypeVar("T")

logger = structlog.get_logger(__name__)

VERSION_RACES = 20


class Runner:
    """Runs jobs in at most `slots` children at a time. `draining` set: running jobs are handed back, no new one taken.

    Every write for a claim names its attempt; where that finds no row, the child is killed and nothing is written.
    """

    def __init__(
        self,
        database: Database,
        store: ArtefactStore,
        settings: WorkerSettings,
        worker: str,
        children: WarmChildren,
        draining: threading.Event,
        ring: Callable[[str], None],
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._worker = worker
        self._children = children
        self._draining = draining
        self._slots = threading.BoundedSemaphore(settings.slots)
        self._shared_work = SharedWork(
            database, worker, settings.lease_seconds, draining, ring, lambda shard, at: self._follow_claim(shard, at)
        )

    def free_slots(self) -> bool:
        """Whether a job could be taken now."""
        free = self._slots.acquire(blocking=False)
        if free:
            self._slots.release()
        return free

    def run(self, job_id: str | None, *, wait_for_slot: bool = True) -> bool:
        """Claim and run the named job, or the one that is next; False where there was nothing to claim, or no slot."""
        while not self._slots.acquire(timeout=TICK_SECONDS if wait_for_slot else 0.0):
            if self._draining.is_set() or not wait_for_slot:
                return False
        try:
            if self._draining.is_set():
                return False
            claimed_at = time.monotonic()
            claim = self._claim(job_id)
            if claim is None:
                return False
            self._follow_claim(claim, claimed_at)
            return True
        finally:
            self._slots.release()

    def _claim(self, job_id: str | None) -> Claim | None:
        try:
            with self._database.unit_of_work() as session:
                return JobQueue(session).claim(job_id, self._worker, self._settings.lease_seconds)
        except UNREACHABLE as error:
            # The row stays queued and will be rung for again.
            logger.warning("database_unreachable", reason=str(error).splitlines()[0])
            return None

    def _follow_claim(self, claim: Claim, claimed_at: float) -> None:
        named = {"job_id": claim.job_id, "attempt": claim.attempt, "request_id": claim.request_id}
        with structlog.contextvars.bound_contextvars(**named):
            self._run_claim(claim, claimed_at)

    def _run_claim(self, claim: Claim, claimed_at: float) -> None:
        logger.info("job_claimed", kind=claim.kind)
        attempt = Attempt(self._settings, self._children, self._draining, lambda at: self._record_resumed(claim, at))
        progress = ProgressView()
        with (
            Lease(self._database, claim, self._settings, claimed_at, lambda: progress.due(attempt.report())) as lease,
            contextlib.suppress(ClaimLostError),
        ):
            try:
                assignment, ending = self._to_the_end(claim, attempt, lease)
                self._until_lease_ends(lease, lambda: self._settle(claim, assignment, lease, ending))
            except ClaimLostError:
                attempt.end()
                self._store.remove_attempt(claim.job_id, claim.attempt)
                logger.warning("claim_lost")
            except Exception as error:
                attempt.end()
                logger.exception("run_failed")
                give_up = self._give_up_for(claim, error)
                self._until_lease_ends(lease, give_up)
                self._store.remove_attempt(claim.job_id, claim.attempt)

    def _give_up_for(self, claim: Claim, error: Exception) -> Callable[[], None]:
        if storage_is_full(error):
            # It would be full for the next attempt, too.
            return lambda: self._finish(claim, JobStatus.FAILED, failure_of(error))
        return lambda: self._lose(claim, "the worker could not run it")

    def _to_the_end(self, claim: Claim, attempt: Attempt, lease: Lease) -> tuple[Assignment, Ending]:
        """One child after another: each gets as far as the next round of shards, which it asks for."""
        while True:
            assignment = self._until_lease_ends(lease, lambda: self._assignment(claim))
            attempt.start(assignment)
            ending = attempt.follow(assignment, lease)
            if ending.round is None:
                return assignment, ending
            name, count = ending.round["name"], ending.round["shards"]
            instead = self._shared_work.work_off(claim, lease, attempt, name, count)
            if instead is not None:
                return assignment, instead

    def _assignment(self, claim: Claim) -> Assignment:
        with self._database.reading() as session:
            return assignment_of(session, self._store, claim)

    def _record_resumed(self, claim: Claim, at: dict[str, Any]) -> bool:
        place = {name: at[name] for name in ("phase", "step", "total")}
        try:
            with self._database.unit_of_work() as session:
                JobQueue(session).record_resumed(claim.job_id, claim.attempt, self._settings.lease_seconds, place)
        except UNREACHABLE as error:
            logger.warning("database_unreachable", reason=str(error).splitlines()[0])
            return False
        logger.info("job_resumed", **place)
        return True

    def _settle(self, claim: Claim, assignment: Assignment, lease: Lease, ending: Ending) -> None:
        """Write the end of a run, once: a child that was stopped or has died is gone by now."""
        if ending.outcome == "succeeded":
            self._succeed(claim, assignment)
            return
        if ending.outcome == "failed" and ending.error is not None:
            self._finish(claim, JobStatus.FAILED, ending.error)
        elif lease.cancel_requested and ending.outcome == "stopped" and not self._shards_at_work(claim):
            self._finish(claim, JobStatus.CANCELLED, None)
        elif ending.outcome == "stopped":
            with self._database.unit_of_work() as session:
                if not JobQueue(session).release(claim.job_id, claim.attempt, "the worker is shutting down"):
                    raise ClaimLostError
            logger.info("job_handed_back")
        else:
            self._lose(claim, ending.cause)
        self._store.remove_attempt(claim.job_id, claim.attempt)

    def _succeed(self, claim: Claim, assignment: Assignment) -> None:
        if claim.shard is not None:
            file = self._store.describe(assignment.directory / SHARD)
            self._finish(claim, JobStatus.SUCCEEDED, None, result={"file": file.uri})
            return
        shards = self._shards(claim)
        try:
            result = JobResult(self._store, assignment.directory)
            with self._database.unit_of_work() as session:
                models = result.store(session, claim)
        except (*UNREACHABLE, IntegrityError):
            raise
        except (ValueError, OSError, DBAPIError):
            logger.exception("result_refused")
            error = failure("internal_error", "The result could not be stored; the reason is in the worker's log.")
            self._finish(claim, JobStatus.FAILED, error)
            self._store.remove_attempt(claim.job_id, claim.attempt)
            return
        self._store.remove_jobs(shards)
        self._store.remove_checkpoint(claim.job_id)
        logger.info("job_succeeded", models=[model["id"] for model in models])

    def _finish(
        self, claim: Claim, status: JobStatus, error: dict[str, Any] | None, result: dict[str, Any] | None = None
    ) -> None:
        shards = self._shards(claim)
        with self._database.unit_of_work() as session:
            if not JobQueue(session).finish(claim.job_id, claim.attempt, status, error=error, result=result):
                raise ClaimLostError
        self._store.remove_jobs(shards)
        self._store.remove_checkpoint(claim.job_id)
        logger.info(f"job_{status.value}", error=error)

    def _shards(self, claim: Claim) -> list[str]:
        with self._database.reading() as session:
            return Shards(session, claim.job_id).ids()

    def _shards_at_work(self, claim: Claim) -> bool:
        with self._database.reading() as session:
            return running_shards(session, claim.job_id) > 0

    def _lose(self, claim: Claim, cause: str) -> None:
        with self._database.unit_of_work() as session:
            status = JobQueue(session).lose(claim.job_id, claim.attempt, cause)
        if status is None:
            raise ClaimLostError
        if status in TERMINAL:
            self._store.remove_checkpoint(claim.job_id)
        logger.warning("run_lost", cause=cause, status=status.value)

    def _until_lease_ends(self, lease: Lease, action: Callable[[], T]) -> T:
        """Repeat `action` while the database cannot be reached and the claim may still be ours.

        Raises:
            ClaimLostError: the claim ended first.
            DBAPIError: the lease could be renewed all the time, and still this one action never succeeded.
        """
        give_up_at = time.monotonic() + 2 * self._settings.lease_seconds
        pause, races = 0.05, 0
        while True:
            if lease.lost:
                raise ClaimLostError
            try:
                return action()
            except IntegrityError:
                # Two jobs met at one version of a model's name.
                races += 1
                if races > VERSION_RACES:
                    raise
            except UNREACHABLE as error:
                logger.warning("database_unreachable", reason=str(error).splitlines()[0])
                if time.monotonic() > give_up_at:
                    raise
                pause = min(2.0, 2 * pause)
            time.sleep(pause)
