"""Webhooks over HTTP: asked for, refused where they lead inside, listed, sent once more, and their secret."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from db.repositories.api_keys import ApiKeys
from db.repositories.webhook_deliveries import FAILED, WebhookQueue

SPEC = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
    "hypothesis_space": {"kind": "random_features", "width": 8},
    "learner": {"kind": "ridge"},
    "sample_size": 50,
}
URL = "https://hooks.example.org:8443/riskscope?token=t"


def submit(client: TestClient, **members: Any) -> Any:
    return client.post("/v1/jobs", json={"spec": SPEC, **members})


@pytest.fixture
def ended(client: TestClient) -> str:
    """A job whose webhook is due."""
    job_id = submit(client, webhook={"url": URL}).json()["id"]
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    return str(job_id)


def test_job_shows_its_webhook_and_where_its_deliveries_are(client: TestClient) -> None:
    job = submit(client, webhook={"url": URL}).json()
    assert job["webhook"] == {"url": URL}
    assert client.get(job["links"]["webhook_deliveries"]).json()["data"] == []
    assert submit(client).json()["webhook"] is None
    assert submit(client, webhook=None).json()["webhook"] is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "https://user@hooks.example.org/",
        "https://hooks.example.org:25/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::ffff:169.254.169.254]/latest/meta-data",
        "https://localhost:8000/",
        "file:///etc/passwd",
        "x" * 3000,
        7,
    ],
)
def test_url_that_must_not_be_called_is_422_that_names_the_field_and_repeats_nothing(
    client: TestClient, url: Any
) -> None:
    for query in ("", "?dry_run=true"):
        answer = client.post(f"/v1/jobs{query}", json={"spec": SPEC, "webhook": {"url": url}})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/webhook/url"]
        assert str(url) not in answer.text or url == 7
    assert client.get("/v1/jobs").json()["data"] == []


def test_delivery_is_listed_with_its_attempts_and_sent_once_more(
    client: TestClient, services: Services, ended: str
) -> None:
    (due,) = client.get(f"/v1/jobs/{ended}/webhook_deliveries").json()["data"]
    assert due["url"] == URL
    assert (due["status"], due["job_status"], due["attempts"]) == ("pending", "cancelled", 0)
    assert (due["response_status"], due["error"], due["last_attempt_at"]) == (None, None, None)
    assert due["next_attempt_at"].endswith("Z")
    with services.database.unit_of_work() as session:
        (claimed,) = WebhookQueue(session).claim(10, 60)
        WebhookQueue(session).settle(
            claimed, FAILED, response_status=500, error="http_status", retry_after_seconds=None
        )
    (failed,) = client.get(f"/v1/jobs/{ended}/webhook_deliveries").json()["data"]
    assert (failed["status"], failed["attempts"]) == ("failed", 1)
    assert (failed["response_status"], failed["error"], failed["next_attempt_at"]) == (500, "http_status", None)
    answer = client.post(f"/v1/jobs/{ended}/webhook_deliveries/{due['id']}/redeliver")
    assert answer.status_code == 202
    assert (answer.json()["id"], answer.json()["status"]) == (due["id"], "pending")
    with services.database.reading() as session:
        assert WebhookQueue(session).any_due()
    assert client.post(f"/v1/jobs/{ended}/webhook_deliveries/msg_0/redeliver").status_code == 404
    assert client.post(f"/v1/jobs/job_0/webhook_deliveries/{due['id']}/redeliver").status_code == 404
    assert client.get("/v1/jobs/job_0/webhook_deliveries").status_code == 404


def test_deliveries_page(client: TestClient, services: Services, ended: str) -> None:
    for _ in range(2):
        client.post(f"/v1/jobs/{ended}/retry")
        client.post(f"/v1/jobs/{ended}/cancel")
    path = f"/v1/jobs/{ended}/webhook_deliveries"
    first = client.get(path, params={"limit": 2, "order": "asc"}).json()
    assert (len(first["data"]), first["has_more"]) == (2, True)
    second = client.get(path, params={"after": first["last_id"], "order": "asc"}).json()
    assert (len(second["data"]), second["has_more"]) == (1, False)
    assert len({delivery["id"] for delivery in first["data"] + second["data"]}) == 3


def test_secret_is_the_owners_and_rotation_keeps_the_one_before(client: TestClient, services: Services) -> None:
    first = client.get("/v1/webhook_secret").json()
    assert first["secret"].startswith("whsec_")
    assert first["previous_secret"] is None
    rotated = client.post("/v1/webhook_secret/rotate").json()
    assert rotated["previous_secret"] == first["secret"] != rotated["secret"]
    assert client.get("/v1/webhook_secret").json() == rotated
    with services.database.unit_of_work() as session:
        _, other = ApiKeys(session).create("other", "k", ["submit"], services.authenticator.key_secret)
        _, mine = ApiKeys(session).create("local", "k", ["submit"], services.authenticator.key_secret)
    theirs = client.get("/v1/webhook_secret", headers={"Authorization": f"Bearer {other}"}).json()
    assert theirs["secret"] not in (first["secret"], rotated["secret"])
    assert client.get("/v1/webhook_secret", headers={"Authorization": f"Bearer {mine}"}).json() == rotated


def test_same_key_with_another_webhook_is_another_request(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k"}
    post: Callable[..., Any] = client.post
    first = post("/v1/jobs", json={"spec": SPEC, "webhook": {"url": URL}}, headers=headers)
    again = post("/v1/jobs", json={"spec": SPEC, "webhook": {"url": URL}}, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert post("/v1/jobs", json={"spec": SPEC, "webhook": {"url": URL + "2"}}, headers=headers).status_code == 422


def test_deleted_job_takes_its_deliveries_along(client: TestClient, services: Services, ended: str) -> None:
    assert client.delete(f"/v1/jobs/{ended}").status_code == 204
    with services.database.unit_of_work() as session:
        assert WebhookQueue(session).claim(10, 60) == []
