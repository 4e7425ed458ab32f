"""The commands of docs/deployment.md, run as they stand there on PostgreSQL and Redis."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from own_services import free_port

from api.settings import ApiSettings
from db.manifest import FILE, Manifest
from worker.settings import WorkerSettings

GUIDE = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
START, BACKUP = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
EXPORTS = "".join(line + "\n" for line in START.splitlines() if line.startswith("export "))

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def environment(postgres_url: str, broker_url: str, tmp_path: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RISKSCOPE_")} | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DATABASE_URL": postgres_url,
        "BROKER_URL": broker_url.rsplit("/", 1)[0] + f"/{1 + os.getpid() % 15}",
        "SHARED_DIRECTORY": str(tmp_path / "data"),
        "BACKUP_DIRECTORY": str(tmp_path / "backup"),
        "PORT": str(free_port()),
    }


@pytest.fixture
def started(environment: dict[str, str], tmp_path: Path) -> Iterator[list[str]]:
    """What the commands printed until the service was ready; it is stopped by SIGTERM, and must end by itself."""
    printed, log = tmp_path / "printed", (tmp_path / "log").open("wb")
    script = START + "\necho\necho ready\nwait\n"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            ["/bin/bash", "-e", "-c", script], env=environment, stdout=out, stderr=log, start_new_session=True
        )
    try:
        for _ in range(1200):
            if process.poll() is not None or printed.read_text().endswith("ready\n"):
                break
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
        assert printed.read_text().endswith("ready\n"), (tmp_path / "log").read_text()[-3000:]
        yield printed.read_text().splitlines()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
    finally:
        log.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_service_of_the_guide_is_ready_and_backed_up(started: list[str], environment: dict[str, str]) -> None:
    secret = next(line for line in started if line.startswith("rsk_"))
    ready = json.loads(next(line for line in started if line.startswith("{")))
    assert all(check["ok"] for check in ready["checks"].values())
    with httpx.Client(base_url=f"http://127.0.0.1:{environment['PORT']}", timeout=30) as client:
        assert client.get("/v1/jobs").status_code == 401
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).json()["data"] == []
        assert "riskscope_fresh_workers 1" in client.get("/metrics").text
    subprocess.run(["/bin/bash", "-e", "-c", EXPORTS + BACKUP], env=environment, check=True, timeout=60)
    manifest = Manifest.model_validate_json((Path(environment["BACKUP_DIRECTORY"]) / FILE).read_bytes())
    assert manifest.rows["api_keys"] == 1


def test_settings_of_the_guide_exist() -> None:
    known = {f"RISKSCOPE_{name.upper()}" for name in ApiSettings.model_fields | WorkerSettings.model_fields}
    compose = (Path(__file__).parents[2] / "docker-compose.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"RISKSCOPE_[A-Z_]+", GUIDE))
    assert len(named) > 15
    assert named - known <= set(re.findall(r"RISKSCOPE_[A-Z_]+", compose))
