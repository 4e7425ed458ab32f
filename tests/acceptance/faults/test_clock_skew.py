"""Workers whose clocks are an hour ahead and an hour behind: leases are the database's to judge, so nothing happens."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fault_places import ServersPlace, finished, kill_process, open_database
from fault_run import specification
from job_audit import audit
from shifted_clock import compiler, shifted_clock

from db.engine import Database
from db.tables import Job

HOUR = 3600
JOBS = 8
LONGER = specification(0) | {"learner": {"kind": "stochastic_gradient_descent", "steps": 20_000}}

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or compiler() is None, reason="shifting a clock needs Linux and a C compiler"
)


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.timeout(400)
def test_an_hour_between_two_workers_costs_no_job_and_no_attempt(
    servers: Callable[..., ServersPlace], tmp_path: Path
) -> None:
    clocks = [shifted_clock(tmp_path, seconds) for seconds in (HOUR, -HOUR)]
    place = servers(workers=clocks)
    try:
        with httpx.Client(base_url=place.url, timeout=60, trust_env=False) as client:
            assert _both_are_present(client)
            jobs = [
                client.post("/v1/jobs", json={"spec": specification(0) | {"seed": seed}}).json()["id"]
                for seed in range(JOBS)
            ]
            assert {finished(client, job_id)["status"] for job_id in jobs} == {"succeeded"}
            with open_database(place.settings) as database:
                calm = audit(database, jobs)
            # A worker that dies is noticed by the other, two hours away from it.
            orphan = client.post("/v1/jobs", json={"spec": LONGER}).json()["id"]
            with open_database(place.settings) as database:
                kill_process(_process_that_runs(database, orphan))
                end = finished(client, orphan)
                found = audit(database, [*jobs, orphan])
    finally:
        place.close()
    assert calm.repeated == 0
    assert (end["status"], end["attempt"]) == ("succeeded", 2)
    assert (found.lost, found.twice, found.faults_of_the_log) == (0, 0, [])


def _process_that_runs(database: Database, job_id: str) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with database.reading() as session:
            job = session.get_one(Job, job_id)
            if job.progress is not None and job.worker is not None:
                return int(job.worker.split("/")[1])
        time.sleep(0.05)
    raise AssertionError("it did not start")


def _both_are_present(client: httpx.Client) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if client.get("/readyz").json()["checks"]["worker"]["detail"].startswith("2 seen"):
            return True
        time.sleep(0.2)
    return False
