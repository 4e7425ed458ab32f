"""A round of a job's shards, seen from the worker that holds the job: its own slot works off shards with the others."""

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from kombu.exceptions import OperationalError as BrokerUnreachable

from db.engine import UNREACHABLE, Database
from db.repositories.job_queue import Claim, JobQueue
from db.repositories.shards import RoundStanding, Shards
from worker.attempt import TICK_SECONDS, Attempt, Ending
from worker.lease import Lease
from worker.results import ClaimLostError

logger = structlog.get_logger(__name__)

PROGRESS_STEPS = 1000
"""Into how many steps the progress of a round is divided."""


class SharedWork:
    """Rounds of shards. `ring` sends a shard's id to the other workers; `run_shard` runs a claim, and
    when it was made, in this slot.
    """

    def __init__(
        self,
        database: Database,
        worker: str,
        lease_seconds: float,
        draining: threading.Event,
        ring: Callable[[str], None],
        run_shard: Callable[[Claim, float], None],
    ) -> None:
        self._database = database
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._draining = draining
        self._ring = ring
        self._run_shard = run_shard

    def work_off(self, claim: Claim, lease: Lease, attempt: Attempt, name: str, count: int) -> Ending | None:
        """Queue what is missing of the round and stay until it is done; None then, or how the job ends instead.

        A job whose end is asked for leaves only when no shard of it is at work any more.

        Raises:
            ClaimLostError: the claim of the job was lost; its shards go on, for whoever claims it next.
        """
        opened = False
        # Asked by the thread that keeps the lease: this one is at work on shards.
        attempt.round_progress = lambda: self._progress(claim, name)
        try:
            while True:
                if lease.lost:
                    raise ClaimLostError
                try:
                    if not opened:
                        self._offer(claim, name, count)
                        opened = True
                    standing = self._standing(claim, name)
                    ending = self._ending(lease, standing)
                    if ending is not None or standing.succeeded == count:
                        return ending
                    if lease.cancel_requested or not self._run_one(claim):
                        time.sleep(TICK_SECONDS)
                except UNREACHABLE as error:
                    logger.warning("database_unreachable", reason=str(error).splitlines()[0])
                    time.sleep(1)
        finally:
            attempt.round_progress = None

    def _offer(self, claim: Claim, name: str, count: int) -> None:
        with self._database.unit_of_work() as session:
            waiting = Shards(session, claim.job_id).open(claim.attempt, name, count)
        logger.info("round_opened", round=name, shards=count, waiting=len(waiting))
        try:
            # The first is taken by this slot.
            for job_id in waiting[1:]:
                self._ring(job_id)
        except (BrokerUnreachable, OSError) as error:
            # The sweeper rings again.
            logger.warning("broker_unreachable", reason=type(error).__name__)

    def _progress(self, claim: Claim, name: str) -> dict[str, Any]:
        step = int(PROGRESS_STEPS * self._standing(claim, name).share)
        return {"phase": name, "step": step, "total": PROGRESS_STEPS}

    def _standing(self, claim: Claim, name: str) -> RoundStanding:
        with self._database.reading() as session:
            return Shards(session, claim.job_id).standing(name)

    def _ending(self, lease: Lease, standing: RoundStanding) -> Ending | None:
        if self._draining.is_set():
            return Ending("stopped")
        if lease.cancel_requested:
            return None if standing.running else Ending("stopped")
        return None if standing.error is None else Ending("failed", standing.error)

    def _run_one(self, claim: Claim) -> bool:
        claimed_at = time.monotonic()
        with self._database.unit_of_work() as session:
            shard = JobQueue(session).claim_shard(claim.job_id, self._worker, self._lease_seconds)
        if shard is None:
            return False
        self._run_shard(shard, claimed_at)
        return True
