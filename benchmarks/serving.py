"""The prediction service beside its peers: requests per second, latency, processor time, start, memory.

    python benchmarks/serving.py --peers DIRECTORY        # about ten minutes; prints Markdown as it goes

DIRECTORY holds a virtual environment for each peer (fastapi, litserve, mlserver, bentoml, mlflow), made by

    for peer in "fastapi[standard]" litserve mlserver bentoml mlflow: python -m venv DIRECTORY/peer;
    DIRECTORY/peer/bin/pip install PEER onnxruntime (and onnx for mlflow, uvicorn[standard] for fastapi; before
    litserve torch by itself, from an index of CPU builds, for it brings CUDA otherwise)

A peer without one is left out. Everyone serves the very same graph (two-layer, d = 100, m = 1024; float64 comes and
goes, float32 inside) with one process and one thread of onnxruntime, and every answer is compared with the graph's
before anything is timed. Rounds take the servers in turn, so that whatever else the machine does meets all of them; a
figure is the median over rounds.
"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import orjson
from serving_model import DIMENSION, exported_model, register, stored
from serving_servers import NAME, Server, memory, post, servers, start

HERE = Path(__file__).parent
CONNECTIONS = 16


def binary(rows: np.ndarray) -> tuple[bytes, bytes]:
    """A binary request of the Open Inference Protocol, FP32 in and out, as header and whole body."""
    raw = rows.astype("<f4").tobytes()
    tensor = {"name": "inputs", "shape": list(rows.shape), "datatype": "FP32"}
    tensor["parameters"] = {"binary_data_size": len(raw)}
    header = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    return header, header + raw


def binary_request(rows: np.ndarray) -> bytes:
    """To our own service."""
    header, body = binary(rows)
    return post(f"/v2/models/{NAME}/infer", body, f"Inference-Header-Content-Length: {len(header)}\r\n")


def load(port: int, request: bytes, folder: Path, seconds: float, connections: int = CONNECTIONS) -> dict[str, float]:
    """What the load process saw."""
    file = folder / "request"
    file.write_bytes(request)
    command = [sys.executable, str(HERE / "serving_load.py"), f"127.0.0.1:{port}", str(file)]
    done = subprocess.run([*command, str(connections), str(seconds)], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    if found["errors"]:
        raise RuntimeError(f"{found['errors']:.0f} errors under load")
    return found


@contextlib.contextmanager
def idle_server() -> Iterator[int]:
    """A server that only counts bytes; its port."""
    command = [sys.executable, str(HERE / "serving_load.py"), "--idle-server"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def compared(chosen: list[Server], rows: np.ndarray, folder: Path, rounds: int, seconds: float) -> None:
    """A table: the same rows to everyone, in JSON, and to us in binary as well."""
    entries = [(server.name + ", JSON", server, server.request(rows)) for server in chosen]
    entries.insert(1, ("riskscope, binary", chosen[0], binary_request(rows)))
    seen: dict[str, list[dict[str, float]]] = {name: [] for name, _, _ in entries}
    with idle_server() as idle:
        limit = load(idle, entries[0][2], folder, seconds)
    for _ in range(rounds):
        for name, server, request in random.sample(entries, len(entries)):
            before = server.processor_seconds()
            found = load(server.port, request, folder, seconds)
            used = server.processor_seconds() - before
            seen[name].append(found | {"rate": found["requests"] / found["seconds"], "cpu": used / found["requests"]})
    middle = {
        name: {
            key: statistics.median(each[key] for each in found)
            for key in ("rate", "median_ms", "p99_ms", "cpu", "load")
        }
        for name, found in seen.items()
    }
    ours, ours_binary = middle["riskscope, JSON"], middle["riskscope, binary"]
    print(
        f"\n{len(rows)} rows, concurrency {CONNECTIONS}; "
        f"the load alone: {limit['requests'] / limit['seconds']:.0f} requests a second\n"
    )
    print(
        "| server | requests/s | median, ms | 99 %, ms | processor ms a request | load process | JSON / it "
        "| binary / it |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, found in middle.items():
        ratios = f"{ours['rate'] / found['rate']:.2f} | {ours_binary['rate'] / found['rate']:.2f}"
        cells = f"{found['rate']:.0f} | {found['median_ms']:.1f} | {found['p99_ms']:.1f} | {1000 * found['cpu']:.2f}"
        print(f"| {name} | {cells} | {100 * found['load']:.0f} % | {ratios} |", flush=True)


def in_process(graph: Path, rows: np.ndarray, runs: int) -> list[float]:
    """Seconds of onnxruntime's own call in this process, in one piece."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        session.run(["outputs"], {"inputs": rows})
        seconds.append(time.perf_counter() - began)
    return seconds


