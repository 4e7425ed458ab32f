"""Revision 0003 gives jobs shards: up and down, with a job and its events, which stay."""

from typing import Any

from alembic import command
from sqlalchemy import text

from db.engine import Database
from db.migrate import configuration, migrate
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.repositories.shards import Shards
from db.settings import ServiceSettings


def move(database: Database, direction: Any, revision: str) -> None:
    config = configuration()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        direction(config, revision)


JOBS, EVENTS = "SELECT id FROM jobs ORDER BY id", "SELECT id FROM job_events ORDER BY id"


def ids(database: Database, query: str) -> list[Any]:
    with database.reading() as session:
        return list(session.scalars(text(query)))


def test_jobs_and_events_stay_and_shards_go(unmigrated_settings: ServiceSettings) -> None:
    database = Database(unmigrated_settings)
    try:
        migrate(database)
        with database.unit_of_work() as session:
            job = Jobs(session, "local").accept(
                kind="decompose_error", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
            )
            job_id = job.id
        events = ids(database, EVENTS)
        with database.unit_of_work() as session:
            claim = JobQueue(session).claim(job_id, "worker", 60)
            assert claim is not None
            assert len(Shards(session, job_id).open(claim.attempt, "training", 3)) == 3
        move(database, command.downgrade, "0002")
        assert ids(database, JOBS) == [job_id]
        assert set(events) <= set(ids(database, EVENTS))
        migrate(database)
        assert ids(database, JOBS) == [job_id]
        assert set(events) <= set(ids(database, EVENTS))
    finally:
        database.close()
