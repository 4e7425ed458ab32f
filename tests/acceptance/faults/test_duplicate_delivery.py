"""One job's message sent a hundred times, before and while it runs and after its end: it runs once."""

import httpx
import pytest
from fault_places import Place, finished, open_database
from fault_run import specification
from job_audit import audit

from worker.app import create_app, ring
from worker.settings import WorkerSettings

COPIES = 100


@pytest.mark.slow
def test_job_that_is_delivered_a_hundred_times_runs_once(place: Place, client: httpx.Client) -> None:
    app = create_app(WorkerSettings(broker_url=place.broker_url))
    jobs = [client.post("/v1/jobs", json={"spec": specification(number)}).json()["id"] for number in range(3)]
    # Interleaved, so that both workers hold messages of every job.
    for _ in range(COPIES):
        for job_id in jobs:
            ring(app, job_id)
    for job_id in jobs:
        assert finished(client, job_id)["status"] == "succeeded"
        for _ in range(COPIES):
            ring(app, job_id)
    # Behind all those messages in the queue: once it has run, they have all been taken.
    last = client.post("/v1/jobs", json={"spec": specification(3)}).json()["id"]
    assert finished(client, last)["status"] == "succeeded"
    app.close()
    with open_database(place.settings) as database:
        found = audit(database, [*jobs, last])
    assert (found.lost, found.twice, found.repeated, found.faults_of_the_log) == (0, 0, 0, [])
