"""The client waits on while the API is killed under it: every event comes, each once."""

import os
import runpy
import signal
from pathlib import Path

import psutil
import pytest
from page_jobs import ENDLESS

from api.client import RiskscopeClient
from api.client.documents.jobs import JobEvent

ROOT = Path(__file__).parents[2]
# Seconds on any machine: one small step after the other, and no batch of networks.
LEARNER = {"kind": "stochastic_gradient_descent", "steps": 12_000, "validation_fraction": 0}
SPEC = ENDLESS | {"learner": LEARNER, "bounds": "none"}

embedded_service = runpy.run_path(str(ROOT / "examples" / "demo.py"))["embedded_service"]


def api_process() -> psutil.Process:
    (found,) = (
        child for child in psutil.Process().children(recursive=True) if child.cmdline()[-2:] == ["module", "api"]
    )
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_waiting_outlives_a_killed_api(tmp_path: Path) -> None:
    seen: list[JobEvent] = []
    killed: list[int] = []

    def look(event: JobEvent) -> None:
        seen.append(event)
        if event.type == "progress" and not killed:
            killed.append(api_process().pid)
            os.kill(killed[0], signal.SIGKILL)

    with embedded_service(tmp_path / "data") as url, RiskscopeClient(url) as client:
        job = client.submit(SPEC).wait(on_event=look, timeout=200)
        assert job.status == "succeeded"
        assert api_process().pid not in killed
        assert seen == list(job.events())
    assert killed
