"""Events of a job: as a list, and as a stream that resumes exactly and closes with the job."""

import json
import threading
import time
from typing import Any

import pytest
from starlette.testclient import TestClient

import api.event_stream
from api.dependencies import Services
from db.job_state import JobStatus
from db.repositories.job_queue import JobQueue

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def job_id(client: TestClient) -> str:
    spec = {
        "kind": "fit",
        "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2},
        "hypothesis_space": {"kind": "random_features"},
        "learner": {"kind": "ridge"},
        "sample_size": 50,
    }
    return str(client.post("/v1/jobs", json={"spec": spec}).json()["id"])


def run(services: Services, job_id: str, pause: float = 0.0) -> None:
    """Claim, report twice, succeed."""
    with services.database.unit_of_work() as session:
        taken = JobQueue(session).claim(job_id, "w", 60)
    assert taken is not None
    for step in (1, 2):
        time.sleep(pause)
        with services.database.unit_of_work() as session:
            JobQueue(session).heartbeat(job_id, taken.attempt, 60, {"phase": "training", "step": step, "total": 2})
    with services.database.unit_of_work() as session:
        JobQueue(session).finish(job_id, taken.attempt, JobStatus.SUCCEEDED, result={})


def parsed(text: str) -> list[dict[str, Any]]:
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            events.append({"id": fields["id"], "event": fields["event"], "data": json.loads(fields["data"])})
    return events


def test_list_tells_the_story_and_pages_by_id(client: TestClient, services: Services, job_id: str) -> None:
    run(services, job_id)
    page = client.get(f"/v1/jobs/{job_id}/events").json()
    assert [event["type"] for event in page["data"]] == ["queued", "running", "progress", "progress", "succeeded"]
    assert page["has_more"] is False
    first = client.get(f"/v1/jobs/{job_id}/events", params={"limit": 2}).json()
    rest = client.get(f"/v1/jobs/{job_id}/events", params={"after": first["last_id"]}).json()
    assert first["has_more"] is True
    assert first["data"] + rest["data"] == page["data"]


def test_stream_of_a_finished_job_closes_after_its_last_event(
    client: TestClient, services: Services, job_id: str
) -> None:
    run(services, job_id)
    answer = client.get(f"/v1/jobs/{job_id}/events", headers=STREAM)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = parsed(answer.text)
    assert [event["event"] for event in events][-1] == "succeeded"
    assert [event["data"] for event in events] == client.get(f"/v1/jobs/{job_id}/events").json()["data"]


def test_stream_resumes_exactly_after_the_last_id(client: TestClient, services: Services, job_id: str) -> None:
    run(services, job_id)
    whole = parsed(client.get(f"/v1/jobs/{job_id}/events", headers=STREAM).text)
    for seen, event in enumerate(whole, start=1):
        headers = STREAM | {"Last-Event-ID": event["id"]}
        resumed = client.get(f"/v1/jobs/{job_id}/events", headers=headers).text
        assert parsed(resumed) == whole[seen:]


def test_stream_follows_a_job_until_it_ends(client: TestClient, services: Services, job_id: str) -> None:
    worker = threading.Thread(target=run, args=(services, job_id, 0.4))
    worker.start()
    with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as answer:
        events = parsed("".join(answer.iter_text()))
    worker.join()
    assert [event["event"] for event in events] == ["queued", "running", "progress", "progress", "succeeded"]


def test_idle_stream_is_kept_alive(
    client: TestClient, services: Services, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.event_stream, "KEEPALIVE_SECONDS", 0.0)
    with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as answer:
        lines = answer.iter_lines()
        assert any(line.startswith(":") for line in lines)


def test_stream_ends_when_the_server_closes(client: TestClient, services: Services, job_id: str) -> None:
    timer = threading.Timer(0.5, services.closing.set)
    timer.start()
    text = client.get(f"/v1/jobs/{job_id}/events", headers=STREAM).text
    assert [event["event"] for event in parsed(text)] == ["queued"]
    timer.join()


@pytest.mark.parametrize("value", ["x", "-1", "9" * 19])
def test_bad_event_id_is_422(client: TestClient, job_id: str, value: str) -> None:
    assert client.get(f"/v1/jobs/{job_id}/events", params={"after": value}).status_code == 422
    headers = STREAM | {"Last-Event-ID": value}
    assert client.get(f"/v1/jobs/{job_id}/events", headers=headers).status_code == 422


def test_stream_of_no_job_is_404(client: TestClient) -> None:
    assert client.get("/v1/jobs/job_0/events", headers=STREAM).status_code == 404
