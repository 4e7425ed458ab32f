"""The processes of jobs as their worker holds them: started ahead of need, followed, ended for certain."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, cast

import worker
from worker.protocol import ASSIGNMENT, Assignment, ChildOptions, write_whole
from worker.settings import WorkerSettings

WARM_UP_SECONDS = 30.0
"""After so long the next child starts to warm up, whether or not the one before is ready."""


class Child:
    """One `python -m worker.child`, in a session of its own so that all it starts can be killed with it."""

    def __init__(self, options: ChildOptions) -> None:
        threads = str(options.threads)
        environment = os.environ | {
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            # Idle threads sleep: spinning ones steal the cores of the other jobs.
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONPATH": import_path(),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.child", options.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._changed = threading.Condition()
        self.device: str | None = None
        self.progress: dict[str, Any] | None = None
        self.resumed: dict[str, Any] | None = None
        self.done: dict[str, Any] | None = None
        self.started = False
        self.ended = False
        self._reader = threading.Thread(target=self._read, name=f"child-{self.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id, and id of its session and group."""
        return self._process.pid

    def _read(self) -> None:
        for line in self._stdout:
            try:
                message = json.loads(line)
            except ValueError:
                # Half a line: it was killed while writing.
                break
            with self._changed:
                if message["type"] == "ready":
                    self.device = message["device"]
                elif message["type"] == "started":
                    self.started = True
                elif message["type"] == "progress":
                    self.progress = message
                elif message["type"] == "resumed":
                    self.resumed = message
                elif message["type"] == "done":
                    self.done = message
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait_ready(self, timeout: float) -> bool:
        """Whether it has imported everything."""
        with self._changed:
            self._changed.wait_for(lambda: self.device is not None or self.ended, timeout)
            return self.device is not None

    def wait_done(self, timeout: float) -> bool:
        """Whether it has answered or ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self.done is not None or self.ended, timeout)

    def run(self, assignment: Assignment) -> None:
        """Hand over a job. The file carries it: a pipe would block on a long specification."""
        self.progress = self.resumed = self.done = None
        self.started = False
        assignment.directory.mkdir(parents=True, exist_ok=True)
        path = assignment.directory / ASSIGNMENT
        write_whole(path, assignment.model_dump_json().encode())
        self._send({"type": "run", "assignment": str(path)})

    def cancel(self) -> None:
        """Ask it to stop."""
        with contextlib.suppress(OSError):
            self._send({"type": "cancel"})

    def hand_back(self) -> None:
        """Ask it to stop where another process can go on."""
        with contextlib.suppress(OSError):
            self._send({"type": "hand_back"})

    def _send(self, message: dict[str, Any]) -> None:
        self._stdin.write(json.dumps(message).encode() + b"\n")
        self._stdin.flush()

    def end(self) -> int:
        """Kill what is left of its group and reap it; the exit status, negative for a signal."""
        if self.ended:
            # It closed its pipe by itself: let its own exit status be the answer.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(timeout=1)
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        return self._process.returncode


def import_path() -> str:
    """PYTHONPATH with which a child imports these very packages."""
    root = str(Path(worker.__file__).resolve().parent.parent)
    before = os.environ.get("PYTHONPATH")
    return root if not before else f"{root}{os.pathsep}{before}"


class WarmChildren:
    """Children that wait with everything imported, so that a job starts at once: one for each slot, and a spare.

    The spare takes the place of a child that a job ends. It warms up with the others, before there is work: imports
    are seconds of a processor that jobs on the other cores need.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._started = 0
        self._closed = False

    def start(self) -> None:
        """All of them, one after another: side by side, the first would be ready as late as the last."""
        first = self._add_idle()
        if first is not None:
            threading.Thread(target=self._warm_up_after, args=(first,), name="warm-up", daemon=True).start()

    def _warm_up_after(self, child: Child) -> None:
        for _ in range(self._settings.slots):
            child.wait_ready(WARM_UP_SECONDS)
            following = self._add_idle()
            if following is None:
                return
            child = following

    def _add_idle(self) -> Child | None:
        with self._lock:
            if self._closed or len(self._idle) > self._settings.slots:
                return None
            child = self._new()
            self._idle.append(child)
            return child

    def device(self, timeout: float) -> str | None:
        """The device of a child that is ready, once there is one."""
        with self._lock:
            child = self._idle[0] if self._idle else None
        return child.device if child is not None and child.wait_ready(timeout) else None

    def take(self) -> Child:
        """A waiting child, warm if possible; another starts to warm up in its place."""
        with self._lock:
            ended = [child for child in self._idle if child.ended]
            self._idle = [child for child in self._idle if not child.ended]
            self._idle.sort(key=lambda child: child.device is None)
            taken = self._idle.pop(0) if self._idle else self._new()
            if not self._idle and not self._closed:
                self._idle.append(self._new())
        for child in ended:
            child.end()
        return taken

    def give_back(self, child: Child) -> None:
        """Keep a child that can run another job, unless enough are waiting."""
        with self._lock:
            keep = not self._closed and len(self._idle) <= self._settings.slots
            if keep:
                self._idle.append(child)
        if not keep:
            child.end()

    def close(self) -> None:
        """End every waiting child."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _new(self) -> Child:
        return Child(self._next_options())

    def _next_options(self) -> ChildOptions:
        settings = self._settings
        self._started += 1
        return ChildOptions(
            device=settings.device,
            ordinal=self._started - 1,
            threads=settings.child_threads,
            memory_bytes=settings.child_memory_bytes,
            jobs=settings.child_jobs,
            log_level=settings.log_level,
            log_format=settings.log_format,
            shard_seconds=settings.shard_seconds,
            checkpoint_seconds=settings.checkpoint_seconds,
        )
