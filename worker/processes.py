"""One supervised process: started, restarted with growing pauses, stopped for certain."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import structlog

logger = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 20.0


class SupervisedProcess:
    """Runs below `worker.lifeline`, in a session of its own: a Ctrl-C at the terminal reaches the supervisor alone."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: dict[str, str],
        lifeline: int,
        grace_seconds: float,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.failures_in_a_row = 0
        self._command = [sys.executable, "-m", "worker.lifeline", str(lifeline), *arguments]
        self._environment = environment
        self._descriptors = (lifeline, *descriptors)
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_at = 0.0

    @property
    def pid(self) -> int | None:
        """Of the process that runs now, or None."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it."""
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            # The supervisor's standard output carries its one line; everything else is a log.
            stdout=sys.stderr.fileno(),
            pass_fds=self._descriptors,
            start_new_session=True,
        )

    def keep_up(self) -> None:
        """Restart it once it has ended and its pause is over."""
        now = time.monotonic()
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._kill_group()
            if now - self._started_at > STEADY_SECONDS:
                self.failures_in_a_row = 0
            pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**self.failures_in_a_row)
            self.failures_in_a_row += 1
            self._restart_at = now + pause
            logger.warning("process_ended", name=self.name, status=self._process.returncode, restart_seconds=pause)
            self._process = None
        if now >= self._restart_at:
            self.start()

    def stop(self, at_once: "AtOnce") -> None:
        """SIGTERM, and SIGKILL after the grace time or when a second signal says so."""
        if self._process is None:
            return
        deadline = time.monotonic() + self._grace_seconds
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        while self._process.poll() is None and time.monotonic() < deadline and not at_once():
            time.sleep(0.02)
        self._kill_group()
        self._process.wait()
        self._process = None

    def _kill_group(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


class AtOnce:
    """Counts the requests to stop; from the second on it is true."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self) -> bool:
        return self.requests > 1

    def request(self, *_: object) -> None:
        """Another one; serves as a signal handler."""
        self.requests += 1
