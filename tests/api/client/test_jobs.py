"""Jobs through the client, before the real application; the worker is played by the test."""

import math

import httpx
import pytest
from client_jobs import SPEC

from api.client import (
    Conflict,
    JobCancelled,
    JobFailed,
    NotFound,
    RefusedField,
    Unprocessable,
    WaitTimeout,
)


def test_job_is_submitted_waited_for_and_read(riskscope, finish, cell):
    job = riskscope.submit(SPEC, metadata={"team": "a"}, priority=3)
    assert (job.kind, job.status, job.is_finished, job.progress) == ("fit", "queued", False, None)
    assert job.document.priority == 3
    finish(job.id, cells=[cell(4, 10, "inf")], result={"risk": {"value": "inf"}})
    assert job.wait() is job
    assert (job.status, job.is_finished) == ("succeeded", True)
    assert job.progress.fraction == 1.0
    assert job.result()["risk"] == {"value": "inf"}
    (found,) = job.decompositions()
    assert (found.width, found.sample_size, found.risks.trained.value) == (4, 10, math.inf)
    assert found.advice.buy == "data"
    assert found.gram[2][2] == math.inf
    assert job.report().startswith("<!doctype html>")
    job.delete()
    with pytest.raises(NotFound, match="no job"):
        job.refresh()


def test_events_are_a_list_or_a_stream_and_resume(riskscope, job, finish):
    finish(job.id)
    listed, streamed = list(job.events()), list(job.events(follow=True))
    assert [event.type for event in listed] == ["queued", "running", "progress", "progress", "succeeded"]
    assert streamed == listed
    for seen, event in enumerate(listed, start=1):
        assert list(job.events(after=event.id, follow=True)) == listed[seen:]
        assert list(job.events(after=event.id)) == listed[seen:]


def test_failure_says_why(riskscope, job, finish):
    finish(job.id, "failed", error={"code": "out_of_memory", "message": "too large", "param": "/widths"})
    with pytest.raises(JobFailed, match=r"too large \(out_of_memory\)") as failed:
        job.wait()
    assert failed.value.job.error.param == "/widths"
    with pytest.raises(Conflict, match="too large"):
        job.result()
    job.retry()
    assert job.status == "queued"
    with pytest.raises(Conflict, match="queued"):
        job.retry()


def test_cancelled_job_is_no_result(riskscope, job):
    assert job.cancel().status == "cancelled"
    with pytest.raises(JobCancelled):
        job.wait()
    assert job.cancel().status == "cancelled"


def test_waiting_ends_in_time_and_the_job_goes_on(riskscope_live, job_live):
    with pytest.raises(WaitTimeout, match="queued") as late:
        job_live.wait(timeout=0.3)
    assert isinstance(late.value, TimeoutError)
    assert riskscope_live.jobs.get(job_live.id).status == "queued"


def test_refresh_waits_for_another_status(riskscope_live, job_live, in_background, finish_live):
    assert job_live.refresh(wait_seconds=0.2).status == "queued"
    in_background(finish_live, job_live.id)
    while job_live.status != "succeeded":
        job_live.refresh(wait_seconds=2)


def test_jobs_are_listed_over_pages_and_filtered(riskscope, monkeypatch):
    monkeypatch.setattr("api.client.connection.PAGE_ITEMS", 2)
    made = [riskscope.submit(SPEC, metadata={"number": str(number)}).id for number in range(5)]
    assert [job.id for job in riskscope.jobs.list()] == made[::-1]
    assert [job.id for job in riskscope.jobs.list(order="asc")] == made
    assert [job.id for job in riskscope.jobs.list(metadata={"number": "3"})] == [made[3]]
    riskscope.jobs.get(made[0]).cancel()
    assert [job.id for job in riskscope.jobs.list(status="cancelled", kind="fit")] == [made[0]]
    assert list(riskscope.jobs.list(dataset_id="ds_0")) == []


def test_plan_queues_nothing(riskscope):
    plan = riskscope.jobs.plan(SPEC)
    assert plan.parameters > 0
    assert plan.peak_memory_bytes > 0
    assert list(riskscope.jobs.list()) == []


def test_refused_field_is_named(riskscope, scripted):
    with pytest.raises(Unprocessable, match="seed") as refused:
        riskscope.submit(SPEC | {"seed": "x"})
    (error,) = refused.value.field_errors
    assert isinstance(error, RefusedField)
    assert error.pointer == "/spec/seed"
    assert refused.value.problem["status"] == 422
    assert refused.value.request_id.startswith("req_")
    # The words name every field, the first once.
    errors = [{"pointer": "/a", "detail": "is bad"}, {"pointer": "/b", "detail": "is worse"}]
    problem = {"title": "No", "status": 422, "detail": "/a: is bad", "errors": errors, "request_id": "r"}
    client, _, _ = scripted(httpx.Response(422, json=problem))
    with pytest.raises(Unprocessable) as refused:
        client.submit({})
    assert str(refused.value) == "422 No: /a: is bad\n  /b: is worse"


def test_same_key_is_the_same_job(riskscope):
    first, second = (riskscope.submit(SPEC, idempotency_key="mine") for _ in range(2))
    assert first.id == second.id
    assert len(list(riskscope.jobs.list())) == 1
