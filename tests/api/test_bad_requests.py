"""Whatever is wrong with a request is answered with its own status, and the field by its pointer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from db.settings import ServiceSettings

TARGET = {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1}
SPEC = {
    "kind": "fit",
    "data": TARGET,
    "hypothesis_space": {"kind": "random_features", "width": 8},
    "learner": {"kind": "ridge"},
    "sample_size": 50,
}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def storage_settings(tmp_path: Path) -> ServiceSettings:
    """One database is enough: what is refused here is refused before any is asked."""
    return ServiceSettings(data_directory=tmp_path / "data")


def with_(path: str, value: Any) -> dict[str, Any]:
    """SPEC with one field replaced."""
    changed: dict[str, Any] = {**SPEC}
    here = changed
    *steps, last = path.split("/")
    for step in steps:
        here[step] = dict(here[step])
        here = here[step]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return {"spec": changed}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/spec"),
        ([], ""),
        ({"spec": 1}, "/spec"),
        ({"spec": {}}, "/spec/kind"),
        ({"spec": {"kind": "nope"}}, "/spec/kind"),
        ({"spec": SPEC, "more": 1}, "/more"),
        (with_("learner", None), "/spec/learner"),
        (with_("more", 1), "/spec/more"),
        (with_("data/target/kind", "nope"), "/spec/data/target/kind"),
        (with_("data/dimension", None), "/spec/data/dimension"),
        (with_("data/dimension", 10**400), "/spec/data/dimension"),
        (with_("data/noise", "x"), "/spec/data/noise"),
        (with_("hypothesis_space/width", 0), "/spec/hypothesis_space/width"),
        (with_("seed", 2**63), "/spec/seed"),
        (with_("seed", -1), "/spec/seed"),
        (with_("model_name", "Größe!"), "/spec/model_name"),
        (with_("sample_size", None), "/spec/sample_size"),
        (with_("data/noise", "\x00"), "/spec/data/noise"),
        ({"spec": SPEC, "priority": 101}, "/priority"),
        ({"spec": SPEC, "priority": "3"}, "/priority"),
        ({"spec": SPEC, "priority": True}, "/priority"),
        ({"spec": SPEC, "metadata": {"k": 1}}, "/metadata/k"),
        ({"spec": SPEC, "metadata": {"k": "v" * 513}}, "/metadata/k"),
        ({"spec": SPEC, "metadata": {"k" * 65: "v"}}, "/metadata/" + "k" * 65),
        ({"spec": SPEC, "metadata": {str(k): "v" for k in range(17)}}, "/metadata"),
        ({"spec": SPEC, "metadata": {"k": "\x00"}}, "/metadata/k"),
        ({"spec": SPEC, "metadata": {"k": "\ud800"}}, "/metadata/k"),
    ],
)
def test_bad_field_is_named_by_its_pointer(client: TestClient, body: Any, pointer: str) -> None:
    answer = client.post("/v1/jobs", content=json.dumps(body), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_address_of_a_webhook_is_refused_in_words(client: TestClient) -> None:
    (error,) = client.post("/v1/jobs", json={"spec": SPEC, "webhook": {"url": "http://example.com"}}).json()["errors"]
    assert error["pointer"] == "/webhook/url"
    assert "begin with https://" in error["detail"]
    assert len(error["detail"]) < 120


def test_unknown_kind_lists_the_known_ones(client: TestClient) -> None:
    (error,) = client.post("/v1/jobs", json={"spec": {"kind": "nope"}}).json()["errors"]
    assert "'fit'" in error["detail"]
    assert "'decompose_error'" in error["detail"]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b'{"spec": NaN}',
        b'{"spec": -Infinity}',
        b"[" * 100_000,
        b"[" * 65 + b"]" * 65,
        b"[" + b"9" * 5000 + b"]",
        b'{"spec": "\x00"}',
    ],
)
def test_what_is_not_strict_json_is_malformed(client: TestClient, content: bytes) -> None:
    answer = client.post("/v1/jobs", content=content, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_other_media_type_is_415_and_says_which(client: TestClient, media_type: str) -> None:
    answer = client.post("/v1/jobs", content=b"{}", headers={"Content-Type": media_type} if media_type else {})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]
    assert client.post("/v1/datasets", json={}).status_code == 415


def test_empty_body_is_422(client: TestClient) -> None:
    assert client.post("/v1/jobs", headers=JSON).status_code == 422


def test_body_above_the_cap_is_413_with_the_number(client: TestClient) -> None:
    answer = client.post("/v1/jobs", content=b" " * (2**20 + 1), headers=JSON)
    assert answer.status_code == 413
    assert str(2**20) in answer.json()["detail"]

    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            yield b" " * 2**19

    assert client.post("/v1/jobs", content=chunks(), headers=JSON).status_code == 413


@pytest.mark.parametrize("path", ["/v1/jobs/%00", "/v1/datasets/ds_\u00fc", "/v1/decompositions/" + "d" * 5000])
def test_id_that_cannot_be_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "after=%00",
        "after=" + "a" * 65,
        "order=up",
        "status=lost",
        "kind=%00",
        "metadata[%22]=v",
        "metadata[]=v",
    ],
)
def test_bad_query_is_422(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/jobs?{query}").status_code == 422


def test_parameter_of_several_types_is_named_once(client: TestClient) -> None:
    (error,) = client.get("/v1/decompositions?order_by=nope").json()["errors"]
    assert error["pointer"] == "order_by"
    assert "'trained_risk'" in error["detail"]
    assert "'id'" in error["detail"]


@pytest.mark.parametrize("value", ["-1", str(2**31), "1e3", "9" * 5000])
def test_number_beyond_its_column_is_422(client: TestClient, value: str) -> None:
    answer = client.get("/v1/decompositions", params={"width": value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "width"
