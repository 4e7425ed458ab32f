"""`riskscope backup` beside a running `serve`, `riskscope restore` elsewhere: same predictions, and the jobs go on."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from service_processes import command, serving, until

TABLE = b"x,y,z\n" + b"".join(b"%d,%d,%d\n" % (i, i * i % 17, 3 * i + i * i % 17) for i in range(60))


def submit(client: httpx.Client, dataset_id: str, name: str, **learner: Any) -> str:
    specification = {
        "kind": "fit",
        "data": {"kind": "dataset", "dataset_id": dataset_id, "target_columns": ["z"]},
        "hypothesis_space": {"kind": "two_layer", "width": 4},
        "learner": {"kind": "stochastic_gradient_descent", **learner},
        "bounds": "none",
        "model_name": name,
    }
    answer = client.post("/v1/jobs", json={"spec": specification})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_service_restored_elsewhere_predicts_the_same_and_finishes_its_jobs(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    rows = {"rows": [[1.5, 2.0], [20.0, 3.0], [-4.0, 16.0]]}

    def status(client: httpx.Client, job_id: str) -> str:
        return str(client.get(f"/v1/jobs/{job_id}").json()["status"])

    with serving(data, log) as served:
        client = served.client
        dataset_id = client.post("/v1/datasets", files={"file": ("t.csv", TABLE)}).json()["id"]
        first = submit(client, dataset_id, "first", steps=50)
        until(lambda: status(client, first) == "succeeded", log)
        predictions = client.post("/v1/models/first/predict", json=rows).json()["predictions"]
        running = submit(client, dataset_id, "second", steps=6_000)
        queued = submit(client, dataset_id, "third", steps=50)
        until(lambda: status(client, running) == "running", log)
        assert command(["backup", str(tmp_path / "backup"), f"--data-directory={data}"], log).wait(60) == 0, (
            log.read_text()[-4000:]
        )
        assert status(client, queued) == "queued"
    saved = json.loads((tmp_path / "backup" / "manifest.json").read_text())
    assert (saved["rows"]["jobs"], saved["rows"]["learned_models"], saved["missing"]) == (3, 1, [])

    elsewhere = tmp_path / "elsewhere"
    assert command(["restore", str(tmp_path / "backup"), f"--data-directory={elsewhere}"], log).wait(60) == 0, (
        log.read_text()[-4000:]
    )
    with serving(elsewhere, log) as served:
        client = served.client
        assert client.post("/v1/models/first/predict", json=rows).json()["predictions"] == predictions
        for job_id in (running, queued):
            until(lambda job_id=job_id: status(client, job_id) == "succeeded", log)  # type: ignore[misc]
        assert {model["name"] for model in client.get("/v1/models").json()["data"]} == {"first", "second", "third"}
        assert client.get(f"/v1/datasets/{dataset_id}/rows").status_code == 200
