"""Prometheus metrics: requests by template, jobs by what the workers wrote, predictions by their size."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from db.job_state import JobStatus
from db.repositories import finished_runs
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event counts in the scrape that follows it."""
    monkeypatch.setattr(finished_runs, "SETTLED_SECONDS", 0.0)


def sample(client: TestClient, name: str) -> float | None:
    """The value of one series, or None where it is not there."""
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == name), None)


def run(services: Services, status: JobStatus | None, kind: str = "fit") -> str:
    """A job that was run; None: its worker was lost, and it waits again."""
    accepted: dict[str, Any] = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 3}
    with services.database.unit_of_work() as session:
        job_id = Jobs(session, "local").accept(kind=kind, **accepted).id
        claim = JobQueue(session).claim(job_id, "w", 60)
        assert claim is not None
        if status is None:
            JobQueue(session).lose(job_id, claim.attempt, "killed")
        else:
            JobQueue(session).finish(job_id, claim.attempt, status, error={"code": "c", "message": "m"})
    return job_id


def count(kind: str, outcome: str) -> str:
    return f'riskscope_job_seconds_count{{kind="{kind}",outcome="{outcome}"}}'


def test_jobs_are_counted_once_by_kind_and_outcome(client: TestClient, services: Services) -> None:
    for status in (JobStatus.SUCCEEDED, JobStatus.SUCCEEDED, JobStatus.FAILED):
        run(services, status)
    run(services, JobStatus.CANCELLED, "decompose_error")
    for _ in range(2):
        assert sample(client, count("fit", "succeeded")) == 2
        assert sample(client, count("fit", "failed")) == 1
        assert sample(client, count("decompose_error", "cancelled")) == 1
    run(services, JobStatus.SUCCEEDED)
    assert sample(client, count("fit", "succeeded")) == 3


def test_deleted_job_takes_no_count_back(client: TestClient, services: Services) -> None:
    job = run(services, JobStatus.SUCCEEDED)
    assert sample(client, count("fit", "succeeded")) == 1
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    assert sample(client, count("fit", "succeeded")) == 1


def test_lost_attempt_is_counted_and_its_job_waits(client: TestClient, services: Services) -> None:
    run(services, None)
    assert sample(client, 'riskscope_lost_attempts_total{kind="fit"}') == 1
    assert sample(client, 'riskscope_jobs{status="queued"}') == 1
    assert (sample(client, "riskscope_oldest_queued_seconds") or 0) > 0
    assert sample(client, count("fit", "failed")) is None


def test_duration_runs_from_the_start_to_the_end(client: TestClient, services: Services) -> None:
    run(services, JobStatus.SUCCEEDED)
    total = sample(client, 'riskscope_job_seconds_sum{kind="fit",outcome="succeeded"}')
    assert total is not None
    assert 0 <= total < 5


def test_database_that_is_down_leaves_the_metrics_as_they_were(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(services, JobStatus.SUCCEEDED)
    assert sample(client, count("fit", "succeeded")) == 1
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE workers")
    assert sample(client, count("fit", "succeeded")) == 1


def test_predictions_are_counted_with_their_batches(services: Services, client: TestClient) -> None:
    for rows in (1, 500):
        services.metrics.observe_prediction("native", rows)
    assert sample(client, 'riskscope_predicted_rows_total{protocol="native"}') == 501
    assert sample(client, 'riskscope_prediction_batch_rows_bucket{le="1.0",protocol="native"}') == 1
    assert sample(client, 'riskscope_prediction_batch_rows_count{protocol="native"}') == 2


def test_requests_have_latencies_by_route_template(client: TestClient) -> None:
    client.get("/v1/jobs/job_1")
    series = 'riskscope_http_request_seconds_count{method="GET",route="/v1/jobs/{job_id}",status="404"}'
    assert sample(client, series) == 1
