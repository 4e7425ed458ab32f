"""What a run with faults left in the database, counted, and everything in it that should not be."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.job_state import TERMINAL, JobStatus
from db.repositories.job_events import events_after
from db.tables import Decomposition, Job, JobEvent, LearnedModel

FOLLOWS = {
    "": {"queued"},
    "queued": {"running", "cancelled"},
    "running": {"queued", "succeeded", "failed", "cancelled"},
}
"""Which event of the life cycle may come after which; nothing comes after an end."""
OF_RUNNING = {"progress", "cancel_requested", "resumed"}


@dataclass
class Audit:
    """Counts over the jobs that were accepted.

    `lost`: without a row, or with one that has not ended. `twice`: more than one end, or more results than one end
    leaves. `repeated`: starts beyond the first of each job.
    """

    jobs: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    twice: int = 0
    repeated: int = 0
    events: int = 0
    faults_of_the_log: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """As a soak prints them."""
        ends = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        return [
            f"jobs accepted: {self.jobs} ({ends})",
            f"lost: {self.lost}",
            f"completed twice: {self.twice}",
            f"starts beyond the first: {self.repeated}",
            f"events checked: {self.events}, faults of the log: {len(self.faults_of_the_log)}",
        ]


def audit(database: Database, job_ids: Iterable[str]) -> Audit:
    """Look at every accepted job: its row, its events, and what it left."""
    found = Audit()
    wanted = list(job_ids)
    found.jobs = len(wanted)
    with database.reading() as session:
        models = Counter(session.scalars(select(LearnedModel.job_id)))
        cells = session.execute(
            select(Decomposition.job_id, Decomposition.width, Decomposition.sample_size, func.count()).group_by(
                Decomposition.job_id, Decomposition.width, Decomposition.sample_size
            )
        ).all()
        found.faults_of_the_log += version_faults(session)
        repeated_cells = {job_id for job_id, _, _, count in cells if count > 1}
        rows = session.scalars(select(Job).where(Job.parent_id.is_(None))).all()
        jobs = {job.id: job for job in rows}
        stray = set(jobs) - set(wanted)
        if stray:
            found.faults_of_the_log.append(f"accepted without an answer, and again: {sorted(stray)}")
        for job_id in wanted:
            job = jobs.get(job_id)
            if job is None or job.status not in TERMINAL:
                found.lost += 1
                continue
            found.statuses[job.status] += 1
            events = events_after(session, job_id, 0, limit=100_000)
            found.events += len(events)
            ends = [event.type for event in events if event.type in TERMINAL]
            expected = len(job.model_ids)
            if len(ends) > 1 or models[job_id] != expected or expected > 1 or job_id in repeated_cells:
                found.twice += 1
            found.repeated += max(0, job.attempt - 1)
            found.faults_of_the_log += [f"{job_id}: {fault}" for fault in log_faults(job, events)]
    return found


def version_faults(session: Session) -> list[str]:
    """Where versions of a model's name are not 1, 2, ...: each was registered once, however often it was tried."""
    versions: dict[str, list[int]] = {}
    for name, version in session.execute(select(LearnedModel.name, LearnedModel.version)):
        versions.setdefault(name, []).append(version)
    wrong = {name: found for name, found in versions.items() if sorted(found) != list(range(1, len(found) + 1))}
    return [f"versions of {name}: {sorted(found)}" for name, found in wrong.items()]


def log_faults(job: Job, events: Iterable[JobEvent]) -> list[str]:
    """Where the events of one job contradict the life cycle, each other or the row."""
    faults: list[str] = []
    state, attempt, last_id = "", 0, 0
    for event in events:
        if event.id <= last_id:
            faults.append(f"event {event.id} comes after {last_id}")
        last_id = event.id
        if event.type in OF_RUNNING:
            # A queued job whose shards are still at work may be asked to end.
            if state != "running" and not (state == "queued" and event.type == "cancel_requested"):
                faults.append(f"{event.type} while {state or 'nothing'}")
            continue
        if event.type not in FOLLOWS.get(state, set()):
            faults.append(f"{event.type} after {state or 'nothing'}")
        state = event.type
        if event.type == "running":
            attempt += 1
            if event.data["attempt"] != attempt:
                faults.append(f"attempt {event.data['attempt']} where {attempt} was due")
        elif event.data.get("attempt", attempt) != attempt:
            faults.append(f"{event.type} of attempt {event.data['attempt']} while {attempt} ran")
    if state != job.status:
        faults.append(f"the log ends with {state or 'nothing'}, the row says {job.status}")
    if attempt != job.attempt:
        faults.append(f"the log has {attempt} starts, the row {job.attempt}")
    if (job.finished_at is not None) != (job.status in TERMINAL) or job.lease_expires_at is not None:
        faults.append("an ended job needs its time and no lease")
    if (job.result is not None) != (job.status == JobStatus.SUCCEEDED):
        faults.append(f"{job.status} with {'a' if job.result is not None else 'no'} result")
    return faults
