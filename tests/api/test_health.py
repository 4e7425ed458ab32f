"""Probes, version and metrics."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.dependencies import Services
from db.repositories.workers import Workers
from db.tables import Worker


def test_live_process_answers_whatever_else_is_down(client: TestClient, services: Services) -> None:
    services.database.close()
    assert client.get("/livez").json() == {"status": "alive"}


def test_ready_needs_database_broker_and_a_fresh_worker(client: TestClient, services: Services, doorbell) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {
        "database": True,
        "broker": True,
        "worker": False,
        "storage": True,
    }
    with services.database.unit_of_work() as session:
        Workers(session).seen("w", "cpu", 1)
    assert client.get("/readyz").json()["status"] == "ready"
    doorbell.answers = False
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"]["ok"] is False


def test_directory_that_cannot_be_written_is_not_ready(client: TestClient, services: Services, monkeypatch) -> None:
    def refused(**_) -> None:
        raise PermissionError

    monkeypatch.setattr("api.routes.health.TemporaryFile", refused)
    check = client.get("/readyz").json()["checks"]["storage"]
    assert check == {"ok": False, "detail": "cannot be written: PermissionError"}


def test_database_without_the_schema_is_not_ready(client: TestClient, services: Services) -> None:
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'older'")
        Worker.__table__.drop(connection)
    checks = client.get("/readyz").json()["checks"]
    assert checks["database"]["ok"] is False
    assert checks["worker"]["ok"] is False


def test_version_is_the_packages(client: TestClient, app: FastAPI) -> None:
    assert client.get("/version").json()["version"] == app.version


def test_metrics_count_requests_by_route_template(client: TestClient) -> None:
    client.get("/v1/jobs/job_1")
    client.get("/nothing/here")
    text = client.get("/metrics").text
    assert 'route="/v1/jobs/{job_id}",status="404"' in text
    assert 'route="unmatched",status="404"' in text
    assert "job_1" not in text
    assert 'riskscope_jobs{status="queued"} 0.0' in text
    assert "riskscope_fresh_workers 0.0" in text


def test_request_id_is_echoed_or_made(client: TestClient) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/nothing", headers={"X-Request-ID": "a b"})
    assert made.headers["x-request-id"].startswith("req_")
    assert made.json()["request_id"] == made.headers["x-request-id"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("PATCH", "/v1/jobs", 405)])
def test_unknown_path_and_method_are_problems(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["error"] == answer.json()["detail"]
