"""What this machine, or the container that this process lives in, may use."""

import os
import sys
from pathlib import Path

import psutil

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_bytes(cgroup_files: tuple[str, ...] = _CGROUP_LIMITS) -> int:
    """Memory in all: the machine's, or the container's limit where that is lower."""
    total = int(psutil.virtual_memory().total)
    for file in cgroup_files:
        try:
            limit = Path(file).read_text(encoding="ascii").strip()
        except OSError:
            continue
        # "max" is no limit, and so is the old form's 2^63 less a page.
        if limit.isdigit():
            total = min(total, int(limit))
    return total


def processors() -> int:
    """Those that this process may run on."""
    return len(psutil.Process().cpu_affinity()) if sys.platform == "linux" else os.cpu_count() or 1
