"""How a run can end badly, as its client reads it: a code, a message, and the field it points to."""

import signal
from pathlib import Path
from typing import Any

from db.artefact_store import storage_is_full
from models.errors import ModelsError

_CGROUP_EVENTS = Path("/sys/fs/cgroup/memory.events")
_KERNEL_COUNTERS = Path("/proc/vmstat")

# What allocators say in place of a MemoryError.
_OUT_OF_MEMORY = ("can't allocate memory", "std::bad_alloc", "out of memory", "Cannot allocate memory")


def failure(code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """The `error` of a failed job."""
    return {"code": code, "message": message, "param": param}


def failure_of(error: Exception) -> dict[str, Any]:
    """What a client may know of an exception: all of a ModelsError, and of a surprise only that it was one."""
    if isinstance(error, ModelsError):
        return failure(error.code, error.message, error.param)
    if storage_is_full(error):
        message = "There was no space left for the files of the job; none was kept. Run it again when there is space."
        return failure("storage_full", message)
    if _is_out_of_memory(error):
        return failure("out_of_memory", "The job needed more memory than there is; make it smaller.")
    return failure("internal_error", "The job failed for a reason that is not the client's; it is in the worker's log.")


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError | OSError) and any(text in str(error) for text in _OUT_OF_MEMORY)


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for memory: of this control group, or else of this machine."""
    for path in (_CGROUP_EVENTS, _KERNEL_COUNTERS):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def cause_of_death(returncode: int, kills_before: int) -> str:
    """Why a process ended without an answer. `kills_before`: out_of_memory_kills() when it was started."""
    if returncode >= 0:
        return f"exit code {returncode}"
    if -returncode == signal.SIGKILL and out_of_memory_kills() > kills_before:
        return "out of memory"
    return f"killed by signal {-returncode}"
