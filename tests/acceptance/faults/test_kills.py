"""Thirty jobs while workers, children, the broker, the API and the database fail: none lost, none completed twice."""

import pytest
from fault_places import Place
from fault_run import Fault, FaultRun

JOBS = 30
FAULTS = (
    Fault(2, "kill -9 of a worker"),
    Fault(6, "kill -9 of a worker's children"),
    Fault(10, "kill -9 of the broker"),
    Fault(14, "kill -9 of the API"),
    Fault(18, "database away"),
    Fault(22, "kill -9 of a worker"),
    Fault(24, "kill -9 of a worker's children"),
)


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_no_job_is_lost_or_completed_twice_while_everything_fails(place: Place) -> None:
    report = FaultRun(place, JOBS, FAULTS, seed=6, outage_seconds=3).run(seconds=300)
    found = report.audit
    assert report.faults.total() == len(FAULTS), "\n".join(report.lines())
    assert (found.jobs, found.lost, found.twice, found.faults_of_the_log) == (JOBS, 0, 0, []), "\n".join(report.lines())
    assert found.statuses == {"succeeded": JOBS * 9 // 10, "cancelled": JOBS // 10}
    assert report.replays >= JOBS // 5
    # A fault costs the jobs that it meets an attempt, and no others.
    assert found.repeated <= len(FAULTS) + 2, "\n".join(report.lines())
