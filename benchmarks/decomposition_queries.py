"""How long a page of 10^5 stored decompositions takes, for every filter and order, and by which plan.

    python benchmarks/decomposition_queries.py            # both databases; prints Markdown as it goes

Fills a scratch SQLite file in a temporary directory and a scratch PostgreSQL database (RISKSCOPE_TEST_DATABASE_URL, by
default 127.0.0.1:5432), both dropped afterwards. A page of 100 cells is read through the repository in this process,
and over HTTP from `python -m api` in another, sequentially.
"""

import argparse
import contextlib
import itertools
import os
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import psycopg
from sqlalchemy import Select, text
from sqlalchemy.orm import Session

from db.engine import Database
from db.migrate import migrate
from db.repositories.decompositions import Decompositions, OrderBy
from db.repositories.jobs import Jobs
from db.repositories.pages import Order
from db.settings import ServiceSettings

CELLS = 100_000
WIDTHS = [2**power for power in range(1, 11)]
SAMPLE_SIZES = [round(10 * 1.5**power) for power in range(20)]
SPACES = ("random_features", "two_layer", "fourier", "polynomials", "mesh", "residual")
TARGETS = ("cosine_ridge", "gaussian", "planted_two_layer", "friedman", "checkerboard")
ORDERS: tuple[OrderBy, ...] = get_args(OrderBy)
PAGE = 100
DEFAULT_SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"


def made_cell(draw: random.Random, **of: Any) -> dict[str, Any]:
    """A cell with random numbers and the size of a real one (about 2 kB as JSON)."""

    def estimate() -> dict[str, Any]:
        return {"value": draw.random(), "standard_error": draw.random() / 100, "method": "monte_carlo"}

    def estimates(*names: str) -> dict[str, Any]:
        return {name: estimate() for name in names}

    parts = ("approximation", "estimation", "optimization")
    return of | {
        "learner": {"kind": "ridge", "penalty": 1e-6, "solver": "cholesky", "tolerance": 1e-10},
        "seeds": 8,
        "squared_norms": estimates(*parts, "total"),
        "gram": [[draw.random() for _ in parts] for _ in parts],
        "risks": estimates("noise", "best_in_space", "best_on_sample", "trained", "trained_empirical"),
        "risk_terms": estimates(*parts),
        "generalization_gap": estimate(),
        "advice": {"buy": "data", "because": "Buy data: the estimation error, 0.0123 +- 0.0004, is the largest term."},
    }


