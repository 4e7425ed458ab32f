"""Children that go from one test to the next: to start one costs three seconds of a processor, its job milliseconds."""

import psutil

from worker.children import Child, WarmChildren
from worker.protocol import ChildOptions
from worker.settings import WorkerSettings

MOST = 4


class KeptChildren:
    """Waiting children by their options, the last that came first to go. As a worker does, it keeps what is reusable.

    A child that a test has killed, stopped or given a job to at its end is none of them.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[ChildOptions, Child]] = []

    def take(self, options: ChildOptions) -> Child | None:
        """One that was started with these options."""
        for index in reversed(range(len(self._waiting))):
            if self._waiting[index][0] == options:
                _, child = self._waiting.pop(index)
                if _sleeps(child):
                    return child
                child.end()
        return None

    def keep(self, options: ChildOptions, child: Child) -> None:
        """For another test; the oldest ends where they are too many."""
        if not _sleeps(child):
            child.end()
            return
        self._waiting.append((options, child))
        while len(self._waiting) > MOST:
            self._waiting.pop(0)[1].end()

    def pids(self) -> set[int]:
        """Of those that wait for another test."""
        return {child.pid for _, child in self._waiting}

    def close(self) -> None:
        """End them."""
        for _, child in self._waiting:
            child.end()
        self._waiting.clear()


class ReusedChildren(WarmChildren):
    """A worker's children that come from an earlier test where there are any, and are there for a later one."""

    def __init__(self, settings: WorkerSettings, kept: KeptChildren) -> None:
        super().__init__(settings)
        self._kept = kept
        self._options: dict[int, ChildOptions] = {}

    def _new(self) -> Child:
        options = self._next_options().model_copy(update={"ordinal": 0})
        child = self._kept.take(options) or Child(options)
        self._options[child.pid] = options
        return child

    def close(self) -> None:
        """Keep every waiting child."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            self._kept.keep(self._options[child.pid], child)


def _sleeps(child: Child) -> bool:
    if child.ended:
        return False
    try:
        status = psutil.Process(child.pid).status()
    except psutil.NoSuchProcess:
        return False
    return status not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
