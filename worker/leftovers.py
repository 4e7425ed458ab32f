"""Files of attempts that ended without an answer: collected once nothing can refer to them any more."""

import shutil
import time
from pathlib import Path

import structlog

from db.artefact_store import SCHEME, ArtefactStore
from db.engine import Database
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import active_jobs, result_files
from db.repositories.learned_models import files_of_job
from db.repositories.shards import file_of_shard, remove_orphaned_shards

logger = structlog.get_logger(__name__)

MINIMUM_AGE_SECONDS = 3600.0


def collect_leftovers(database: Database, store: ArtefactStore, older_than: float = MINIMUM_AGE_SECONDS) -> int:
    """Remove attempts that neither run nor hold a learned model, a file to download or the parts of a shard; how many.

    `older_than`: seconds. A young directory is left alone: between a claim and its first file nothing else shows that
    it is in use. Checkpoints of jobs that have ended go as well, uncounted.
    """
    with database.unit_of_work() as session:
        remove_orphaned_shards(session)
    jobs = store.root / "jobs"
    removed = 0
    for directory in sorted(jobs.iterdir()) if jobs.is_dir() else []:
        attempts = [path for path in directory.iterdir() if _age(path) > older_than]
        if not attempts:
            continue
        with database.reading() as session:
            running = {(job_id, str(attempt)) for job_id, attempt, _ in JobQueue(session).held_claims()}
            uris = [*files_of_job(session, directory.name), *result_files(session, directory.name)]
            shard = file_of_shard(session, directory.name)
        for attempt in attempts:
            home = f"{SCHEME}{attempt.relative_to(store.root).as_posix()}/"
            if (directory.name, attempt.name) in running or any(uri.startswith(home) for uri in (*uris, shard or "")):
                continue
            shutil.rmtree(attempt, ignore_errors=True)
            removed += 1
    checkpoints = _collect_checkpoints(database, store, older_than)
    if removed or checkpoints:
        logger.info("leftovers_collected", attempts=removed, checkpoints=checkpoints)
    return removed


def _collect_checkpoints(database: Database, store: ArtefactStore, older_than: float) -> int:
    """Remove checkpoints of jobs that have ended, and half of one that an attempt left; how many files."""
    old = [path for path in sorted(store.root.glob("checkpoints/*")) if _age(path) > older_than]
    if not old:
        return 0
    with database.reading() as session:
        active = active_jobs(session, {path.name.split(".")[0] for path in old})
        running = {f"{job_id}.safetensors.{attempt}" for job_id, attempt, _ in JobQueue(session).held_claims()}
    left = [
        path
        for path in old
        if path.name.split(".")[0] not in active or (path.suffix == ".partial" and path.stem not in running)
    ]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
