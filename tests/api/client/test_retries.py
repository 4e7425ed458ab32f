"""What is sent again, when, and what never is."""

import io
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from api.client import (
    Conflict,
    NotFound,
    RiskscopeClient,
    ServiceFailure,
    ServiceUnreachable,
    TooManyRequests,
    Unprocessable,
)
from api.client.retries import RetryPolicy, asked_seconds

VERSION = httpx.Response(200, json={"name": "riskscope", "version": "1", "api": "v1"})
LOST, REFUSED = httpx.ReadTimeout("timed out"), httpx.ConnectError("refused")
PLAN = {
    "object": "job.plan",
    "kind": "fit",
    "parameters": 1,
    "peak_memory_bytes": 1,
    "floating_point_operations": "inf",
    "estimated_seconds": 1.0,
    "queue": {"depth": 0},
}


def problem(status: int, **headers: str) -> httpx.Response:
    body = {"title": "T", "status": status, "detail": "not now", "errors": [], "request_id": "req_1"}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_later_is_asked_again_after_growing_pauses(scripted, status):
    client, script, waited = scripted(problem(status), problem(status), VERSION)
    assert client.service.version().version == "1"
    assert len(script.requests) == 3
    assert 0.125 <= waited[0] <= 0.25
    assert 0.25 <= waited[1] <= 0.5


def test_retries_end_and_the_problem_is_raised(scripted):
    client, script, waited = scripted(problem(503), retries=2)
    with pytest.raises(ServiceFailure) as refused:
        client.service.version()
    assert (refused.value.status, refused.value.detail, refused.value.request_id) == (503, "not now", "req_1")
    assert (len(script.requests), len(waited)) == (3, 2)


@pytest.mark.parametrize("error", [LOST, REFUSED, httpx.RemoteProtocolError("closed")])
def test_lost_connection_is_made_again(scripted, error):
    client, script, _ = scripted(error, error, VERSION)
    assert client.service.version().version == "1"
    assert len(script.requests) == 3


def test_service_that_is_not_there_is_said_after_every_try(scripted):
    client, script, waited = scripted(REFUSED)
    with pytest.raises(ServiceUnreachable, match=r"http://service does not answer: refused"):
        client.service.version()
    assert (len(script.requests), len(waited)) == (5, 4)


def test_named_time_is_waited_for(scripted):
    client, _, waited = scripted(problem(429, Retry_After="7"), VERSION)
    client.service.version()
    assert 7.0 < waited[0] <= 7.25


def test_time_that_is_too_long_is_the_callers_to_wait(scripted):
    client, script, waited = scripted(problem(429, Retry_After="3600"))
    with pytest.raises(TooManyRequests) as refused:
        client.service.version()
    assert refused.value.retry_after_seconds == 3600
    assert (len(script.requests), waited) == (1, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 500, 501])
def test_no_is_no(scripted, status):
    client, script, _ = scripted(problem(status))
    with pytest.raises(Exception, match="not now") as refused:
        client.service.version()
    assert refused.value.status == status
    assert len(script.requests) == 1


