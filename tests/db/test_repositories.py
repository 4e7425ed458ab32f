"""Datasets, models, decompositions, keys: what each remembers."""

import hashlib

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

from db.engine import Database
from db.repositories.api_keys import ApiKeys
from db.repositories.datasets import Datasets
from db.repositories.decompositions import Decompositions
from db.repositories.idempotency_keys import IdempotencyKeys
from db.repositories.jobs import Jobs
from db.repositories.learned_models import LearnedModels
from db.repositories.workers import Workers
from db.tables import ApiKey, LearnedModel

UNDER = b"a server's secret"


def register(database: Database, name: str = "m", owner: str = "local") -> LearnedModel:
    with database.unit_of_work() as session:
        return LearnedModels(session, owner).register(
            name=name,
            job_id=None,
            digest="d",
            manifest={},
            risks={},
            bounds=[{"kind": "a", "value": 1}, {"kind": "b", "value": "inf"}],
            files={},
            dataset_ids=[],
        )


def test_versions_count_from_one_within_a_name(database: Database) -> None:
    assert [register(database).version, register(database).version, register(database, "n").version] == [1, 2, 1]
    assert register(database, owner="stranger").version == 1


def test_alias_works_wherever_a_version_does(database: Database) -> None:
    register(database), register(database)
    with database.unit_of_work() as session:
        models = LearnedModels(session, "local")
        models.point("m", "production", 1)
        models.point("m", "production", 2)
        resolved = models.resolve("m", "production")
        assert resolved is not None
        assert resolved.version == 2
        newest = models.resolve("m", None)
        assert newest is not None
        assert newest.version == 2
        assert models.resolve("m", "3") is None
        assert models.resolve("m", "9" * 40) is None
        assert models.unpoint("m", "production")
        assert not models.unpoint("m", "production")


def test_alias_to_no_version_is_refused(database: Database) -> None:
    register(database)
    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        LearnedModels(session, "local").point("m", "production", 7)


def test_new_bounds_replace_those_of_their_kind(database: Database) -> None:
    model = register(database)
    with database.unit_of_work() as session:
        LearnedModels(session, "local").replace_bounds(model.id, [{"kind": "b", "value": 2.0}])
    with database.reading() as session:
        stored = LearnedModels(session, "local").get(model.id)
        assert stored is not None
        assert stored.bounds == [{"kind": "a", "value": 1}, {"kind": "b", "value": 2.0}]


def test_same_bytes_of_one_owner_are_one_dataset(database: Database) -> None:
    row = {"name": "t", "sha256": "s", "format": "csv", "size_bytes": 1, "rows": 1, "columns": [], "uri": "artefact:x"}
    with database.unit_of_work() as session:
        Datasets(session, "local").add(**row)
        Datasets(session, "stranger").add(**row)
    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        Datasets(session, "local").add(**row)


def test_infinite_risk_survives_the_row(database: Database) -> None:
    estimate = {"value": "inf", "standard_error": None, "method": "closed_form"}
    cell = {
        "hypothesis_space": {"kind": "random_features"},
        "learner": {"kind": "ridge"},
        "data": {"kind": "target", "target": {"kind": "gaussian"}},
        "dimension": 3,
        "width": 4,
        "sample_size": 5,
        "seeds": 1,
        "risks": {"trained": estimate},
        "risk_terms": {"approximation": estimate, "estimation": estimate, "optimization": estimate},
    }
    with database.unit_of_work() as session:
        job = Jobs(session, "local").accept(
            kind="decompose_error", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
        )
        Decompositions(session, "local").add_all(job.id, [cell])
    with database.reading() as session:
        (row,) = Decompositions(session, "local").page(limit=5, after=None, order="asc", target="gaussian").items
        assert row.trained_risk == float("inf")
        assert row.cell == cell
        assert not Decompositions(session, "local").page(limit=5, after=None, order="asc", min_sample_size=6).items


def test_nan_never_enters_a_row(database: Database) -> None:
    with pytest.raises((ValueError, StatementError), match="Out of range float"), database.unit_of_work() as session:
        Jobs(session, "local").accept(
            kind="fit", spec={"x": float("nan")}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
        )


def test_idempotency_key_is_kept_once(database: Database) -> None:
    with database.unit_of_work() as session:
        IdempotencyKeys(session, "local").keep("k", "s", status=202, headers={}, body={"id": 1})
    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        IdempotencyKeys(session, "local").keep("k", "s", status=202, headers={}, body={"id": 2})
    with database.reading() as session:
        kept = IdempotencyKeys(session, "local").get("k")
        assert kept is not None
        assert kept.response_body == {"id": 1}


def test_secret_is_not_stored_and_revoked_key_is_dead(database: Database) -> None:
    with database.unit_of_work() as session:
        assert not ApiKeys(session).any_live()
        key, secret = ApiKeys(session).create("team", "ci", ["read", "predict"], UNDER)
    with database.reading() as session:
        found = ApiKeys(session).authenticate(secret, UNDER)
        assert found is not None
        assert found.owner == "team"
        assert ApiKeys(session).authenticate(secret + "x", UNDER) is None
        row = session.execute(text("SELECT * FROM api_keys")).one()
        assert secret not in str(tuple(row))
    with database.unit_of_work() as session:
        assert ApiKeys(session).revoke(key.id)
        assert not ApiKeys(session).revoke(key.id)
        assert ApiKeys(session).authenticate(secret, UNDER) is None


def test_key_is_unknown_under_another_servers_secret(database: Database) -> None:
    with database.unit_of_work() as session:
        _, secret = ApiKeys(session).create("team", "ci", ["read"], UNDER)
        assert ApiKeys(session).authenticate(secret, b"another server") is None


def test_key_hashed_before_there_was_a_servers_secret_still_works(database: Database) -> None:
    digest = hashlib.sha256(b"rsk_old").hexdigest()
    with database.unit_of_work() as session:
        session.add(ApiKey(id="key_old", owner="team", name="old", secret_sha256=digest, scopes=["read"]))
        session.flush()
        found = ApiKeys(session).authenticate("rsk_old", UNDER)
        assert found is not None
        assert found.id == "key_old"


def test_worker_is_fresh_while_it_is_seen(database: Database) -> None:
    with database.unit_of_work() as session:
        workers = Workers(session)
        workers.seen("w1", "cpu", 1)
        workers.seen("w1", "cpu", 1)
        assert workers.fresh(30) == 1
        assert workers.fresh(-5) == 0
        workers.gone("w1")
        assert workers.fresh(30) == 0


def test_failed_unit_of_work_leaves_nothing(database: Database) -> None:
    def create_and_fail() -> None:
        with database.unit_of_work() as session:
            ApiKeys(session).create("team", "ci", ["read"], UNDER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        create_and_fail()
    with database.reading() as session:
        assert not ApiKeys(session).any_live()
