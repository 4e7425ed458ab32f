"""The report of a job: one file that asks for nothing, and whose data are the API's own."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from api.pages.bundle import bundled
from db.job_state import JobStatus
from db.repositories.decompositions import Decompositions
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs

NASTY = "</script><script>alert(1)</script>"


@pytest.fixture
def job_id(client: TestClient, services: Services, cell: Callable[..., dict[str, Any]]) -> str:
    """A finished decomposition of two cells, one of them infinite."""
    with services.database.unit_of_work() as session:
        accepted: Any = {"spec": {}, "metadata": {"note": NASTY}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
        job = Jobs(session, "local").accept(kind="decompose_error", **accepted)
        Decompositions(session, "local").add_all(job.id, [cell(4, 10, "inf"), cell(8, 10, 0.5)])
        claim = JobQueue(session).claim(job.id, "w", 60)
        assert claim is not None
        assert JobQueue(session).finish(job.id, claim.attempt, JobStatus.SUCCEEDED, result={"readings": []})
    return job.id


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_report_holds_what_the_api_answers(client: TestClient, job_id: str) -> None:
    answer = client.get(f"/v1/jobs/{job_id}/report")
    assert answer.status_code == 200
    data = data_of(answer.text)
    assert data["job"] == client.get(f"/v1/jobs/{job_id}").json()
    assert data["job"]["links"]["report"] == f"/v1/jobs/{job_id}/report"
    assert data["result"] == client.get(f"/v1/jobs/{job_id}/result").json()
    assert data["cells"] == client.get(f"/v1/decompositions?job_id={job_id}&order=asc").json()["data"]
    assert [cell["risks"]["trained"]["value"] for cell in data["cells"]] == ["inf", 0.5]


def test_report_refers_to_nothing_and_its_policy_names_its_scripts(client: TestClient, job_id: str) -> None:
    answer = client.get(f"/v1/jobs/{job_id}/report")
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", answer.text) == []
    scripts = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert len(scripts) == 3
    policy = answer.headers["content-security-policy"]
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_data_cannot_end_the_script_that_holds_them(client: TestClient, job_id: str) -> None:
    text = client.get(f"/v1/jobs/{job_id}/report").text
    assert NASTY not in text
    assert data_of(text)["job"]["metadata"]["note"] == NASTY


def test_there_is_no_report_before_the_result(client: TestClient, services: Services) -> None:
    with services.database.unit_of_work() as session:
        accepted: Any = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
        job_id = Jobs(session, "local").accept(kind="fit", **accepted).id
    assert client.get(f"/v1/jobs/{job_id}/report").status_code == 409
    assert client.get("/v1/jobs/job_0/report").status_code == 404


def test_bundle_has_every_module_once_after_what_it_needs() -> None:
    text = bundled("js/pages/report.js")
    defined = re.findall(r"^modules\['([^']+)'\] = ", text, re.MULTILINE)
    assert len(defined) == len(set(defined)) > 10
    assert defined[-1] == "js/pages/report.js"
    for position, part in enumerate(re.split(r"^modules\['[^']+'\] = ", text, flags=re.MULTILINE)[1:]):
        assert set(re.findall(r"= modules\['([^']+)'\];", part)) <= set(defined[:position])