def test_submission_carries_one_key_through_every_try(scripted):
    client, script, _ = scripted(LOST, problem(503), problem(422))
    with pytest.raises(Unprocessable):
        client.submit({"kind": "fit"})
    keys = [request.headers["Idempotency-Key"] for request in script.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    with pytest.raises(Unprocessable):
        client.submit({"kind": "fit"})
    assert script.requests[-1].headers["Idempotency-Key"] != keys[0]
    with pytest.raises(Unprocessable):
        client.submit({"kind": "fit"}, idempotency_key="mine")
    assert script.requests[-1].headers["Idempotency-Key"] == "mine"


def test_twin_in_flight_is_waited_for(scripted):
    """The first try's answer was lost while it is still at work: its twin meets a conflict."""
    client, script, _ = scripted(LOST, problem(409), problem(422))
    with pytest.raises(Unprocessable):
        client.submit({"kind": "fit"})
    assert len(script.requests) == 3
    client, script, _ = scripted(problem(409))
    with pytest.raises(Conflict):
        client.submit({"kind": "fit"})
    assert len(script.requests) == 1


def test_second_run_is_not_asked_for_twice(scripted, job_document):
    """POST .../retry has no key: an answer that is lost may have started an attempt."""
    queued = httpx.Response(200, json=job_document("failed"))
    client, script, _ = scripted(queued, LOST)
    job = client.jobs.get("job_1")
    with pytest.raises(ServiceUnreachable):
        job.retry()
    assert len(script.requests) == 2
    client, script, _ = scripted(queued, REFUSED, problem(429), httpx.Response(202, json=job_document("queued")))
    assert client.jobs.get("job_1").retry().status == "queued"
    assert len(script.requests) == 4


def test_deleted_by_a_try_whose_answer_was_lost_is_deleted(scripted):
    client, script, _ = scripted(LOST, problem(404))
    client.datasets.delete("ds_1")
    assert len(script.requests) == 2
    for first in (REFUSED, problem(503)):
        client, _, _ = scripted(first, problem(404))
        with pytest.raises(NotFound):
            client.datasets.delete("ds_1")


def test_what_changes_nothing_is_sent_again(scripted):
    client, script, _ = scripted(LOST, httpx.Response(200, json=PLAN))
    plan = client.jobs.plan({"kind": "fit"})
    assert plan.floating_point_operations == float("inf")
    assert script.requests[1].url.params["dry_run"] == "true"


@pytest.mark.parametrize("source", [b"a,b\n1,2\n", io.BytesIO(b"a,b\n1,2\n")])
def test_upload_is_whole_in_every_try(scripted, source):
    client, script, _ = scripted(LOST, problem(422))
    with pytest.raises(Unprocessable):
        client.datasets.upload(source, file_name="t.csv")
    bodies = [request.content for request in script.requests]
    assert len(bodies) == 2
    assert all(b"a,b\n1,2\n" in body for body in bodies)


def test_page_of_a_proxy_is_told_in_its_words(scripted):
    client, _, _ = scripted(httpx.Response(502, text="<h1>Bad gateway</h1>"), retries=0)
    with pytest.raises(ServiceFailure, match="Bad gateway"):
        client.service.version()
    client, _, _ = scripted(httpx.Response(200, text="<h1>Welcome</h1>"))
    with pytest.raises(ServiceUnreachable, match="another service"):
        client.service.version()


def test_readiness_is_asked_once_whatever_it_is(scripted):
    answer = {"status": "not_ready", "checks": {"worker": {"ok": False, "detail": "0 seen"}}}
    client, script, _ = scripted(httpx.Response(503, json=answer))
    assert client.service.readiness().checks["worker"].detail == "0 seen"
    assert client.inference.is_ready() is False
    assert len(script.requests) == 2


def test_pause_has_a_cap_and_chance_in_it():
    policy = RetryPolicy(retries=20)
    assert all(4.0 <= (policy.delay_seconds(tries) or 0) <= 8.0 for tries in range(6, 21))
    assert len({policy.delay_seconds(10) for _ in range(10)}) > 1
    assert policy.delay_seconds(21) is None


def test_retry_after_may_be_a_date():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < (asked_seconds(soon) or 0) <= 30
    assert asked_seconds("Sun, 06 Nov 1994 08:49:37 GMT") == 0
    assert asked_seconds("soon") is None
    assert asked_seconds(None) is None


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://host", "http://", "nonsense"])
def test_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="no address of a service"):
        RiskscopeClient(address)


def test_address_and_key_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("RISKSCOPE_URL", "http://elsewhere:1/prefix/")
    monkeypatch.setenv("RISKSCOPE_API_KEY", "from-environment")
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return VERSION

    with RiskscopeClient(transport=httpx.MockTransport(answer)) as client:
        client.service.version()
    assert str(asked[0].url) == "http://elsewhere:1/prefix/version"
    assert asked[0].headers["Authorization"] == "Bearer from-environment"
    with RiskscopeClient("http://here", "mine", transport=httpx.MockTransport(answer)) as client:
        client.service.version()
    assert str(asked[1].url) == "http://here/version"
    assert asked[1].headers["Authorization"] == "Bearer mine"
