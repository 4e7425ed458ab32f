"""Who a worker is, precisely enough that its neighbour can tell that it has ended."""

import os
import platform
from functools import cache
from pathlib import Path

import psutil

_CLOCK_TOLERANCE_SECONDS = 5.0


@cache
def _machine() -> str:
    """This machine since its start, and the process namespace in it: within it a process id means one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:16]
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        boot, namespace = str(int(psutil.boot_time())), "0"
    return f"{platform.node()}.{boot}.{namespace}"


def worker_id() -> str:
    """This process: machine, process id, and when it was started."""
    return f"{_machine()}/{os.getpid()}/{int(psutil.Process().create_time())}"


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
        return abs(process.create_time() - int(started)) > _CLOCK_TOLERANCE_SECONDS
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
