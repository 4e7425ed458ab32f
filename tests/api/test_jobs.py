"""Jobs over HTTP: accepted, planned, filtered, cancelled, retried, read, deleted."""

import threading
import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from db.job_state import JobStatus
from db.repositories.job_queue import Claim, JobQueue
from db.repositories.learned_models import LearnedModels

SPEC = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
    "hypothesis_space": {"kind": "random_features", "width": 8},
    "learner": {"kind": "ridge"},
    "sample_size": 50,
}


def submit(client: TestClient, **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/jobs", json={"spec": SPEC, **more})
    assert answer.status_code == 202, answer.text
    return answer.json()


def claim(services: Services, job_id: str) -> Claim:
    with services.database.unit_of_work() as session:
        found = JobQueue(session).claim(job_id, "w", 60)
    assert found is not None
    return found


def finish(services: Services, job_id: str, status: JobStatus, **more: Any) -> None:
    taken = claim(services, job_id)
    with services.database.unit_of_work() as session:
        assert JobQueue(session).finish(job_id, taken.attempt, status, **more)


def test_accepted_job_is_committed_before_it_is_rung_for(client: TestClient, doorbell: Any) -> None:
    answer = client.post("/v1/jobs", json={"spec": SPEC, "metadata": {"run": "größe"}, "priority": 5})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["retry-after"].isdigit()
    assert doorbell.rung == [job["id"]]
    assert client.get(f"/v1/jobs/{job['id']}").json() == job
    assert (job["object"], job["kind"], job["status"], job["attempt"]) == ("job", "fit", "queued", 0)
    assert (job["progress"], job["error"], job["started_at"], job["finished_at"]) == (None, None, None, None)
    assert (job["metadata"], job["model_ids"]) == ({"run": "größe"}, [])
    assert job["created_at"].endswith("Z")
    assert job["links"]["events"] == f"/v1/jobs/{job['id']}/events"


def test_stored_specification_has_its_defaults_filled_in(client: TestClient) -> None:
    spec = submit(client)["spec"]
    assert spec["seed"] == 0
    assert spec["bounds"] == "all"
    assert "penalty" in spec["learner"]


def test_job_is_kept_where_the_broker_is_down(client: TestClient, doorbell: Any) -> None:
    doorbell.answers = False
    assert client.get(f"/v1/jobs/{submit(client)['id']}").json()["status"] == "queued"


def test_counter_counts_what_was_accepted(client: TestClient) -> None:
    submit(client)
    assert 'riskscope_jobs_accepted_total{kind="fit"} 1.0' in client.get("/metrics").text
    assert 'riskscope_jobs{status="queued"} 1.0' in client.get("/metrics").text


def test_dry_run_plans_and_queues_nothing(client: TestClient, doorbell: Any) -> None:
    submit(client)
    answer = client.post("/v1/jobs?dry_run=true", json={"spec": SPEC})
    assert answer.status_code == 200
    plan = answer.json()
    assert plan["parameters"] > 0
    assert plan["peak_memory_bytes"] > 0
    assert plan["queue"] == {"depth": 1}
    assert len(client.get("/v1/jobs").json()["data"]) == len(doorbell.rung) == 1


def test_job_that_cannot_fit_is_refused_with_both_numbers(client: TestClient, services: Services) -> None:
    huge = {**SPEC, "sample_size": 10_000_000, "hypothesis_space": {"kind": "random_features", "width": 65_536}}
    for query in ("", "?dry_run=true"):
        answer = client.post(f"/v1/jobs{query}", json={"spec": huge})
        assert answer.status_code == 422
        assert str(services.settings.max_job_memory_bytes) in answer.json()["detail"]
        assert answer.json()["errors"][0]["pointer"] == "/spec/sample_size"


def test_full_queue_is_429_with_retry_after(client: TestClient, services: Services) -> None:
    services.settings.max_queued_jobs = 1
    submit(client)
    answer = client.post("/v1/jobs", json={"spec": SPEC})
    assert answer.status_code == 429
    assert answer.headers["retry-after"].isdigit()
    assert "1 jobs" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"data": {"kind": "dataset", "dataset_id": "ds_0", "target_columns": ["y"]}}, "/spec/data/dataset_id"),
        ({"data": {"kind": "dataset", "dataset_id": "x", "target_columns": ["y"]}}, "/spec/data/dataset_id"),
    ],
)
def test_unknown_dataset_is_named(client: TestClient, change: dict[str, Any], pointer: str) -> None:
    answer = client.post("/v1/jobs", json={"spec": SPEC | change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_column_that_does_not_serve_is_named(client: TestClient) -> None:
    content = b"x,y,label\n" + b"1,2,a\n" * 20
    identifier = client.post("/v1/datasets", files={"file": ("t.csv", content)}).json()["id"]
    for column in ("label", "nothing"):
        data = {"kind": "dataset", "dataset_id": identifier, "target_columns": [column]}
        spec = {key: value for key, value in SPEC.items() if key != "sample_size"} | {"data": data}
        answer = client.post("/v1/jobs", json={"spec": spec})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/spec/data/target_columns"


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"missing": "refuse"}, "/spec/data/feature_columns", "'x' misses 2 values"),
        ({"feature_columns": ["z"], "test_rows": [20]}, "/spec/data/test_rows", "Test row 20 is outside 0..19"),
        ({"feature_columns": ["z"], "test_rows": list(range(20))}, "/spec/data/test_rows", "no training row"),
        ({"feature_columns": ["z"], "test_fraction": 0.99}, "/spec/data/test_fraction", "no training row"),
    ],
)
def test_table_that_cannot_serve_is_refused_before_it_is_queued(
    client: TestClient, change: dict[str, Any], pointer: str, words: str
) -> None:
    content = b"x,y,z\n" + b",2,3\n" * 2 + b"1,2,3\n" * 18
    identifier = client.post("/v1/datasets", files={"file": ("t.csv", content)}).json()["id"]
    data = {"kind": "dataset", "dataset_id": identifier, "target_columns": ["y"], **change}
    spec = {key: value for key, value in SPEC.items() if key != "sample_size"} | {"data": data}
    answer = client.post("/v1/jobs", json={"spec": spec})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(("field", "value"), [("width", True), ("width", "8"), ("bandwidth", "1")])
