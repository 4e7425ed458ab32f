"""Every operation of the OpenAPI document: closed without a key, open to its scope alone, blind to other owners."""

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.dependencies import Services
from api.main import create_app
from api.openapi import openapi_document
from api.settings import ApiSettings
from db.engine import Database
from db.job_state import JobStatus
from db.repositories.api_keys import SCOPES, ApiKeys
from db.repositories.datasets import Datasets
from db.repositories.decompositions import Decompositions
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.repositories.learned_models import LearnedModels
from db.repositories.webhook_deliveries import WebhookDeliveries

OPERATIONS = [
    (method.upper(), path)
    for path, operations in openapi_document(create_app(ApiSettings()))["paths"].items()
    for method in operations
]
PUBLIC = {"/livez", "/readyz", "/version", "/metrics", "/v2", "/v2/health/live", "/v2/health/ready"}
NOT_BY_OWNER = ("/v1/api-keys", "/v1/catalogue")
"""Administrators' keys are over all owners; the catalogue is the same for everyone."""

READABLE = (
    "/v1/datasets/{dataset_id}",
    "/v1/datasets/{dataset_id}/rows",
    "/v1/jobs/{job_id}",
    "/v1/jobs/{job_id}/events",
    "/v1/jobs/{job_id}/webhook_deliveries",
    "/v1/decompositions/{decomposition_id}",
    "/v1/models/{name}/versions",
)
"""What the owner of the rows does see: the same requests, the same words."""

BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/datasets": {"files": {"file": ("t.csv", b"a,b\n1,2\n")}},
    "POST /v1/jobs": {
        "json": {
            "spec": {
                "kind": "fit",
                "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
                "hypothesis_space": {"kind": "random_features", "width": 8},
                "learner": {"kind": "ridge"},
                "sample_size": 50,
            }
        }
    },
    "POST /v1/api-keys": {"json": {"name": "k"}},
    "POST /v1/bounds/evaluate": {"json": {"sample_size": 100, "delta": 0.05}},
    "PUT /v1/models/{name}/aliases/{alias}": {"json": {"version": 1}},
    "POST /v1/models/{name}/predict": {"json": {"rows": [[1.0]]}},
    "POST /v1/models/{name}/versions/{version}/predict": {"json": {"rows": [[1.0]]}},
    "POST /v2/models/{name}/infer": {"json": {"inputs": []}},
    "POST /v2/models/{name}/versions/{version}/infer": {"json": {"inputs": []}},
    "POST /v2/repository/index": {"json": {}},
}


def scopes_of(method: str, path: str) -> set[str]:
    """The rule, said independently of the routes."""
    if path.startswith("/v1/api-keys"):
        return {"admin"}
    if path.endswith(("/predict", "/infer")):
        return {"predict"}
    if path.startswith("/v2"):
        return {"predict", "read"}
    if path == "/v1/webhook_secret":
        return {"submit"}
    if method == "GET" or path == "/v1/bounds/evaluate":
        return {"read"}
    return {"submit"}


@pytest.fixture
def app(api_settings: ApiSettings, database: Database, doorbell: Any) -> FastAPI:
    """No loopback privilege: an administrator's key is set."""
    return create_app(api_settings.model_copy(update={"admin_key": SecretStr("root")}), doorbell=doorbell)


@pytest.fixture
def known(services: Services, cell: Callable[..., dict[str, Any]]) -> dict[str, str]:
    """One row of each kind, of the owner "mine"; the path parameters that name them."""
    table: dict[str, Any] = {"name": "t", "sha256": "s", "format": "csv", "size_bytes": 1, "rows": 1}
    model: dict[str, Any] = {"manifest": {}, "risks": {}, "bounds": [], "files": {}, "dataset_ids": []}
    staged = services.store.staging_directory() / "table"
    pq.write_table(pa.table({"x": [1.0]}), staged)
    uri = services.store.adopt(staged, "datasets/table.parquet").uri
    with services.database.unit_of_work() as session:
        column = {"name": "x", "type": "number", "nulls": 0, "non_finite": 0}
        dataset = Datasets(session, "mine").add(columns=[column], uri=uri, **table)
        accepted: dict[str, Any] = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
        accepted["webhook_url"] = "https://example.org/hook"
        job = Jobs(session, "mine").accept(kind="decompose_error", **accepted)
        claim = JobQueue(session).claim(job.id, "w", 60)
        assert claim is not None
        Decompositions(session, "mine").add_all(job.id, [cell(4, 10, 0.5)])
        JobQueue(session).finish(job.id, claim.attempt, JobStatus.FAILED, error={"code": "c", "message": "m"})
        (row,) = Decompositions(session, "mine").page(limit=1, after=None, order="asc").items
        (delivery,) = WebhookDeliveries(session, "mine").page(job.id, limit=2, after=None, order="asc").items
        models = LearnedModels(session, "mine")
        models.register(name="m", job_id=job.id, digest="d", **model)
        models.point("m", "live", 1)
    return {
        "dataset_id": dataset.id,
        "job_id": job.id,
        "decomposition_id": row.id,
        "name": "m",
        "version": "1",
        "alias": "live",
        "key_id": "key_0",
        "delivery_id": delivery.id,
        "family": "learners",
        "kind": "ridge",
    }


