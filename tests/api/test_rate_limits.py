"""Each key has a bucket of its own, and whoever shows none shares the bucket of its address."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.main import create_app
from api.rate_limits import TokenBuckets
from api.settings import ApiSettings
from db.engine import Database
from db.settings import ServiceSettings


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_bucket_gives_its_burst_then_its_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(2.0, 3, clock)
    assert [buckets.draw("a").remaining for _ in range(3)] == [2, 1, 0]
    assert buckets.draw("a").wait_seconds == pytest.approx(0.5)
    assert buckets.draw("b").wait_seconds == 0
    clock.now = 0.5
    assert buckets.draw("a").wait_seconds == 0
    assert buckets.draw("a").wait_seconds > 0
    clock.now = 1000.0
    assert buckets.draw("a").remaining == 2


@pytest.fixture
def storage_settings(tmp_path) -> ServiceSettings:
    """No row is at stake."""
    return ServiceSettings(data_directory=tmp_path / "data")


@pytest.fixture
def app(api_settings: ApiSettings, database: Database, doorbell) -> Iterator[FastAPI]:
    """Five requests, then one in a thousand seconds."""
    limits = {"admin_key": SecretStr("root"), "requests_per_second": 0.001, "request_burst": 5}
    return create_app(api_settings.model_copy(update=limits), doorbell=doorbell)


def test_request_above_the_rate_is_429_and_says_when_to_return(client: TestClient) -> None:
    key = {"Authorization": "Bearer root"}
    answers = [client.get("/v1/jobs", headers=key) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["ratelimit"] for answer in answers[:2]] == ['"requests";r=4;t=0', '"requests";r=3;t=0']
    assert answers[5].headers["ratelimit-policy"] == '"requests";q=5;w=5000'
    assert 990 <= int(answers[5].headers["retry-after"]) <= 1000
    assert answers[5].json()["status"] == 429
    assert answers[5].headers["x-request-id"] == answers[5].json()["request_id"]
    assert client.get("/livez").status_code == 200


def test_wrong_keys_share_one_bucket_and_do_not_empty_a_right_ones(client: TestClient) -> None:
    wrong = [client.get("/v1/jobs", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(7)]
    assert wrong == [401] * 5 + [429] * 2
    assert client.get("/v1/jobs", headers={"Authorization": "Bearer root"}).status_code == 200
