"""A creating request that is sent twice creates once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from api.errors import Conflict, Unprocessable
from api.idempotency import Reply, fingerprint, reply_once
from db.tables import IdempotencyKey

BODY = {
    "spec": {
        "kind": "fit",
        "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2},
        "hypothesis_space": {"kind": "random_features"},
        "learner": {"kind": "ridge"},
        "sample_size": 50,
    }
}
KEY = {"Idempotency-Key": "first"}


def test_replay_is_the_first_answer_and_rings_once(client: TestClient, doorbell: Any) -> None:
    first = client.post("/v1/jobs", json=BODY, headers=KEY)
    client.post(f"/v1/jobs/{first.json()['id']}/cancel")
    again = client.post("/v1/jobs", json=BODY, headers=KEY)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert len(doorbell.rung) == 1


def test_same_key_with_another_body_is_422(client: TestClient) -> None:
    client.post("/v1/jobs", json=BODY, headers=KEY)
    assert client.post("/v1/jobs", json=BODY | {"priority": 1}, headers=KEY).status_code == 422
    assert client.post("/v1/jobs", json=BODY | {"priority": 1}).status_code == 202


def test_refused_request_does_not_use_up_its_key(client: TestClient, services: Services) -> None:
    services.settings.max_queued_jobs = 0
    assert client.post("/v1/jobs", json=BODY, headers=KEY).status_code == 429
    services.settings.max_queued_jobs = 10
    assert client.post("/v1/jobs", json=BODY, headers=KEY).status_code == 202


def test_key_past_its_time_is_forgotten(client: TestClient, services: Services) -> None:
    first = client.post("/v1/jobs", json=BODY, headers=KEY).json()
    services.settings.idempotency_seconds = -1
    second = client.post("/v1/jobs", json=BODY, headers=KEY)
    assert second.status_code == 202
    assert second.json()["id"] != first["id"]


@pytest.mark.parametrize("key", ["", "k" * 256, "a b"])
def test_key_that_cannot_be_kept_is_422(client: TestClient, key: str) -> None:
    assert client.post("/v1/jobs", json=BODY, headers={"Idempotency-Key": key}).status_code == 422


def test_twins_at_once_create_one_job(client: TestClient, doorbell: Any) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/jobs", json=BODY, headers=KEY), range(6)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert len(client.get("/v1/jobs").json()["data"]) == len(doorbell.rung) == 1


def test_slower_twin_reads_the_faster_ones_answer(client: TestClient, services: Services) -> None:
    both_inside = threading.Barrier(1 if services.database.is_sqlite else 2)

    def create(session: Any) -> Reply:
        # SQLite lets one writer in at a time; elsewhere both create before either keeps.
        both_inside.wait(10)
        return Reply(201, {"by": threading.get_ident()})

    request = fingerprint("POST", "/x", b"")
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _: reply_once(services, "local", "k", request, create), range(2)))
    assert sorted(reply.replayed for reply in replies) == [False, True]
    assert replies[0].body == replies[1].body


def test_conflict_of_another_row_is_not_taken_for_a_twin(client: TestClient, services: Services) -> None:
    def create(session: Any) -> Reply:
        row = {"owner": "o", "key": "k", "request_sha256": "s", "response_status": 1}
        for _ in range(2):
            session.add(IdempotencyKey(**row, response_headers={}, response_body={}))
            session.flush()
            session.expunge_all()
        return Reply(201, {})

    with pytest.raises(Conflict):
        reply_once(services, "local", "k", "request", create)


def test_owners_do_not_share_keys(client: TestClient, services: Services) -> None:
    for owner in ("a", "b"):
        assert not reply_once(services, owner, "k", owner, lambda session: Reply(201, {})).replayed
    with pytest.raises(Unprocessable):
        reply_once(services, "a", "k", "b", lambda session: Reply(201, {}))