@pytest.fixture
def key(services: Services) -> Callable[..., dict[str, str]]:
    def made(owner: str, *scopes: str) -> dict[str, str]:
        with services.database.unit_of_work() as session:
            _, secret = ApiKeys(session).create(owner, "k", scopes, services.authenticator.key_secret)
        return {"Authorization": f"Bearer {secret}"}

    return made


def send(client: TestClient, method: str, path: str, known: dict[str, str], headers: dict[str, str]) -> Any:
    body = BODIES.get(f"{method} {path}", {})
    return client.request(method, path.format(**known), headers=headers, **body)


def everything(client: TestClient, known: dict[str, str], headers: dict[str, str]) -> dict[tuple[str, str], int]:
    """The status of every operation but those that are public."""
    return {
        (method, path): send(client, method, path, known, headers).status_code
        for method, path in OPERATIONS
        if path not in PUBLIC
    }


def test_every_body_of_the_document_is_sent_here() -> None:
    paths = openapi_document(create_app(ApiSettings()))["paths"]
    with_body = {f"{m} {p}" for m, p in OPERATIONS if "requestBody" in paths[p][m.lower()]}
    assert set(BODIES) == with_body


def test_no_route_answers_without_a_key(client: TestClient, known: dict[str, str]) -> None:
    for headers in ({}, {"Authorization": "Bearer rsk_wrong"}):
        found = everything(client, known, headers)
        assert {operation for operation, status in found.items() if status != 401} == set()


def test_probes_need_no_key(client: TestClient) -> None:
    assert {path: client.get(path).status_code for path in PUBLIC} == dict.fromkeys(PUBLIC, 200) | {
        "/readyz": 503,
        "/v2/health/ready": client.get("/v2/health/ready").status_code,
    }


def test_every_scope_opens_its_own_routes_and_no_other(
    client: TestClient, known: dict[str, str], key: Callable[..., dict[str, str]]
) -> None:
    for scope in SCOPES:
        if scope == "admin":
            continue
        found = everything(client, known, key("stranger", scope))
        refused = {operation for operation, status in found.items() if status == 403}
        assert refused == {operation for operation in found if scope not in scopes_of(*operation)}, scope


def test_other_owners_row_is_not_found_by_any_route(
    client: TestClient, known: dict[str, str], key: Callable[..., dict[str, str]]
) -> None:
    stranger = key("stranger", "read", "submit", "predict")
    by_row = [(method, path) for method, path in OPERATIONS if "{" in path and not path.startswith(NOT_BY_OWNER)]
    found = {operation: send(client, *operation, known, stranger) for operation in by_row}
    assert {operation: answer.status_code for operation, answer in found.items()} == dict.fromkeys(by_row, 404)
    # Nothing of the row shows, and nothing happened to it.
    assert not any("mine" in answer.text for answer in found.values())
    mine = key("mine", "read")
    seen = {path: send(client, "GET", path, known, mine).status_code for path in READABLE}
    assert seen == dict.fromkeys(READABLE, 200)


def test_lists_show_the_owners_rows_only(
    client: TestClient, known: dict[str, str], key: Callable[..., dict[str, str]]
) -> None:
    stranger, mine = key("stranger", "read"), key("mine", "read")
    lists = ("/v1/datasets", "/v1/jobs", "/v1/decompositions", "/v1/models")
    assert {path: len(client.get(path, headers=mine).json()["data"]) for path in lists} == dict.fromkeys(lists, 1)
    assert {path: client.get(path, headers=stranger).json()["data"] for path in lists} == {path: [] for path in lists}
    assert "m" not in [model["name"] for model in client.get("/v2/models", headers=stranger).json()["models"]]
    theirs = {"job_id": known["job_id"], "dataset_id": known["dataset_id"]}
    for name, value in theirs.items():
        assert client.get("/v1/decompositions", params={name: value}, headers=stranger).json()["data"] == []


def test_other_method_is_405_that_names_every_method_of_the_path(client: TestClient) -> None:
    words = {name: "x" for _, path in OPERATIONS for name in re.findall(r"{(\w+)}", path)}
    for path in {path for _, path in OPERATIONS}:
        answer = client.request("PATCH", path.format(**words))
        assert answer.status_code == 405
        # A word may be a name: /v2/models/stats has the methods of /v2/models/{name}, too.
        assert set(answer.headers["allow"].split(", ")) == {method for method, same in OPERATIONS if same == path}, path
