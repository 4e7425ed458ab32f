"""Revision 0002 exchanges indexes of decompositions: up and down, with rows that stay as they are."""

from datetime import UTC, datetime
from typing import Any

from alembic import command
from sqlalchemy import bindparam, inspect, text

from db.engine import Database
from db.migrate import configuration
from db.repositories.decompositions import Decompositions
from db.settings import ServiceSettings
from db.types import Instant


def move(database: Database, direction: Any, revision: str) -> None:
    config = configuration()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        direction(config, revision)


def indexes(database: Database) -> dict[str, list[str]]:
    return {
        str(index["name"]): [str(column) for column in index["column_names"]]
        for index in inspect(database.engine).get_indexes("decompositions")
    }


def rows(database: Database) -> list[Any]:
    with database.reading() as session:
        return list(session.execute(text("SELECT * FROM decompositions ORDER BY id")))


def test_up_and_down_keep_the_rows(unmigrated_settings: ServiceSettings) -> None:
    estimate = {"value": "inf", "standard_error": None, "method": "closed_form"}
    cell = {
        "hypothesis_space": {"kind": "two_layer"},
        "learner": {"kind": "adam"},
        "data": {"kind": "dataset", "dataset_id": "ds_1"},
        "dimension": 3,
        "width": 4,
        "sample_size": 5,
        "seeds": 1,
        "risks": {"trained": estimate},
        "risk_terms": {"approximation": estimate, "estimation": estimate, "optimization": estimate},
    }
    database = Database(unmigrated_settings)
    try:
        move(database, command.upgrade, "0001")
        first = indexes(database)
        with database.unit_of_work() as session:
            # In the words of revision 0001: the tables of today have columns that it does not know.
            session.execute(
                text(
                    "INSERT INTO jobs (id, owner, kind, status, spec, user_metadata, priority, attempt, max_attempts, "
                    "ring_at, rings, model_ids, created_at, queued_at) VALUES ('job_1', 'local', 'decompose_error', "
                    "'succeeded', '{}', '{}', 0, 1, 1, :now, 0, '[]', :now, :now)"
                ).bindparams(bindparam("now", datetime(2026, 1, 1, tzinfo=UTC), Instant))
            )
            Decompositions(session, "local").add_all("job_1", [cell, cell | {"width": 8}])
        stored = rows(database)
        move(database, command.upgrade, "0002")
        second = indexes(database)
        assert rows(database) == stored
        assert first.keys() & second.keys() == {"ix_decompositions_owner_id"}
        move(database, command.downgrade, "0001")
        assert rows(database) == stored
        assert indexes(database) == first
        move(database, command.upgrade, "0002")
        assert indexes(database) == second
    finally:
        database.close()
