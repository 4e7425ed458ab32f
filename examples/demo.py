"""The whole service in a minute: tables in, models and their error budget out. Run it with `make demo`.

Starts the embedded service on a free loopback port with a temporary data directory, uploads two real tables, trains
three models, decomposes the error of two hypothesis spaces on a known target, predicts held-out rows, exports a model
as ONNX, and stops everything.
"""

import contextlib
import io
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sklearn.datasets import load_diabetes, load_digits

FINISHED = ("succeeded", "failed", "cancelled")


@contextlib.contextmanager
def embedded_service(directory: Path) -> Iterator[str]:
    """`riskscope serve` on a free port; yields its URL and stops it with Ctrl-C's signal."""
    command = [
        sys.executable,
        "-m",
        "api.cli",
        "serve",
        "--port",
        "0",
        "--data-directory",
        str(directory),
        "--slots",
        "2",
    ]
    log_path = directory.parent / "serve.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "http://" in line:
                yield "http://" + line.split("http://", 1)[1].split()[0]
                break
        else:
            raise RuntimeError(f"riskscope serve did not start:\n{log_path.read_text()[-2000:]}")
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
        code = process.wait(timeout=60)
        process.stdout.close()
    if code != 0:
        raise RuntimeError(f"riskscope serve ended with {code}:\n{log_path.read_text()[-2000:]}")


def checked(response: httpx.Response) -> Any:
    """The JSON of a successful answer; a problem's own sentence otherwise."""
    if response.is_error:
        raise RuntimeError(f"{response.request.method} {response.request.url}: {response.text}")
    return response.json()


def upload_csv(client: httpx.Client, name: str, columns: list[str], rows: np.ndarray) -> dict[str, Any]:
    """A table as a CSV file."""
    text = io.StringIO()
    np.savetxt(text, rows, delimiter=",", header=",".join(columns), comments="", fmt="%.10g")
    files = {"file": (f"{name}.csv", text.getvalue().encode(), "text/csv")}
    return checked(client.post("/v1/datasets", files=files, data={"name": name}))


