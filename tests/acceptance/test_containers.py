"""What docker-compose.yml runs, without an engine: the files of the image, the commands, the read-only root.

The package is installed from the files that the Dockerfile copies, and these alone; migrate, API and worker start with
the commands and the environment of the Compose file. Where the machine allows a mount namespace, they have no
capability, and can write to the volume and to a temporary directory in memory only.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from own_services import free_port

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
STAGES = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")
KEY = "k" * 40
SECRETS = {"RISKSCOPE_POSTGRES_PASSWORD": "p", "RISKSCOPE_REDIS_PASSWORD": "r", "RISKSCOPE_ADMIN_KEY": KEY}
SPEC = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2},
    "hypothesis_space": {"kind": "random_features", "width": 20},
    "learner": {"kind": "ridge"},
    "sample_size": 100,
    "model_name": "contained",
}

CONFINED = """
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/site /mnt/volume /mnt/tmp
mount --bind "$1" /mnt/site
mount --bind "$2" /mnt/volume
mount -o remount,bind,ro /mnt/site
mount -o remount,bind,ro /
shift 2
cd /mnt/volume
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""
UNSHARE = ["unshare", "--mount", "--propagation", "private"]
CAN_CONFINE = shutil.which("unshare") is not None and subprocess.run([*UNSHARE, "true"], check=False).returncode == 0

pytestmark = [pytest.mark.slow, pytest.mark.services, pytest.mark.timeout(240)]


class Containers:
    """The services as processes; `service` is the name of one in the Compose file."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._site, self._volume, self._log = directory / "site", directory / "volume", directory / "log"
        self._volume.mkdir()
        self._environment = environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, service: str) -> tuple[list[str], dict[str, str]]:
        """What to run, and in which environment."""
        site, volume = ("/mnt/site", "/mnt/volume") if CAN_CONFINE else (str(self._site), str(self._volume))
        program, *arguments = SERVICES[service]["command"]
        inside = [sys.executable, f"{site}/bin/{program}", *arguments]
        prefix = [*UNSHARE, "bash", "-c", CONFINED, "confined", str(self._site), str(self._volume)]
        named = {name: substituted(value) for name, value in SERVICES[service]["environment"].items()}
        image = dict(re.findall(r"([A-Z_]+)=([^\s\\]+)", re.findall(r"^ENV (?:.*\\\n)*.*", STAGES[-1], re.M)[0]))
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": site, "RISKSCOPE_DATA_DIRECTORY": volume}
        # A virtual environment may lie below /tmp, so that what stands for it is elsewhere.
        there = {"TMPDIR": volume if "TMPDIR" in named else "/mnt/tmp" if CAN_CONFINE else str(self._log.parent)}
        return [*(prefix if CAN_CONFINE else []), *inside], image | named | own | there | self._environment

    def run(self, service: str) -> None:
        """To its end, which must be a success."""
        command, environment = self.command(service)
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, cwd=self._volume, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]

    def start(self, service: str) -> None:
        """And go on."""
        command, environment = self.command(service)
        with self._log.open("ab") as log:
            self._running[service] = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, cwd=self._volume
            )

    def stop(self, service: str) -> int:
        """As the engine does: SIGTERM, and it must be gone within its grace period. The exit status."""
        process = self._running[service]
        process.terminate()
        return process.wait(timeout=int(SERVICES[service]["stop_grace_period"].removesuffix("s")))

    def close(self) -> None:
        """Whatever still runs."""
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
                process.wait()

    def log(self) -> str:
        """The end of what they said."""
        return self._log.read_text()[-3000:]


def substituted(value: str) -> str:
    """A value of the Compose file with the secrets above, and the defaults that stand there."""
    return re.sub(r"\$\{([A-Z_]+)(?::[-?]([^}]*))?\}", lambda found: SECRETS.get(found[1], found[2] or ""), str(value))


@pytest.fixture
def containers(postgres_url: str, broker_url: str, tmp_path: Path) -> Iterator[Containers]:
    source = tmp_path / "source"
    for line in re.findall(r"^COPY (?!--from)(.*)$", STAGES[1], re.MULTILINE):
        *names, place = shlex.split(line)
        for name in names:
            found, target = ROOT / name, source / place
            if found.is_dir():
                shutil.copytree(found, target, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, target)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    site = str(tmp_path / "site")
    subprocess.run([*install, "--no-build-isolation", "--target", site, str(source)], check=True, timeout=200)
    own = {
        "RISKSCOPE_DATABASE_URL": postgres_url,
        "RISKSCOPE_BROKER_URL": broker_url.rsplit("/", 1)[0] + f"/{1 + os.getpid() % 15}",
        "RISKSCOPE_HOST": "127.0.0.1",
        "RISKSCOPE_PORT": str(free_port()),
    }
    made = Containers(tmp_path, own)
    yield made
    made.close()


def test_image_migrates_serves_trains_and_stops(containers: Containers) -> None:
    containers.run("migrate")
    for service in ("api", "worker"):
        containers.start(service)
    _, environment = containers.command("api")
    url = f"http://127.0.0.1:{environment['RISKSCOPE_PORT']}"
    kind, program, *probe = SERVICES["api"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    asked = [sys.executable, *(part.replace("http://127.0.0.1:8000", url) for part in probe)]
    for _ in range(100):
        if subprocess.run(asked, capture_output=True, timeout=10, check=False).returncode == 0:
            break
    else:
        pytest.fail(containers.log())
    with httpx.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {KEY}"}) as client:
        job = client.post("/v1/jobs", json={"spec": SPEC}).raise_for_status().json()
        for _ in range(6):
            job = client.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).json()
            if job["status"] not in ("queued", "running"):
                break
        assert job["status"] == "succeeded", (job, containers.log())
        answer = client.post("/v1/models/contained/predict", json={"rows": [[0.25, 0.5]]})
        assert len(answer.raise_for_status().json()["predictions"]) == 1
        page = client.get("/").raise_for_status().text
        assets = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css)[^"]*)"', page)
        assert len(assets) > 2
        for asset in assets:
            client.get(asset).raise_for_status()
        # An upload waits in the directory that the Compose file names.
        table = "x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(50))
        client.post("/v1/datasets", files={"file": ("t.csv", table, "text/csv")}).raise_for_status()
    assert containers.stop("worker") == 0, containers.log()
    # uvicorn ends as the signal would have ended it.
    assert containers.stop("api") == -signal.SIGTERM, containers.log()
    assert "Application shutdown complete." in containers.log()
