"""From every released revision, with a row in every table, the newest schema is reached and nothing is lost."""

from typing import Any

import pytest
from alembic.script import ScriptDirectory
from old_schemas import filled, raised
from sqlalchemy import MetaData, select

from db.engine import Database
from db.migrate import configuration, migrate, schema_is_current
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings
from db.tables import ApiKey, Dataset, Decomposition, JobEvent, LearnedModel, ModelAlias

REVISIONS = sorted(script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions())


def found(database: Database, written: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same columns of the only row of each of these tables."""
    metadata = MetaData()
    metadata.reflect(database.engine)
    rows = {}
    with database.engine.connect() as connection:
        for name, columns in written.items():
            table = metadata.tables[name]
            row = connection.execute(select(*(table.c[column] for column in columns))).mappings().one()
            rows[name] = dict(row)
    return rows


@pytest.mark.parametrize("revision", REVISIONS)
def test_rows_of_every_table_survive_and_are_read(revision: str, unmigrated_settings: ServiceSettings) -> None:
    database = Database(unmigrated_settings)
    try:
        raised(database, revision)
        written = filled(database)
        assert {"jobs", "job_events", "datasets", "learned_models", "api_keys", "decompositions"} <= written.keys()
        migrate(database)
        assert schema_is_current(database)
        assert found(database, written) == written
        with database.unit_of_work() as session:
            for table in (ApiKey, Dataset, Decomposition, JobEvent, LearnedModel, ModelAlias):
                assert len(session.scalars(select(table)).all()) == 1
            job = Jobs(session, "local").get("jobs.id")
            assert job is not None
            assert job.spec == {"π": "∞"}
            # What was queued before the migration is work after it.
            claim = JobQueue(session).claim(None, "worker", 60)
            assert claim is not None
            assert (claim.job_id, claim.attempt, claim.shard) == ("jobs.id", 2, None)
    finally:
        database.close()
