"""Who a worker is, precisely enough that its neighbour can tell that it has ended."""

import os
import platform
from functools import cache
from pathlib import Path

import psutil

_STARTED_TICKS = 19
"""Which of the fields after the name in /proc/<pid>/stat says when a process was started, in ticks since the boot."""


@cache
def _machine() -> str:
    """This machine since its start, and the process namespace in it: within it a process id means one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:16]
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        boot, namespace = str(int(psutil.boot_time())), "0"
    return f"{platform.node()}.{boot}.{namespace}"


def _started(process: psutil.Process) -> int:
    """When a process was started, the same number whoever asks and whenever.

    A time of day would not do: it is reckoned back from the clock, and one that is set an hour ahead would make every
    process another one.
    """
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        # Off Linux, or it ended just now, which this call tells.
        return int(process.create_time())
    # The name stands in parentheses and may hold some.
    return int(stat.rpartition(b")")[2].split()[_STARTED_TICKS])


def worker_id() -> str:
    """This process: machine, process id, and when it was started."""
    return f"{_machine()}/{os.getpid()}/{_started(psutil.Process())}"


def has_ended(worker: str) -> bool:
    """Whether `worker` was a process of this very machine and is no more. False where this cannot be known."""
    machine, _, rest = worker.partition("/")
    pid, _, started = rest.partition("/")
    if machine != _machine() or not (pid.isdecimal() and started.isdecimal()):
        return False
    try:
        process = psutil.Process(int(pid))
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return _started(process) != int(started)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
