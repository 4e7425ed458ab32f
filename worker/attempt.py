"""One attempt at a job: its child from start to end, and the word for how it ended."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from worker.children import Child, WarmChildren
from worker.failures import cause_of_death, out_of_memory_kills
from worker.lease import Lease
from worker.protocol import Assignment
from worker.results import ClaimLostError
from worker.settings import WorkerSettings

TICK_SECONDS = 0.1
UNSTARTED_CHILDREN = 3
"""Children that may die before they took the job up; it is no fault of the job's, and costs it no attempt."""


@dataclass(frozen=True)
class Ending:
    """`stopped`: because it was asked to; `died`: of `cause`, without an answer; `round`: it asks for one of shards."""

    outcome: Literal["succeeded", "failed", "stopped", "died", "round"]
    error: dict[str, Any] | None = None
    cause: str = ""
    round: dict[str, Any] | None = None


class Attempt:
    """The child of one claim. `draining` set: it is asked to stop.

    `record_resumed` is told where the child goes on from a checkpoint, again until it says that this is written.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        children: WarmChildren,
        draining: threading.Event,
        record_resumed: Callable[[dict[str, Any]], bool],
    ) -> None:
        self._settings = settings
        self._children = children
        self._draining = draining
        self._record_resumed = record_resumed
        self._child: Child | None = None
        self._unstarted = 0
        self._kills_before = out_of_memory_kills()
        self.round_progress: Callable[[], dict[str, Any]] | None = None

    def report(self) -> dict[str, Any] | None:
        """The newest progress: of the round of shards that is at work, or else of the child."""
        child, round_progress = self._child, self.round_progress
        if round_progress is not None:
            return round_progress()
        return None if child is None else child.progress

    def start(self, assignment: Assignment) -> None:
        """Hand the assignment to a child; one that died while it waited is passed over.

        Raises:
            RuntimeError: every child died at once.
        """
        for _ in range(self._settings.slots + 2):
            child = self._children.take()
            try:
                child.run(assignment)
            except BrokenPipeError:
                child.end()
                continue
            except BaseException:
                # Nobody else knows of it: on a full disk it would wait for ever.
                child.end()
                raise
            self._child = child
            return
        raise RuntimeError("no child could be started")

    def follow(self, assignment: Assignment, lease: Lease) -> Ending:
        """Wait for the end of the run, bringing it about when asked to; unless it can serve again, the child is gone.

        Raises:
            ClaimLostError: the claim was lost; the child runs on, for the caller to end.
            RuntimeError: see `start`.
        """
        while True:
            child = self._child
            if child is None:
                raise RuntimeError("follow() comes after start()")
            ending = self._follow(child, lease)
            if ending.outcome != "died" or child.started or self._unstarted >= UNSTARTED_CHILDREN:
                return ending
            self._unstarted += 1
            self.start(assignment)

    def _follow(self, child: Child, lease: Lease) -> Ending:
        kill_at: float | None = None
        while not child.wait_done(TICK_SECONDS):
            if lease.lost:
                raise ClaimLostError
            self._tell_resumed(child)
            grace = self._time_to_stop(lease)
            if grace is not None and kill_at is None:
                if self._draining.is_set():
                    child.hand_back()
                else:
                    child.cancel()
                kill_at = time.monotonic() + grace
            if kill_at is not None and time.monotonic() > kill_at:
                self.end()
                return Ending("stopped")
        self._tell_resumed(child)
        # Told by the same signal as this worker, it may have been the first to hear it.
        return self._ending(child, stopping=kill_at is not None or self._draining.is_set())

    def _tell_resumed(self, child: Child) -> None:
        if child.resumed is not None and self._record_resumed(child.resumed):
            child.resumed = None

    def _time_to_stop(self, lease: Lease) -> float | None:
        if self._draining.is_set():
            return self._settings.drain_grace_seconds
        return self._settings.cancel_grace_seconds if lease.cancel_requested else None

    def _ending(self, child: Child, stopping: bool) -> Ending:
        done = child.done
        self._child = None
        # A cancel may still be on its way to it; the next job must not hear it.
        if done is not None and done["reusable"] and not stopping:
            self._children.give_back(child)
            return Ending(done["outcome"], round=done.get("round"))
        returncode = child.end()
        if done is not None and (done["outcome"] != "stopped" or stopping):
            return Ending(done["outcome"], done["error"], round=done.get("round"))
        if stopping:
            return Ending("stopped")
        if done is not None:
            return Ending("died", cause="its process was asked to end")
        return Ending("died", cause=cause_of_death(returncode, self._kills_before))

    def end(self) -> None:
        """Kill the child, if this attempt still has one."""
        if self._child is not None:
            self._child.end()
            self._child = None
