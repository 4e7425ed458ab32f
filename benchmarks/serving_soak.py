"""A minute of mixed predictions at concurrency 64 while an alias moves: errors, wrong versions, memory.

    python benchmarks/serving_soak.py            # --seconds 60 by default; prints Markdown

The clients are asyncio tasks of this process, which checks every answer; the server is another. Three models are asked
by version, by alias and without either, in JSON and in binary, with 1 to 2,000 rows. The two versions behind the alias
differ by a constant, so that an answer tells which one gave it; after a switch was answered no later request may be
answered by the other.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import orjson
import psutil
from serving_model import api_process, exported_model, free_port, register, stored

CONNECTIONS = 64
SWITCH_SECONDS = 2.0
SHIFT = 1000.0
MODELS = {"narrow": (10, 64), "wide": (100, 1024), "switched": (20, 128)}
ROWS = (1, 1, 1, 8, 32, 2000)


@dataclass
class Seen:
    """What the clients saw."""

    answers: int = 0
    rows: int = 0
    errors: list[str] = field(default_factory=list)
    wrong: int = 0
    latencies: list[float] = field(default_factory=list)


@dataclass
class Alias:
    """Where the alias points; `settled`: a request sent now must be answered by it."""

    version: int = 1
    settled: bool = True
    switches: int = 0
    generation: int = 0


async def client(http: httpx.AsyncClient, ends_at: float, seen: Seen, alias: Alias, draw: random.Random) -> None:
    """Ask, check, ask again."""
    inputs = {
        (name, rows): np.random.default_rng(draw.randrange(2**31)).normal(size=(rows, dimension))
        for name, (dimension, _) in MODELS.items()
        for rows in set(ROWS)
    }
    while time.monotonic() < ends_at:
        name, rows, binary = draw.choice(list(MODELS)), draw.choice(ROWS), draw.random() < 0.5
        values = inputs[name, rows]
        word = "/versions/production" if name == "switched" else draw.choice(("", "/versions/1"))
        expected, settled, generation = alias.version, alias.settled, alias.generation
        sent_at = time.perf_counter()
        try:
            found = await (infer if binary else predict)(http, name, word, values)
        except (httpx.HTTPError, KeyError, ValueError) as error:
            seen.errors.append(f"{type(error).__name__}: {error}"[:200])
            continue
        seen.latencies.append(time.perf_counter() - sent_at)
        seen.answers += 1
        seen.rows += rows
        if len(found) != rows:
            seen.errors.append("another number of rows")
        if name == "switched" and settled and generation == alias.generation:
            answered = 2 if float(found.mean()) > SHIFT / 2 else 1
            seen.wrong += answered != expected


async def predict(http: httpx.AsyncClient, name: str, word: str, values: np.ndarray) -> np.ndarray:
    """Native JSON."""
    content = orjson.dumps({"rows": values.tolist()})
    answer = await http.post(f"/v1/models/{name}{word}/predict", content=content)
    answer.raise_for_status()
    return np.array(answer.json()["predictions"])


async def infer(http: httpx.AsyncClient, name: str, word: str, values: np.ndarray) -> np.ndarray:
    """Binary tensors."""
    raw = values.astype("<f4").tobytes()
    tensor = {"name": "inputs", "shape": list(values.shape), "datatype": "FP32"}
    tensor["parameters"] = {"binary_data_size": len(raw)}
    header = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    length = {"Inference-Header-Content-Length": str(len(header))}
    answer = await http.post(f"/v2/models/{name}{word}/infer", content=header + raw, headers=length)
    answer.raise_for_status()
    return np.frombuffer(answer.content[int(answer.headers["Inference-Header-Content-Length"]) :], "<f4")


async def switch(http: httpx.AsyncClient, ends_at: float, alias: Alias) -> None:
    """Move the alias to and fro; from the answer on every new request must see it."""
    while time.monotonic() < ends_at:
        await asyncio.sleep(SWITCH_SECONDS)
        alias.settled, alias.version = False, 3 - alias.version
        alias.generation += 1
        answer = await http.put("/v1/models/switched/aliases/production", json={"version": alias.version})
        answer.raise_for_status()
        alias.settled = True
        alias.switches += 1


async def watch(process: psutil.Process, ends_at: float, sizes: list[float]) -> None:
    """Resident MiB of the server, once a second."""
    while time.monotonic() < ends_at:
        sizes.append(process.memory_info().rss / 2**20)
        await asyncio.sleep(1)


async def soak(port: int, process: psutil.Process, seconds: float) -> tuple[Seen, Alias, list[float]]:
    """All of it at once."""
    seen, alias, sizes = Seen(), Alias(), []
    limits = httpx.Limits(max_connections=CONNECTIONS + 4, max_keepalive_connections=CONNECTIONS + 4)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as http:
        (await http.put("/v1/models/switched/aliases/production", json={"version": 1})).raise_for_status()
        ends_at = time.monotonic() + seconds
        clients = [client(http, ends_at, seen, alias, random.Random(number)) for number in range(CONNECTIONS)]
        await asyncio.gather(*clients, switch(http, ends_at, alias), watch(process, ends_at, sizes))
    return seen, alias, sizes


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as directory:
        work, port = Path(directory), free_port()
        with stored(work) as (database, store):
            for name, (dimension, width) in MODELS.items():
                register(database, store, name, exported_model(name, dimension, width))
            register(database, store, "switched", exported_model("switched", *MODELS["switched"], shift=SHIFT))
        api = api_process(work, port)
        try:
            for _ in range(600):
                try:
                    httpx.get(f"http://127.0.0.1:{port}/v2/health/ready").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            seen, alias, sizes = asyncio.run(soak(port, psutil.Process(api.pid), seconds))
        finally:
            api.terminate()
            api.wait(timeout=30)
    ordered = sorted(seen.latencies)
    early, late = sizes[len(sizes) // 6 : len(sizes) // 3], sizes[-len(sizes) // 6 :]
    print("| seconds | answers | rows | errors | alias switches | wrong version | median, ms | 99 %, ms |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {seconds:.0f} | {seen.answers} | {seen.rows} | {len(seen.errors)} | {alias.switches} | {seen.wrong} "
        f"| {1000 * statistics.median(ordered):.1f} | {1000 * ordered[int(0.99 * len(ordered))]:.1f} |"
    )
    print(f"\nResident memory of the server: {statistics.median(early):.0f} MiB in the second sixth of the time, ")
    print(f"{statistics.median(late):.0f} MiB in the last; at most {max(sizes):.0f} MiB.")
    for error in sorted(set(seen.errors))[:5]:
        print("error:", error)


if __name__ == "__main__":
    main()
