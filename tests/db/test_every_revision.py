"""From every released revision, with a row in every table, the newest schema is reached and nothing is lost."""

from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, BigInteger, Double, Integer, MetaData, Table, select

from db.engine import Database
from db.migrate import configuration, migrate, schema_is_current
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings
from db.tables import ApiKey, Dataset, Decomposition, JobEvent, LearnedModel, ModelAlias

REVISIONS = sorted(script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions())
WORDS = {"status": "queued", "owner": "local", "name": "m", "kind": "fit"}
"""What a constraint or the reading code asks for; every other text is the table's and the column's name."""


def value_of(table: Table, column: Any) -> Any:
    (key,) = column.foreign_keys or (None,)
    if key is not None:
        return value_of(key.column.table, key.column)
    if column.name in WORDS:
        return WORDS[column.name]
    if column.name == "parent_id":
        return None
    if isinstance(column.type, JSON):
        return ["π"] if column.name in ("scopes", "columns", "bounds", "dataset_ids", "model_ids") else {"π": "∞"}
    if isinstance(column.type, Integer | BigInteger):
        return 1_750_000_000_000_000 if column.name.endswith("_at") else 1
    if isinstance(column.type, Double):
        return float("inf")
    return f"{table.name}.{column.name}"


def filled(database: Database) -> dict[str, dict[str, Any]]:
    """A row in every table, in the words of the revision that the database has."""
    metadata = MetaData()
    metadata.reflect(database.engine)
    written = {}
    with database.engine.begin() as connection:
        for table in metadata.sorted_tables:
            if table.name != "alembic_version":
                # The database counts ids that are numbers.
                columns = [column for column in table.columns if column.name != "id" or column.type.python_type is str]
                written[table.name] = {column.name: value_of(table, column) for column in columns}
                connection.execute(table.insert(), written[table.name])
    return written


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
def test_rows_of_every_table_survive_and_are_read(revision: str, storage_settings: ServiceSettings) -> None:
    database = Database(storage_settings)
    try:
        config = configuration()
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
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
