"""Requests drawn from the OpenAPI document: nothing breaks the server, and every answer is one that it promises."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from migrated_databases import new_postgres_database
from pydantic import SecretStr
from schemathesis.openapi import from_asgi
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.main import create_app
from api.openapi import openapi_document
from api.settings import ApiSettings
from db.artefact_store import ArtefactStore
from db.engine import Database
from db.job_state import JobStatus
from db.migrate import migrate
from db.repositories.datasets import Datasets
from db.repositories.decompositions import Decompositions
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.repositories.learned_models import LearnedModels
from db.repositories.webhook_deliveries import WebhookDeliveries
from db.repositories.workers import Workers

OPERATIONS = sorted(
    (
        (method, path)
        for path, operations in openapi_document(create_app(ApiSettings()))["paths"].items()
        for method in operations
    ),
    # What deletes comes last, so that the others find their rows.
    key=lambda operation: operation[0] == "delete",
)
# Every check but this one: a schema cannot say that a name exists, that a file is a table or that a job fits its caps.
EXCLUDED = [positive_data_acceptance]
KEY = "root"


def fill(database: Database, store: ArtefactStore, cell: dict[str, Any]) -> dict[str, str]:
    """One row of each kind; their ids by the name of the path parameter."""
    column = {"name": "x", "type": "number", "nulls": 0, "non_finite": 0}
    table: dict[str, Any] = {"name": "t", "sha256": "s", "format": "csv", "size_bytes": 1, "rows": 1}
    model: dict[str, Any] = {"manifest": {}, "risks": {}, "bounds": [], "files": {}, "dataset_ids": []}
    staged = store.staging_directory() / "table"
    pq.write_table(pa.table({"x": [1.0]}), staged)
    file = store.adopt(staged, "datasets/table.parquet")
    with database.unit_of_work() as session:
        Workers(session).seen("w", "cpu", 1)
        dataset = Datasets(session, "local").add(columns=[column], uri=file.uri, **table)
        accepted: dict[str, Any] = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
        accepted["webhook_url"] = "https://example.org/hook"
        job = Jobs(session, "local").accept(kind="decompose_error", **accepted)
        claim = JobQueue(session).claim(job.id, "w", 60)
        assert claim is not None
        Decompositions(session, "local").add_all(job.id, [cell])
        JobQueue(session).finish(job.id, claim.attempt, JobStatus.SUCCEEDED, result={"bound": "inf"})
        (row,) = Decompositions(session, "local").page(limit=1, after=None, order="asc").items
        (delivery,) = WebhookDeliveries(session, "local").page(job.id, limit=2, after=None, order="asc").items
        LearnedModels(session, "local").register(name="m", job_id=job.id, digest="d", **model)
    ids = {"dataset_id": dataset.id, "job_id": job.id, "decomposition_id": row.id}
    return ids | {"delivery_id": delivery.id}


@pytest.fixture(scope="module")
def filled_postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of a database that the whole module shares."""
    with new_postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def served(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    cell: Callable[..., dict[str, Any]],
) -> Iterator[tuple[BaseSchema, dict[str, str]]]:
    """The application over one filled database for the whole module."""
    url = request.getfixturevalue("filled_postgres_url") if request.param == "postgresql" else ""
    api_settings = ApiSettings(
        data_directory=tmp_path_factory.mktemp("data"),
        database_url=url,
        broker_url="memory://",
        admin_key=SecretStr(KEY),
        spare_reading_process=False,
        max_wait_seconds=0,
        max_queued_jobs=100,
        fresh_worker_seconds=3600,
    )
    database = Database(api_settings)
    migrate(database)
    known = fill(database, ArtefactStore(api_settings.artefact_directory), cell(4, 10, "inf"))
    database.close()
    app = create_app(api_settings)
    yield from_asgi("/openapi.json", app), known
    shutdown_lifespans()


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_answers_are_those_of_the_document(served: tuple[BaseSchema, dict[str, str]], method: str, path: str) -> None:
    schema, known = served
    statuses = set()

    @given(case=schema[path][method].as_strategy(), of_a_row=st.booleans())
    @settings(max_examples=15, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case, of_a_row: bool) -> None:
        if of_a_row:
            case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
        # The document's security scheme would be answered with drawn words, and each of those by 401.
        case.headers["Authorization"] = f"Bearer {KEY}"
        statuses.add(case.call_and_validate(excluded_checks=EXCLUDED).status_code)

    check()
    assert 401 not in statuses