def upload_npz(client: httpx.Client, name: str, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Two arrays as an NPZ file."""
    buffer = io.BytesIO()
    np.savez(buffer, x=x, y=y)
    files = {"file": (f"{name}.npz", buffer.getvalue(), "application/octet-stream")}
    return checked(client.post("/v1/datasets", files=files, data={"name": name}))


def submit(client: httpx.Client, spec: dict[str, Any]) -> str:
    """A job's id."""
    answer = client.post("/v1/jobs", json={"spec": spec, "metadata": {"from": "demo"}})
    return str(checked(answer)["id"])


def follow(client: httpx.Client, jobs: dict[str, str], console: Console) -> dict[str, Any]:
    """Progress bars until every job is finished; the results by name."""
    columns = (TextColumn("{task.description:<30}"), BarColumn(), TextColumn("{task.fields[phase]:<22}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bars = {name: progress.add_task(name, total=1.0, phase="queued") for name in jobs}
        open_jobs = dict(jobs)
        deadline = time.monotonic() + 300
        while open_jobs and time.monotonic() < deadline:
            for name, job_id in list(open_jobs.items()):
                job = checked(client.get(f"/v1/jobs/{job_id}"))
                state = job["progress"] or {}
                done = 1.0 if job["status"] in FINISHED else state.get("fraction") or 0.0
                phase = job["status"] if job["status"] in FINISHED else state.get("phase") or job["status"]
                progress.update(bars[name], completed=done, phase=phase)
                if job["status"] in FINISHED:
                    del open_jobs[name]
                    if job["status"] != "succeeded":
                        raise RuntimeError(f"{name}: {job['status']}: {job['error']}")
            time.sleep(0.2)
    if open_jobs:
        raise RuntimeError(f"unfinished after 300 s: {', '.join(open_jobs)}")
    return {name: checked(client.get(f"/v1/jobs/{job_id}/result")) for name, job_id in jobs.items()}


def predict(client: httpx.Client, model: str, rows: np.ndarray) -> np.ndarray:
    """Predictions of the newest version."""
    answer = checked(client.post(f"/v1/models/{model}/predict", json={"rows": rows.tolist()}))
    return np.asarray(answer["predictions"], dtype=float)


def rmse(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Root mean squared error, summed over the outputs as the risk is."""
    return math.sqrt(float(np.mean(np.sum((predictions - labels) ** 2, axis=1))))


def number(estimate: dict[str, Any]) -> str:
    """A value with its error bar."""
    value, error = float(estimate["value"]), estimate["standard_error"]
    return f"{value:.4g}" if error is None else f"{value:.4g} ± {float(error):.2g}"


def decomposition_table(cells: list[dict[str, Any]]) -> Table:
    """The error budget: a row a cell of the grid."""
    table = Table(title="Where the error comes from (cosine ridge, d = 10; risks ± standard error)")
    for heading in ("space", "width", "n", "approximation", "estimation", "optimization", "= excess risk", "buy"):
        table.add_column(heading, justify="left" if heading in ("space", "buy") else "right")
    for cell in cells:
        terms = cell["risk_terms"]
        excess = sum(float(terms[name]["value"]) for name in ("approximation", "estimation", "optimization"))
        table.add_row(
            cell["hypothesis_space"]["kind"],
            str(cell["width"]),
            str(cell["sample_size"]),
            *(number(terms[name]) for name in ("approximation", "estimation", "optimization")),
            f"{excess:.4g}",
            cell["advice"]["buy"],
        )
    return table


def run_flow(client: httpx.Client, console: Console, export_to: Path) -> dict[str, Any]:
    """Everything that the demo shows, against any running service; the figures, for a test to check."""
    random = np.random.default_rng(0)
    x, y = load_diabetes(return_X_y=True, scaled=False)
    columns = [*load_diabetes().feature_names, "progression"]
    diabetes = upload_csv(client, "diabetes", columns, np.column_stack([x, y]))
    digits_x, digits_y = load_digits(return_X_y=True)
    one_hot = np.eye(10)[digits_y]
    digits = upload_npz(client, "digits", digits_x, one_hot)
    digit_columns = [column["name"] for column in digits["columns"] if column["name"].startswith("y")]
    for dataset in (diabetes, digits):
        console.print(f"uploaded {dataset['name']}: {dataset['rows']} rows, {len(dataset['columns'])} columns")

    held_out = {
        "diabetes": sorted(random.choice(len(x), 88, replace=False).tolist()),
        "digits": sorted(random.choice(len(digits_x), 360, replace=False).tolist()),
    }
    diabetes_data = {"kind": "dataset", "dataset_id": diabetes["id"], "target_columns": ["progression"]}
    digits_data = {"kind": "dataset", "dataset_id": digits["id"], "target_columns": digit_columns}
    fits: dict[str, dict[str, Any]] = {
        "diabetes-random-features": {
            "data": {**diabetes_data, "test_rows": held_out["diabetes"]},
            "hypothesis_space": {"kind": "random_features", "width": 200},
            "learner": {"kind": "ridge", "penalty": 1e-2},
        },
        "diabetes-two-layer": {
            "data": {**diabetes_data, "test_rows": held_out["diabetes"]},
            "hypothesis_space": {"kind": "two_layer", "width": 50},
            "learner": {"kind": "adam", "steps": 600},
        },
        "digits-deep": {
            "data": {**digits_data, "test_rows": held_out["digits"]},
            "hypothesis_space": {"kind": "deep", "width": 64, "depth": 2},
            "learner": {"kind": "adam", "steps": 800},
        },
    }
    jobs = {
        name: submit(client, {"kind": "fit", "seed": 0, "delta": 0.05, "bounds": "all", "model_name": name, **spec})
        for name, spec in fits.items()
    }
    jobs["error decomposition"] = submit(
        client,
        {
            "kind": "decompose_error",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 10, "noise": 0.05},
            "hypothesis_space": [{"kind": "random_features"}, {"kind": "two_layer"}],
            "learner": [{"kind": "ridge", "penalty": 1e-6}, {"kind": "adam", "steps": 1000}],
            "widths": [16, 64],
            "sample_sizes": [128, 1024],
            "seeds": 2,
            "reference": {"effort": "quick"},
        },
    )
    results = follow(client, jobs, console)

    cells = checked(
        client.get("/v1/decompositions", params={"job_id": jobs["error decomposition"], "limit": 100, "order": "asc"})
    )["data"]
    console.print(decomposition_table(cells))
    console.print(f"advice for the last row: {cells[-1]['advice']['because']}")

    truth = {"diabetes": y[:, None], "digits": one_hot}
    inputs = {"diabetes": x, "digits": digits_x}
    table = Table(title="Learned models: certificates, and predictions for held-out rows")
    for heading in ("model", "risk on held-out rows", "certified risk (95 %)", "RMSE by /predict", "first predictions"):
        table.add_column(heading)
    errors = {}
    for name in fits:
        source = name.split("-")[0]
        rows = held_out[source]
        predictions = predict(client, name, inputs[source][rows])
        errors[name] = rmse(predictions, truth[source][rows])
        model = checked(client.get(f"/v1/models/{name}"))
        certificate = model["certificate"]
        shown = (
            ", ".join(f"{value:.0f}" for value in predictions[:3, 0])
            if source == "diabetes"
            else f"accuracy {np.mean(predictions.argmax(1) == digits_y[rows]):.1%}"
        )
        table.add_row(
            name,
            number(model["risks"]["trained"]),
            f"≤ {float(certificate['risk_upper_bound']):.4g} (n = {certificate['sample_size']})",
            f"{errors[name]:.4g}",
            shown,
        )
    console.print(table)

    name = "diabetes-random-features"
    evaluation = {"kind": "evaluate_bounds", "model_id": results[name]["models"][0]["id"], "delta": 0.1}
    jobs["bounds again"] = submit(client, evaluation)
    results |= follow(client, {"bounds again": jobs["bounds again"]}, console)
    for bound in checked(client.get(f"/v1/models/{name}/versions/1/bounds"))["bounds"]:
        shown = bound["refused_because"] or f"{float(bound['value']):.4g} for the {bound['quantity'].replace('_', ' ')}"
        console.print(f"{name}, {bound['kind']} at delta = {bound['delta']}: {shown}", highlight=False)

    onnx = client.get("/v1/models/digits-deep/versions/1/export", params={"format": "onnx"})
    onnx.raise_for_status()
    export_to.write_bytes(onnx.content)
    console.print(f"exported digits-deep as ONNX: {len(onnx.content)} bytes, ETag {onnx.headers['etag'][:14]}…")
    return {"results": results, "cells": cells, "rmse": errors, "jobs": jobs}


def main() -> None:
    """The demo on an embedded service of its own."""
    console = Console(width=max(132, Console().width))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="riskscope-demo-") as directory:
        with embedded_service(Path(directory) / "data") as url:
            console.print(f"riskscope is ready at {url} after {time.monotonic() - started:.1f} s")
            with httpx.Client(base_url=url, timeout=60) as client:
                outcome = run_flow(client, console, Path(directory) / "digits.onnx")
        console.print(f"stopped; everything took {time.monotonic() - started:.0f} s")
        json.dumps(outcome["rmse"], allow_nan=False)


if __name__ == "__main__":
    main()
