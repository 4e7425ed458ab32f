"""Keys close the server, carry scopes and owners, and show their secret once."""

from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.main import create_app
from api.settings import ApiSettings
from db.engine import Database

CSV = {"file": ("t.csv", b"a\n1\n")}


@pytest.fixture
def app(api_settings: ApiSettings, database: Database, doorbell: Any) -> FastAPI:
    """With an administrator's key from the environment: nothing is open without one."""
    return create_app(api_settings.model_copy(update={"admin_key": SecretStr("root")}), doorbell=doorbell)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


ROOT = bearer("root")


def make(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/api-keys", json={"name": "k", **body}, headers=ROOT)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_secret_is_shown_once(client: TestClient) -> None:
    key = make(client, scopes=["read"], owner="team")
    assert key["secret"].startswith("rsk_")
    (listed,) = client.get("/v1/api-keys", headers=ROOT).json()["data"]
    assert listed == {name: value for name, value in key.items() if name != "secret"}
    assert (listed["owner"], listed["scopes"]) == ("team", ["read"])


def test_replayed_key_has_no_secret_and_is_the_same_key(client: TestClient) -> None:
    headers = ROOT | {"Idempotency-Key": "once"}
    first = client.post("/v1/api-keys", json={"name": "k"}, headers=headers)
    again = client.post("/v1/api-keys", json={"name": "k"}, headers=headers)
    assert first.json()["secret"] is not None
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json() | {"secret": None}
    assert len(client.get("/v1/api-keys", headers=ROOT).json()["data"]) == 1


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}])
def test_request_without_a_key_is_401(client: TestClient, header: dict[str, str]) -> None:
    for method, path in [("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("POST", "/v1/datasets"), ("GET", "/v1/catalogue")]:
        answer = client.request(method, path, headers=header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/livez", headers=header).status_code == 200


def test_scopes_open_their_own_routes_only(client: TestClient) -> None:
    reader = bearer(make(client, scopes=["read"])["secret"])
    assert client.get("/v1/datasets", headers=reader).status_code == 200
    refused = client.post("/v1/datasets", files=CSV, headers=reader)
    assert refused.status_code == 403
    assert "submit" in refused.json()["detail"]
    assert client.get("/v1/api-keys", headers=reader).status_code == 403
    administrator = bearer(make(client, scopes=["admin"])["secret"])
    assert client.post("/v1/datasets", files=CSV, headers=administrator).status_code == 201


def test_owners_see_their_own_rows(client: TestClient) -> None:
    mine = bearer(make(client, owner="a")["secret"])
    theirs = bearer(make(client, owner="b")["secret"])
    identifier = client.post("/v1/datasets", files=CSV, headers=mine).json()["id"]
    assert client.get(f"/v1/datasets/{identifier}", headers=theirs).status_code == 404
    assert client.post("/v1/datasets", files=CSV, headers=theirs).json()["id"] != identifier


def test_revoked_key_is_gone(client: TestClient) -> None:
    key = make(client)
    assert client.delete(f"/v1/api-keys/{key['id']}", headers=ROOT).status_code == 204
    assert client.delete(f"/v1/api-keys/{key['id']}", headers=ROOT).status_code == 404
    assert client.get("/v1/jobs", headers=bearer(key["secret"])).status_code == 401


@pytest.mark.parametrize("body", [{"name": ""}, {"scopes": []}, {"scopes": ["root"]}, {"owner": "\x00"}, {"more": 1}])
def test_bad_key_request_is_422(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/v1/api-keys", json={"name": "k", **body}, headers=ROOT).status_code == 422