def fill(database: Database) -> dict[str, Any]:
    """500 jobs of 10 widths x 20 sample sizes, one owner; frequent values, and rare ones in job 200 alone."""
    draw = random.Random(0)
    known: dict[str, Any] = {}
    for number in range(CELLS // (len(WIDTHS) * len(SAMPLE_SIZES))):
        space = SPACES[int(len(SPACES) * draw.random() ** 2)]
        dimension = 77 if number == 200 else draw.choice((2, 5, 10, 20, 50, 100))
        target = "rare" if number == 200 else TARGETS[int(len(TARGETS) * draw.random() ** 2)]
        data: dict[str, Any] = {"kind": "target", "target": {"kind": target, "frequency": 1.0}, "noise": 0.1}
        if number % 7 == 3:
            data = {"kind": "dataset", "dataset_id": f"ds_{number % 11:023d}", "target_columns": ["strength"]}
        cells = [
            made_cell(
                draw,
                hypothesis_space={"kind": space, "feature": "cosine", "scale": 1.0},
                data=data,
                dimension=dimension,
                width=width + (number == 200),
                sample_size=sample_size,
            )
            for width, sample_size in itertools.product(WIDTHS, SAMPLE_SIZES)
        ]
        with database.unit_of_work() as session:
            job = Jobs(session, "local").accept(
                kind="decompose_error", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
            )
            Decompositions(session, "local").add_all(job.id, cells)
        known |= {"job_id": job.id, "dataset_id": data.get("dataset_id", known.get("dataset_id"))}
    return known


def searches(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every filter, with frequent, rare and absent values; and some together."""
    pair = {"hypothesis_space": "two_layer", "target": "gaussian"}
    return {
        "none": {},
        "job_id": {"job_id": known["job_id"]},
        "dataset_id": {"dataset_id": known["dataset_id"]},
        "hypothesis_space": {"hypothesis_space": "random_features"},
        "hypothesis_space, absent": {"hypothesis_space": "deep"},
        "target": {"target": "cosine_ridge"},
        "target, 0.2 %": {"target": "rare"},
        "dimension": {"dimension": 10},
        "dimension, 0.2 %": {"dimension": 77},
        "width": {"width": 64},
        "width, 0.02 %": {"width": 65},
        "sample_size": {"sample_size": SAMPLE_SIZES[9]},
        "sample_size, absent": {"sample_size": 9},
        "min_sample_size": {"min_sample_size": SAMPLE_SIZES[1]},
        "max_sample_size": {"max_sample_size": SAMPLE_SIZES[1]},
        "min and max_sample_size": {"min_sample_size": 100, "max_sample_size": 1000},
        "space, target, dimension, width": {**pair, "dimension": 10, "width": 64},
        "space, target, dimension: absent": {**pair, "dimension": 77},
        "job_id, width": {"job_id": known["job_id"], "width": 64},
    }


def plan(session: Session, query: Select[str]) -> str:
    """EXPLAIN in one line, without costs."""
    connection = session.connection()
    statement = query.limit(PAGE + 1).compile(connection)
    values: Any = statement.params
    if connection.dialect.name == "sqlite":
        in_order = tuple(values[name] for name in statement.positiontup or ())
        lines = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", in_order)]
    else:
        lines = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", values)]
    brief = "; ".join(" ".join(line.replace("->", "").split()) for line in lines)
    return brief.replace("::text", "").replace("ix_decompositions_", "").replace(" on decompositions", "")


def milliseconds(call: Callable[[], Any], times: int) -> list[float]:
    """Durations of repeated calls; the first, which may find nothing cached, is one of them."""
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        durations.append(1000 * (time.perf_counter() - started))
    return durations


def quantiles(durations: list[float]) -> str:
    """Median and 99th percentile, as two cells of a Markdown table."""
    ordered = sorted(durations)
    return f"{statistics.median(ordered):.1f} | {ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]:.1f}"


@contextlib.contextmanager
def served(settings: ServiceSettings) -> Iterator[tuple[httpx.Client, int]]:
    """`python -m api` over these settings: a client and the process's id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "RISKSCOPE_DATA_DIRECTORY": str(settings.data_directory),
        "RISKSCOPE_DATABASE_URL": settings.database_url,
        "RISKSCOPE_PORT": str(port),
        "RISKSCOPE_LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    client.get("/livez").raise_for_status()
                    break
                time.sleep(0.1)
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def peak_mebibytes(process_id: int) -> float:
    """Largest resident size of a process so far."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured_pages(database: Database, client: httpx.Client, known: dict[str, Any], times: int) -> None:
    """A first page and one from the middle of every filter in every order and direction, both ways."""
    found: list[tuple[str, str, list[float], list[float]]] = []
    cases = itertools.product(searches(known).items(), ORDERS, get_args(Order))
    for (name, filters), order_by, order in cases:
        asked: dict[str, Any] = {"order": order, "order_by": order_by, **filters}
        with database.reading() as session:
            ids = Decompositions(session, "local").ids(limit=CELLS, after=None, **asked).items
        for after in {None, ids[len(ids) // 2] if ids else None}:
            parameters = asked | {"limit": PAGE} | ({"after": after} if after else {})

            def read(asked: dict[str, Any] = asked, after: str | None = after) -> None:
                with database.reading() as session:
                    Decompositions(session, "local").page(limit=PAGE, after=after, **asked)

            def get(parameters: dict[str, Any] = parameters) -> None:
                client.get("/v1/decompositions", params=parameters).raise_for_status()

            found.append((name, f"{order_by} {order}", milliseconds(read, times), milliseconds(get, times)))
    for column, title in enumerate(("filter", "order")):
        print(f"| {title} | repository: median | 99 % | HTTP: median | 99 % |\n|---|---|---|---|---|")
        for key in dict.fromkeys(case[column] for case in found):
            ways = ([d for case in found if case[column] == key for d in case[way]] for way in (2, 3))
            print(f"| {key} | {' | '.join(map(quantiles, ways))} |")
        print(f"| all | {' | '.join(quantiles([d for case in found for d in case[way]]) for way in (2, 3))} |\n")
    slowest = max(found, key=lambda case: statistics.median(case[3]))
    print(f"Slowest: {slowest[0]}, {slowest[1]}: median {statistics.median(slowest[3]):.1f} ms over HTTP.\n")


def measured_formats(client: httpx.Client, process_id: int, times: int) -> None:
    """Pages of each format, and the whole table with what it adds to the server's memory."""
    print("| format | rows | median, ms | 99 %, ms | to the first byte: median | size, MB |")
    print("|---|---|---|---|---|---|")
    before = peak_mebibytes(process_id)
    for format_, rows in [("json", 20), ("json", 100), *itertools.product(("csv", "arrow"), (100, 500, CELLS))]:
        parameters: dict[str, Any] = {"format": format_, "limit": rows, "order_by": "trained_risk"}
        first, whole, size = [], [], 0
        for _ in range(2 if rows == CELLS else 10 * times):
            started = time.perf_counter()
            with client.stream("GET", "/v1/decompositions", params=parameters) as answer:
                answer.raise_for_status()
                first.append(1000 * (time.perf_counter() - started))
                size = sum(len(chunk) for chunk in answer.iter_raw())
            whole.append(1000 * (time.perf_counter() - started))
        print(f"| {format_} | {rows} | {quantiles(whole)} | {statistics.median(first):.1f} | {size / 1e6:.2f} |")
    print(f"\nThe server's peak memory: {before:.0f} MiB before, {peak_mebibytes(process_id):.0f} MiB after.\n")


def printed_plans(database: Database, known: dict[str, Any]) -> None:
    """Plans of every filter by creation and by risk, and of every order; first pages, and one that follows."""
    with database.reading() as session:
        cells = Decompositions(session, "local")
        after = cells.ids(limit=CELLS // 2, after=None, order="desc").items[-1]
        for name, filters in searches(known).items():
            for order_by in ORDERS[:2]:
                query = cells.search(after=None, order="desc", order_by=order_by, **filters)
                print(f"- {name}; {order_by}: `{plan(session, query)}`")
        for order_by in ORDERS:
            query = cells.search(after=after, order="desc", order_by=order_by)
            print(f"- none; {order_by}, a later page: `{plan(session, query)}`")
    print()


@contextlib.contextmanager
def scratch_postgres() -> Iterator[str]:
    """URL of an empty database, dropped afterwards."""
    server = os.environ.get("RISKSCOPE_TEST_DATABASE_URL", DEFAULT_SERVER)
    name = f"riskscope_benchmark_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield server.rsplit("/", 1)[0] + "/" + name
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def measure(title: str, url: str, times: int) -> None:
    """Everything about one database."""
    with tempfile.TemporaryDirectory() as directory:
        settings = ServiceSettings(data_directory=Path(directory), database_url=url)
        database = Database(settings)
        try:
            migrate(database)
            started = time.perf_counter()
            known = fill(database)
            print(f"## {title}\n\n{CELLS} cells stored in {time.perf_counter() - started:.0f} s.\n")
            if not database.is_sqlite:
                # What autovacuum does within a minute.
                with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("VACUUM ANALYZE decompositions"))
            printed_plans(database, known)
            with served(settings) as (client, process_id):
                measured_pages(database, client, known, times)
                measured_formats(client, process_id, times)
        finally:
            database.close()


def main() -> None:
    """SQLite, then PostgreSQL."""
    parser = argparse.ArgumentParser(description="Latency and plans of decomposition searches.")
    parser.add_argument("--times", type=int, default=3, help="calls of each case")
    times = parser.parse_args().times
    measure("SQLite", "", times)
    with scratch_postgres() as url:
        measure("PostgreSQL", url, times)


if __name__ == "__main__":
    main()
