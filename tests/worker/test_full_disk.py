"""No space for a job's files: the job fails and says why, nothing half written stays, and the next one succeeds."""

import errno
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from db.job_state import JobStatus
from worker import children
from worker.failures import failure_of

WIDE = {"hypothesis_space": {"kind": "random_features", "width": 4000}, "model_name": "wide"}


def files_of_jobs(workshop: Any) -> list[Path]:
    return [path for path in (workshop.store.root / "jobs").rglob("*") if path.is_file()]


def check_failed_for_space(workshop: Any, job_id: str) -> None:
    job = workshop.job(job_id)
    assert job.status == JobStatus.FAILED
    assert job.error["code"] == "storage_full"
    assert "no space left" in job.error["message"]
    # To try again at once would meet the same disk.
    assert job.attempt == 1
    assert workshop.events(job_id) == ["queued", "running", "failed"]
    assert files_of_jobs(workshop) == []
    after = workshop.accept(workshop.short)
    assert workshop.runner.run(after)
    assert workshop.job(after).status == JobStatus.SUCCEEDED


def leave_room(workshop: Any, size: int) -> None:
    """No file of any child may grow beyond `size` bytes."""
    for process in workshop.processes():
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("bytes_left", [16, 20_000], ids=["for nothing", "for a part of a file"])
def test_full_disk_under_a_run_fails_that_job_alone(workshop: Any, bytes_left: int) -> None:
    workshop.children.start()
    workshop.until(lambda: workshop.children.device(1) is not None)
    leave_room(workshop, bytes_left)
    job_id = workshop.accept(workshop.short | WIDE)
    assert workshop.runner.run(job_id)
    # There is space again, also for the spare child, which was there all the time.
    leave_room(workshop, resource.RLIM_INFINITY)
    check_failed_for_space(workshop, job_id)


def test_full_disk_under_the_worker_fails_that_job_alone(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    job_id = workshop.accept(workshop.short)
    with monkeypatch.context() as patched:
        patched.setattr(children, "write_whole", full)
        assert workshop.runner.run(job_id)
    check_failed_for_space(workshop, job_id)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["pyarrow", "quota", "safetensors"],
)
def test_every_library_that_meets_a_full_disk_is_understood(error: Exception) -> None:
    assert failure_of(error)["code"] == "storage_full"
