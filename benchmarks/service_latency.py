"""How long the embedded service lets one wait: start to ready, accept, queue to start, one-row prediction.

    python benchmarks/service_latency.py            # about a minute and a half; prints a Markdown table

Each figure is measured over HTTP from this process, sequentially, against `riskscope serve` in a temporary directory.
"""

import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from demo import checked, embedded_service

STARTS = 5
ACCEPTED = 200
STARTED = 20
PREDICTIONS = 1000

SPEC: dict[str, Any] = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 10, "noise": 0.1},
    "hypothesis_space": {"kind": "random_features", "width": 64},
    "learner": {"kind": "ridge", "penalty": 1e-3},
    "sample_size": 200,
    "test_size": 500,
    "bounds": "none",
    "model_name": "latency",
}


def quantiles(seconds: list[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    ordered = sorted(seconds)
    return 1000 * statistics.median(ordered), 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


def timed(call: Any) -> float:
    """Seconds of one successful request."""
    started = time.perf_counter()
    checked(call())
    return time.perf_counter() - started


def finished(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job once it has succeeded."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        job = checked(client.get(f"/v1/jobs/{job_id}", params={"wait": 10}))
        if job["status"] == "succeeded":
            return job
        if job["status"] in ("failed", "cancelled"):
            raise RuntimeError(str(job["error"]))
    raise RuntimeError("a job did not finish in 120 s")


def start_times() -> list[float]:
    """`riskscope serve` to a ready answer, on an empty data directory each time."""
    seconds = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as directory:
            started = time.perf_counter()
            with embedded_service(Path(directory) / "data"):
                seconds.append(time.perf_counter() - started)
    return seconds


def queue_to_start(client: httpx.Client) -> list[float]:
    """From the event `queued` to the event `running`, by the database's clock, one job at a time on an idle worker."""
    seconds = []
    for _ in range(STARTED):
        job_id = checked(client.post("/v1/jobs", json={"spec": SPEC}))["id"]
        finished(client, job_id)
        times = {
            event["type"]: datetime.fromisoformat(event["created_at"])
            for event in checked(client.get(f"/v1/jobs/{job_id}/events"))["data"]
        }
        seconds.append((times["running"] - times["queued"]).total_seconds())
    return seconds


def accept_times(client: httpx.Client) -> list[float]:
    """POST /v1/jobs to 202, while the worker is busy with those before; what is left over is cancelled."""
    seconds, jobs = [], []
    for _ in range(ACCEPTED):
        started = time.perf_counter()
        jobs.append(checked(client.post("/v1/jobs", json={"spec": SPEC}))["id"])
        seconds.append(time.perf_counter() - started)
    for job_id in jobs:
        client.post(f"/v1/jobs/{job_id}/cancel")
    return seconds


def main() -> None:
    """Measure and print."""
    starts = start_times()
    rows: list[tuple[str, int, tuple[float, float]]] = [("`riskscope serve` to ready", STARTS, quantiles(starts))]
    with (
        tempfile.TemporaryDirectory() as directory,
        embedded_service(Path(directory) / "data") as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        rows.append(("queued to running, idle worker", STARTED, quantiles(queue_to_start(client))))
        body = {"rows": [[0.5] * 10]}
        predict = [timed(lambda: client.post("/v1/models/latency/predict", json=body)) for _ in range(PREDICTIONS)]
        rows.append(("one-row prediction, JSON", PREDICTIONS, quantiles(predict)))
        alive = [timed(lambda: client.get("/livez")) for _ in range(PREDICTIONS)]
        rows.append(("`GET /livez`, for comparison", PREDICTIONS, quantiles(alive)))
        rows.append(("job accepted (202)", ACCEPTED, quantiles(accept_times(client))))
    print("| what | times | median, ms | 99 %, ms |\n|---|---|---|---|")
    for name, count, (median, high) in rows:
        print(f"| {name} | {count} | {median:.1f} | {high:.1f} |")


if __name__ == "__main__":
    main()
