"""The jobs that the pages are looked at with."""

from typing import Any

import httpx

TARGET = {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 3, "noise": 0.1}
GRID = {
    "kind": "decompose_error",
    "data": TARGET,
    "hypothesis_space": {"kind": "random_features"},
    "learner": {"kind": "ridge", "penalty": 0.001},
    "widths": [8, 16, 32],
    "sample_sizes": [32, 64, 128],
    "seeds": 3,
    "test_size": 2000,
}
LONG_GRID = GRID | {"learner": {"kind": "stochastic_gradient_descent", "steps": 3_000}}
"""Takes its time on any machine: one small step after the other, in every cell and seed."""

ENDLESS = {
    "kind": "fit",
    "data": TARGET,
    "hypothesis_space": {"kind": "two_layer", "width": 64},
    "learner": {"kind": "adam", "steps": 5_000_000, "validation_fraction": 0},
    "sample_size": 500,
}
FIT = {
    "kind": "fit",
    "data": TARGET,
    "hypothesis_space": {"kind": "two_layer", "width": 16},
    "learner": {"kind": "adam", "steps": 200},
    "sample_size": 200,
    "model_name": "known-target",
}


def submit(client: httpx.Client, spec: dict[str, Any]) -> str:
    answer = client.post("/v1/jobs", json={"spec": spec})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def finished(client: httpx.Client, spec: dict[str, Any]) -> str:
    job_id = submit(client, spec)
    for _ in range(20):
        job = client.get(f"/v1/jobs/{job_id}", params={"wait": 10}).json()
        if job["status"] not in ("queued", "running"):
            break
    assert job["status"] == "succeeded", job
    return job_id
