"""The prediction service and its peers as processes: how each is started, asked, and ended."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import psutil
from serving_model import api_process, free_port

PEERS = Path(__file__).parent / "serving_peers"
NAME = "two_layer"


@dataclass
class Server:
    """A running server and how it is asked: `document(rows)` as JSON to `path`, `values(answer)` out of it."""

    name: str
    port: int
    start: Callable[[], subprocess.Popen[bytes]]
    path: str
    document: Callable[[np.ndarray], dict[str, Any]]
    values: Callable[[Any], Any]
    process: subprocess.Popen[bytes] | None = None
    first_answer_seconds: float = 0.0

    def request(self, rows: np.ndarray) -> bytes:
        """The bytes of a JSON request."""
        return post(self.path, orjson.dumps(self.document(rows)), "Content-Type: application/json\r\n")

    def family(self) -> list[psutil.Process]:
        """The server's processes."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def processor_seconds(self) -> float:
        """Used so far, by all of them."""
        times = [process.cpu_times() for process in self.family()]
        return sum(each.user + each.system for each in times)

    def stop(self) -> None:
        """End every process of it."""
        if self.process is None or self.process.poll() is not None:
            return
        family = self.family()
        for process in reversed(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for process in alive:
            process.kill()
        self.process.wait(timeout=10)


def post(path: str, body: bytes, headers: str = "") -> bytes:
    """The bytes of a whole request."""
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def run(command: list[str], log: Path, cwd: Path | None = None, **variables: str) -> subprocess.Popen[bytes]:
    """A server with its own environment's programs first, and one thread for every library."""
    path = f"{Path(command[0]).parent}:{os.environ['PATH']}"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"PATH": path, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment |= {"BENTOML_DO_NOT_TRACK": "true", **variables}
    with log.open("wb") as out:
        return subprocess.Popen(command, env=environment, cwd=cwd, stdout=out, stderr=out)


def servers(peers: Path | None, work: Path, graph: Path) -> list[Server]:
    """Our service and every peer that is installed."""

    def rows(x: np.ndarray) -> dict[str, Any]:
        return {"rows": x.tolist()}

    def tensor(x: np.ndarray) -> dict[str, Any]:
        values = x.ravel().tolist()
        return {"inputs": [{"name": "inputs", "shape": list(x.shape), "datatype": "FP64", "data": values}]}

    ports = [free_port() for _ in range(9)]
    predictions = lambda answer: answer["predictions"]  # noqa: E731
    found = [
        Server(
            "riskscope", ports[0], lambda: api_process(work, ports[0]), f"/v1/models/{NAME}/predict", rows, predictions
        )
    ]

    def python(peer: str, program: str = "python") -> str | None:
        place = None if peers is None else peers / peer / "bin" / program
        return str(place) if place is not None and place.exists() else None

    if (fastapi := python("fastapi")) is not None:
        command = [fastapi, str(PEERS / "fastapi_pydantic.py"), str(graph), str(ports[1])]
        start = lambda: run(command, work / "fastapi.log")  # noqa: E731
        found.append(Server("FastAPI + pydantic", ports[1], start, "/predict", rows, predictions))
    if (litserve := python("litserve")) is not None:
        lit = [litserve, str(PEERS / "litserve_server.py"), str(graph), str(ports[2])]
        start = lambda: run(lit, work / "litserve.log")  # noqa: E731
        found.append(Server("LitServe", ports[2], start, "/predict", rows, predictions))
    if (mlserver := python("mlserver", "mlserver")) is not None:
        folder = work / "mlserver"
        folder.mkdir()
        (folder / "mlserver_runtime.py").write_bytes((PEERS / "mlserver_runtime.py").read_bytes())
        settings = {"host": "127.0.0.1", "http_port": ports[3], "grpc_port": ports[4], "metrics_port": ports[5]}
        (folder / "settings.json").write_text(json.dumps(settings | {"parallel_workers": 0, "debug": False}))
        model = {"name": NAME, "implementation": "mlserver_runtime.Served"}
        (folder / "model-settings.json").write_text(json.dumps(model))
        start = lambda: run([mlserver, "start", "."], work / "mlserver.log", folder, SERVED_GRAPH=str(graph))  # noqa: E731
        flat = lambda answer: answer["outputs"][0]["data"]  # noqa: E731
        found.append(Server("MLServer", ports[3], start, f"/v2/models/{NAME}/infer", tensor, flat))
    if (bentoml := python("bentoml", "bentoml")) is not None:
        serve = [bentoml, "serve", "bentoml_service:Served", "--host", "127.0.0.1", "--port", str(ports[6])]
        start = lambda: run(serve, work / "bentoml.log", PEERS, SERVED_GRAPH=str(graph))  # noqa: E731
        found.append(Server("BentoML", ports[6], start, "/predict", rows, lambda answer: answer))
    if (mlflow := python("mlflow", "mlflow")) is not None:
        saver = [
            str(Path(mlflow).with_name("python")),
            str(PEERS / "mlflow_model.py"),
            str(graph),
            str(work / "mlflow"),
        ]
        run(saver, work / "mlflow_save.log").wait(timeout=120)
        address = ["-h", "127.0.0.1", "-p", str(ports[7]), "-w", "1", "--env-manager", "local"]
        scoring = [mlflow, "models", "serve", "-m", str(work / "mlflow"), *address]
        start = lambda: run(scoring, work / "mlflow.log")  # noqa: E731
        outputs = lambda answer: answer["predictions"]["outputs"]  # noqa: E731
        inputs = lambda x: {"inputs": x.tolist()}  # noqa: E731
        found.append(Server("mlflow models serve", ports[7], start, "/invocations", inputs, outputs))
    return found


def ask(server: Server, rows: np.ndarray) -> np.ndarray:
    """The predictions of a server."""
    content = orjson.dumps(server.document(rows))
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"http://127.0.0.1:{server.port}{server.path}", content=content, headers=headers, timeout=60)
    answer.raise_for_status()
    return np.array(server.values(answer.json())).reshape(len(rows), 1)


def start(server: Server, rows: np.ndarray, expected: np.ndarray) -> None:
    """Start it, and wait for its first correct prediction."""
    began = time.perf_counter()
    server.process = server.start()
    while time.perf_counter() - began < 120:
        try:
            found = ask(server, rows)
        except (httpx.HTTPError, OSError):
            if server.process.poll() is not None:
                break
            time.sleep(0.02)
            continue
        # The hypothesis is computed in float32, and how sums are ordered depends on the batch.
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        server.first_answer_seconds = time.perf_counter() - began
        return
    raise RuntimeError(f"{server.name} did not start")


def memory(server: Server) -> float:
    """Resident MiB of every process of it."""
    return sum(process.memory_info().rss for process in server.family()) / 2**20