def beside_the_call(server: Server, graph: Path, folder: Path) -> None:
    """One client, binary: our median beside the in-process call's, in turn."""
    print(
        "\n| rows, binary, one client | in-process call, ms | service, ms | difference, ms "
        "| rows/s, share of the call's |"
    )
    print("|---|---|---|---|---|")
    for count, seconds in ((1000, 2.0), (16384, 6.0)):
        rows = np.random.default_rng(1).normal(size=(count, DIMENSION))
        calls, answers = [], []
        for _ in range(3):
            calls.append(statistics.median(in_process(graph, rows, max(3, 20_000 // count))))
            answers.append(load(server.port, binary_request(rows), folder, seconds, 1)["median_ms"] / 1000)
        call, answer = statistics.median(calls), statistics.median(answers)
        print(
            f"| {count} | {1000 * call:.2f} | {1000 * answer:.2f} | {1000 * (answer - call):.2f} "
            f"| {call / answer:.2f} |"
        )


def where_time_goes(server: Server, folder: Path) -> None:
    """One client: what the model's statistics say of each phase, and what is left for HTTP."""
    url = f"http://127.0.0.1:{server.port}/v2/models/{NAME}/stats"

    def spent() -> dict[str, tuple[int, int]]:
        stats = httpx.get(url).json()["model_stats"][0]["inference_stats"]
        return {phase: (entry["count"], entry["ns"]) for phase, entry in stats.items()}

    print("\n| rows | form | median, ms | queue | reading | graph | writing | HTTP and the rest |")
    print("|---|---|---|---|---|---|---|---|")
    for count, seconds in ((1, 2.0), (32, 2.0), (1024, 3.0), (16384, 8.0)):
        rows = np.random.default_rng(2).normal(size=(count, DIMENSION))
        for form, request in (("JSON", server.request(rows)), ("binary", binary_request(rows))):
            before = spent()
            found = load(server.port, request, folder, seconds, 1)
            after = spent()
            answered = after["success"][0] - before["success"][0]
            phases = ("queue", "compute_input", "compute_infer", "compute_output")
            shares = [(after[phase][1] - before[phase][1]) / answered / 1e6 for phase in phases]
            whole = 1000 * found["seconds"] / found["requests"]
            cells = [f"{100 * share / whole:.0f} %" for share in (*shares, whole - sum(shares))]
            print(f"| {count} | {form} | {found['median_ms']:.2f} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        exported = exported_model(NAME)
        graph = work / "graph.onnx"
        graph.write_bytes(exported.graph)
        with stored(work) as (database, store):
            register(database, store, NAME, exported)
        probe = np.random.default_rng(0).normal(size=(3, DIMENSION))
        session = onnxruntime.InferenceSession(exported.graph, providers=["CPUExecutionProvider"])
        expected = session.run(["outputs"], {"inputs": probe})[0]
        chosen = servers(None if options.peers is None else options.peers.resolve(), work, graph)
        try:
            firsts = {}
            for server in chosen:
                times = []
                for _ in range(3):
                    server.stop()
                    start(server, probe, expected)
                    times.append(server.first_answer_seconds)
                firsts[server.name] = (min(times), memory(server))
            for count in (1, 32, 1024):
                rows = np.random.default_rng(count).normal(size=(count, DIMENSION))
                compared(chosen, rows, work, options.rounds, options.seconds)
            print(
                "\n| server | start to first correct prediction, s | memory after it, MiB "
                "| memory after the load, MiB |"
            )
            print("|---|---|---|---|")
            for server in chosen:
                seconds, before = firsts[server.name]
                print(f"| {server.name} | {seconds:.2f} | {before:.0f} | {memory(server):.0f} |")
            for server in chosen[1:]:
                server.stop()
            beside_the_call(chosen[0], graph, work)
            where_time_goes(chosen[0], work)
        finally:
            for server in chosen:
                server.stop()


if __name__ == "__main__":
    main()