def test_boolean_or_string_is_no_number(client: TestClient, field: str, value: Any) -> None:
    space = {"kind": "random_features", "feature": "cosine", field: value}
    answer = client.post("/v1/jobs", json={"spec": SPEC | {"hypothesis_space": space}})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": f"/spec/hypothesis_space/{field}", "detail": "Input should be a number."}
    ]


@pytest.mark.parametrize("path", ["jobs", "datasets", "models", "decompositions", "api-keys"])
def test_cursor_that_is_no_id_of_the_list_is_refused(client: TestClient, path: str) -> None:
    answer = client.get(f"/v1/{path}", params={"after": "zzz"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "after"


def test_bounds_of_a_model_hold_the_models_datasets(client: TestClient, services: Services) -> None:
    assert client.post("/v1/jobs", json={"spec": {"kind": "evaluate_bounds", "model_id": "mdl_0"}}).status_code == 422
    dataset = client.post("/v1/datasets", files={"file": ("t.csv", b"x,y\n1,2\n")}).json()["id"]
    empty: Any = {"manifest": {}, "risks": {}, "bounds": [], "files": {}}
    with services.database.unit_of_work() as session:
        models = LearnedModels(session, "local")
        model = models.register(name="m", job_id=None, digest="d", dataset_ids=[dataset], **empty)
        orphan = models.register(name="m", job_id=None, digest="d", dataset_ids=["ds_gone"], **empty)
    spec = {"kind": "evaluate_bounds", "model_id": model.id}
    assert client.post("/v1/jobs", json={"spec": spec}).status_code == 202
    assert client.delete(f"/v1/datasets/{dataset}").status_code == 409
    answer = client.post("/v1/jobs", json={"spec": spec | {"model_id": orphan.id}})
    assert answer.json()["errors"][0]["pointer"] == "/spec/model_id"
    assert "ds_gone" in answer.json()["detail"]


def test_filters_narrow_the_list(client: TestClient) -> None:
    first = submit(client, metadata={"run": "a.b", "größe": "1"})["id"]
    second = submit(client, metadata={"run": "c"})["id"]
    client.post(f"/v1/jobs/{second}/cancel")

    def found(**filters: str) -> list[str]:
        return [job["id"] for job in client.get("/v1/jobs", params={"order": "asc", **filters}).json()["data"]]

    assert found() == found(kind="fit") == [first, second]
    assert found(status="cancelled") == found(**{"metadata[run]": "c"}) == [second]
    assert found(**{"metadata[run]": "a.b", "metadata[größe]": "1"}) == [first]
    assert found(**{"metadata[run]": "a.b", "metadata[größe]": "2"}) == found(kind="x") == []


def test_queued_job_is_cancelled_at_once(client: TestClient) -> None:
    job = submit(client)
    answer = client.post(f"/v1/jobs/{job['id']}/cancel")
    assert answer.status_code == 202
    assert answer.json()["status"] == "cancelled"
    assert client.post(f"/v1/jobs/{job['id']}/cancel").status_code == 200


def test_running_job_is_cancelled_only_when_it_has_stopped(client: TestClient, services: Services) -> None:
    job = submit(client)
    claim(services, job["id"])
    answer = client.post(f"/v1/jobs/{job['id']}/cancel")
    assert answer.status_code == 202
    assert answer.json()["status"] == "running"
    assert answer.json()["cancel_requested_at"] is not None


def test_finished_job_cannot_be_cancelled(client: TestClient, services: Services) -> None:
    job = submit(client)
    finish(services, job["id"], JobStatus.SUCCEEDED, result={})
    assert client.post(f"/v1/jobs/{job['id']}/cancel").status_code == 409


def test_failed_job_shows_why_and_is_retried_as_itself(client: TestClient, services: Services, doorbell: Any) -> None:
    job = submit(client)
    assert client.post(f"/v1/jobs/{job['id']}/retry").status_code == 409
    error = {"code": "training_diverged", "message": "It left every ball.", "param": "/learner"}
    finish(services, job["id"], JobStatus.FAILED, error=error)
    assert client.get(f"/v1/jobs/{job['id']}").json()["error"] == error
    result = client.get(f"/v1/jobs/{job['id']}/result")
    assert result.status_code == 409
    assert "It left every ball." in result.json()["detail"]
    answer = client.post(f"/v1/jobs/{job['id']}/retry")
    assert answer.status_code == 202
    assert (answer.json()["id"], answer.json()["status"], answer.json()["error"]) == (job["id"], "queued", None)
    assert doorbell.rung == [job["id"], job["id"]]
    assert claim(services, job["id"]).attempt == 2


def test_result_is_there_once_the_job_has_succeeded(client: TestClient, services: Services) -> None:
    job = submit(client)
    assert client.get(f"/v1/jobs/{job['id']}/result").status_code == 409
    finish(services, job["id"], JobStatus.SUCCEEDED, result={"bound": "inf"}, model_ids=["mdl_1"])
    assert client.get(f"/v1/jobs/{job['id']}/result").json() == {"bound": "inf"}
    assert client.get(f"/v1/jobs/{job['id']}").json()["model_ids"] == ["mdl_1"]


def test_active_job_is_not_deleted(client: TestClient) -> None:
    job = submit(client)
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 409
    client.post(f"/v1/jobs/{job['id']}/cancel")
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert client.get(f"/v1/jobs/{job['id']}").status_code == 404


def test_progress_is_shown_as_it_was_reported(client: TestClient, services: Services) -> None:
    job = submit(client)
    taken = claim(services, job["id"])
    progress = {"phase": "training", "step": 1, "total": 4, "fraction": 0.25, "eta_seconds": 3.0}
    progress["empirical_risk"] = 0.5
    with services.database.unit_of_work() as session:
        JobQueue(session).heartbeat(job["id"], taken.attempt, 60, progress)
    assert client.get(f"/v1/jobs/{job['id']}").json()["progress"] == progress


def test_wait_ends_when_the_status_changes(client: TestClient, services: Services) -> None:
    job = submit(client)
    timer = threading.Timer(0.5, claim, (services, job["id"]))
    timer.start()
    started = time.monotonic()
    assert client.get(f"/v1/jobs/{job['id']}", params={"wait": 30}).json()["status"] == "running"
    assert time.monotonic() - started < 2.5
    timer.join()


def test_wait_is_capped_and_needless_for_a_finished_job(client: TestClient, services: Services) -> None:
    services.settings.max_wait_seconds = 0.5
    job = submit(client)
    started = time.monotonic()
    assert client.get(f"/v1/jobs/{job['id']}", params={"wait": 30}).json()["status"] == "queued"
    assert 0.4 < time.monotonic() - started < 3
    services.settings.max_wait_seconds = 60
    client.post(f"/v1/jobs/{job['id']}/cancel")
    started = time.monotonic()
    assert client.get(f"/v1/jobs/{job['id']}", params={"wait": 30}).json()["status"] == "cancelled"
    assert time.monotonic() - started < 3


def test_other_owners_job_does_not_exist(client: TestClient, services: Services) -> None:
    job = submit(client)
    with services.database.unit_of_work() as session:
        session.connection().exec_driver_sql("UPDATE jobs SET owner = 'stranger'")
    for method, path in [("GET", ""), ("GET", "/events"), ("GET", "/result"), ("POST", "/cancel"), ("POST", "/retry")]:
        assert client.request(method, f"/v1/jobs/{job['id']}{path}").status_code == 404
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 404
