"""A job, and a worker that is played: for tests of what waits for jobs."""

from collections.abc import Sequence
from typing import Any

from api.dependencies import Services
from db.job_state import JobStatus
from db.repositories.decompositions import Decompositions
from db.repositories.job_queue import JobQueue

SPEC = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2},
    "hypothesis_space": {"kind": "random_features"},
    "learner": {"kind": "ridge"},
    "sample_size": 50,
}


def finish(
    services: Services,
    job_id: str,
    status: str = "succeeded",
    *,
    cells: Sequence[dict[str, Any]] = (),
    result: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> None:
    """Claim a job, report twice, end it."""
    with services.database.unit_of_work() as session:
        claim = JobQueue(session).claim(job_id, "w", 60)
    assert claim is not None
    for step in (1, 2):
        progress = {"phase": "training", "step": step, "total": 2, "fraction": step / 2, "eta_seconds": 2.0 - step}
        with services.database.unit_of_work() as session:
            JobQueue(session).heartbeat(job_id, claim.attempt, 60, progress)
    with services.database.unit_of_work() as session:
        Decompositions(session, "local").add_all(job_id, list(cells))
        JobQueue(session).finish(job_id, claim.attempt, JobStatus(status), result=result or {}, error=error)
