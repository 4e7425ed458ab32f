"""The database goes away while a job runs: the API says so and when to come back, and nothing is lost."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fault_places import LEASE_SECONDS, EmbeddedPlace, Place, finished, open_database
from fault_run import specification
from job_audit import audit

BRIEFLY, LONGER_THAN_A_LEASE = 4.0, LEASE_SECONDS + 4.0
MINUTES = specification(9)
SECONDS = specification(6)


def until(client: httpx.Client, job_id: str, true: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 90
    while True:
        answer = client.get(f"/v1/jobs/{job_id}")
        if answer.status_code == 200 and true(answer.json()):
            return
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


def running(client: httpx.Client, spec: dict[str, object]) -> str:
    job_id: str = client.post("/v1/jobs", json={"spec": spec}).json()["id"]
    until(client, job_id, lambda job: job["progress"] is not None)
    return job_id


@contextlib.contextmanager
def outage(place: Place, seconds: float) -> Iterator[None]:
    """The database away for so long, beginning with the block; over at its end."""
    thread = threading.Thread(target=place.fail_database, args=(seconds,))
    thread.start()
    try:
        yield
    finally:
        thread.join(timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_running_job_outlives_a_short_outage_and_is_run_again_after_one_longer_than_its_lease(
    place: Place, client: httpx.Client
) -> None:
    """One service for both: the second outage finds it as the first has left it."""
    outlived, accepted_meanwhile = keeps_its_attempt(place, client)
    repeated = ends_once_after_its_lease_was_lost(place, client)
    with open_database(place.settings) as database:
        found = audit(database, [outlived, *accepted_meanwhile, repeated])
    assert (found.lost, found.twice, found.faults_of_the_log) == (0, 0, [])


def keeps_its_attempt(place: Place, client: httpx.Client) -> tuple[str, list[str]]:
    """The job, and those that were accepted during the outage and after it."""
    job_id = running(client, MINUTES)
    with outage(place, BRIEFLY):
        time.sleep(1)
        seen = [client.get(f"/v1/jobs/{job_id}"), client.post("/v1/jobs", json={"spec": SECONDS})]
        if isinstance(place, EmbeddedPlace):
            # SQLite is read while another process holds its lock; what writes waits for it.
            assert [answer.status_code for answer in seen] == [200, 202]
        else:
            for answer in seen:
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) > 0
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert "database" in answer.json()["detail"]
            assert client.get("/readyz").json()["checks"]["database"]["ok"] is False
        assert client.get("/livez").status_code == 200
    # Its lease goes on from here: the cancel is heard, by the first attempt.
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert finished(client, job_id)["attempt"] == 1
    after = client.post("/v1/jobs", json={"spec": SECONDS})
    accepted = [answer.json()["id"] for answer in (seen[1], after) if answer.status_code == 202]
    assert accepted[-1] == after.json()["id"]
    assert {finished(client, accepted_id)["status"] for accepted_id in accepted} == {"succeeded"}
    return job_id, accepted


def ends_once_after_its_lease_was_lost(place: Place, client: httpx.Client) -> str:
    """The job."""
    # Minutes, so that the first attempt is at work however fast the machine is.
    job_id = running(client, MINUTES)
    with outage(place, LONGER_THAN_A_LEASE):
        pass
    until(client, job_id, lambda job: job["status"] == "running" and job["attempt"] == 2)
    client.post(f"/v1/jobs/{job_id}/cancel")
    job = finished(client, job_id)
    assert (job["status"], job["attempt"]) == ("cancelled", 2)
    return job_id
