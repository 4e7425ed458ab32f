"""One grid of decompositions by one worker and by two, on the same rows, files and broker: the seconds and their ratio.

`python benchmarks/shared_grid.py` needs two idle cores. Each worker has one slot and one thread. The grids are run by
one worker and by two in turn; the results must be equal to the bit. Time counts from claim to result.
"""

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
from celery import Celery

from db.engine import Database
from db.job_state import TERMINAL, JobStatus
from db.migrate import migrate
from db.repositories.jobs import Jobs
from db.repositories.workers import Workers
from db.tables import Job
from worker.app import create_app, ring
from worker.embedded_broker import EmbeddedBroker
from worker.settings import WorkerSettings

GRID = {
    "kind": "decompose_error",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 10, "noise": 0.1},
    "hypothesis_space": {"kind": "two_layer"},
    "learner": {"kind": "adam", "steps": 4_000},
    "widths": [16, 32, 64, 128],
    "sample_sizes": [256, 1_024, 4_096],
    "seeds": 8,
    "test_size": 10_000,
    "reference": {"effort": "standard"},
}
DEADLINE_SECONDS = 900


@contextlib.contextmanager
def workers(settings: WorkerSettings, database: Database, count: int) -> Iterator[None]:
    """So many worker processes, ready to work; stopped in the end."""
    environment = os.environ | {
        "RISKSCOPE_DATA_DIRECTORY": str(settings.data_directory),
        "RISKSCOPE_BROKER_URL": settings.broker_url,
        "RISKSCOPE_DEVICE": "cpu",
        "RISKSCOPE_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "worker"]
    processes = [subprocess.Popen(command, env=environment, start_new_session=True) for _ in range(count)]
    try:
        until(lambda: registered(database) == count, 120)
        # Spare children go on importing, which a worker has done long before most of its jobs.
        until(lambda: is_quiet(processes), 120)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def is_quiet(processes: Sequence[subprocess.Popen[bytes]]) -> bool:
    """Whether they and their children take less than a twentieth of a second of processor time in one."""

    def spent() -> float:
        parents = [psutil.Process(process.pid) for process in processes]
        trees = [one for parent in parents for one in (parent, *parent.children(recursive=True))]
        return sum(sum(one.cpu_times()[:2]) for one in trees)

    before = spent()
    time.sleep(1)
    return spent() - before < 0.05


def registered(database: Database) -> int:
    """Workers that have a child ready and have not said goodbye."""
    with database.reading() as session:
        return Workers(session).fresh(120)


def until(true: Callable[[], bool], seconds: float) -> None:
    """Wait for a fact."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def run(database: Database, app: Celery, seed: int) -> tuple[float, str]:
    """Seconds from claim to result, and a digest of the result."""
    with database.unit_of_work() as session:
        accepted = Jobs(session, "local").accept(
            kind=GRID["kind"], spec=GRID | {"seed": seed}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
        )
        job_id = accepted.id
    ring(app, job_id)

    def job() -> Job:
        with database.reading() as session:
            return session.get_one(Job, job_id)

    until(lambda: job().status in TERMINAL, DEADLINE_SECONDS)
    ended = job()
    if ended.status != JobStatus.SUCCEEDED or ended.started_at is None or ended.finished_at is None:
        raise RuntimeError(f"the grid ended {ended.status}: {ended.error}")
    with database.reading() as session:
        result = Jobs(session, "local").result(job_id)
    digest = hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()
    return (ended.finished_at - ended.started_at).total_seconds(), digest


def main() -> None:
    """Rounds of one worker, two workers."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        broker = EmbeddedBroker(Path(directory) / "broker")
        command = broker.command()
        if command is None:
            sys.exit("There is no embedded broker here.")
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            broker.wait_until_up(10)
            settings = WorkerSettings(data_directory=Path(directory) / "data", broker_url=broker.url)
            settings.data_directory.mkdir()
            database = Database(settings)
            migrate(database)
            app = create_app(settings)
            seconds: dict[int, list[float]] = {1: [], 2: []}
            for turn in range(rounds):
                digests = set()
                for count in (1, 2):
                    with workers(settings, database, count):
                        took, digest = run(database, app, turn)
                    seconds[count].append(took)
                    digests.add(digest)
                print(f"round {turn + 1}: {seconds[1][-1]:.1f} s, {seconds[2][-1]:.1f} s", flush=True)
                if len(digests) != 1:
                    sys.exit("The results differ.")
            ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
            print(
                f"one worker {statistics.median(seconds[1]):.1f} s, two {statistics.median(seconds[2]):.1f} s, "
                f"ratio of medians {statistics.median(seconds[1]) / statistics.median(seconds[2]):.2f}, "
                f"{min(ratios):.2f} to {max(ratios):.2f}; results equal to the bit"
            )
            app.close()
            database.close()
        finally:
            server.terminate()
            server.wait(10)
            broker.remove()


if __name__ == "__main__":
    main()
