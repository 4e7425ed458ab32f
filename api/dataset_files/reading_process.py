"""`python -m api.dataset_files.reading_process`: reads one uploaded file under limits, answers in JSON, and ends.

A file may crash a decoder, or make it allocate or compute without end: then this process dies, and nothing else. It
has no secret in its environment and no connection.
"""

import json
import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from api.dataset_files.caps import Caps
from api.dataset_files.formats import canonicalise
from api.dataset_files.options import CsvOptions
from api.dataset_files.refusals import FileRefused
from db.artefact_store import storage_is_full

OUT_OF_MEMORY = "memory"
STORAGE_FULL = "storage"


def _limit(memory_bytes: int, seconds: float) -> None:
    """Whatever allocates beyond the limit gets an error instead of memory, on Linux; the time is processor time."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))


def _answer(task: dict[str, Any]) -> dict[str, Any]:
    try:
        described = canonicalise(
            Path(task["path"]),
            task["format"],
            Path(task["destination"]),
            Caps(**task["caps"]),
            CsvOptions(**task["options"]),
        )
    except FileRefused as refused:
        return {"refused": {"detail": refused.detail, "status": refused.status, "pointer": refused.pointer}}
    except MemoryError:
        return {"died_of": OUT_OF_MEMORY}
    except OSError as error:
        if not storage_is_full(error):
            raise
        return {"died_of": STORAGE_FULL}
    return {"described": asdict(described)}


def main() -> None:
    """One task on standard input, one answer on standard output; end of file first means that the API is gone."""
    # Decoders may print; the answer stands alone.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Blocks go back to the system at once, and every allocation meets the limit.
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    line = sys.stdin.readline()
    if not line:
        return
    task = json.loads(line)
    _limit(task["memory_bytes"], task["seconds"])
    json.dump(_answer(task), out)
    out.flush()
    # Nothing is left to tidy, and a damaged heap is not asked to.
    os._exit(0)


if __name__ == "__main__":
    main()
