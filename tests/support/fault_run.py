"""Jobs through the front door of a service while its processes are killed."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from fault_places import Place, kill_children, kill_process, open_database
from job_audit import Audit, audit

from db.job_state import TERMINAL
from db.repositories.jobs import count_by_status

_DATA = {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1}
_FIT = {"kind": "fit", "data": _DATA, "sample_size": 20, "test_size": 50, "bounds": "none", "model_name": "crowded"}
_TRAINED = _FIT | {"hypothesis_space": {"kind": "two_layer", "width": 4}}
_KINDS: tuple[dict[str, Any], ...] = (
    *[_TRAINED | {"learner": {"kind": "stochastic_gradient_descent", "steps": 800}}] * 6,
    _TRAINED | {"learner": {"kind": "stochastic_gradient_descent", "steps": 3000}},
    _FIT | {"hypothesis_space": {"kind": "random_features", "width": 5}, "learner": {"kind": "ridge", "penalty": 0.01}},
    {
        "kind": "decompose_error",
        "data": _DATA,
        "hypothesis_space": {"kind": "two_layer"},
        "learner": {"kind": "adam", "steps": 50},
        "widths": [4],
        "sample_sizes": [20],
        "seeds": 2,
        "test_size": 50,
    },
    _TRAINED | {"learner": {"kind": "stochastic_gradient_descent", "steps": 1_000_000}},
)
"""Of ten jobs eight are fits, one is a decomposition in shards, and one would take minutes: it is cancelled."""
CANCELLED = len(_KINDS) - 1


def specification(number: int) -> dict[str, Any]:
    """Of job `number`."""
    return _KINDS[number % len(_KINDS)] | {"seed": number}


@dataclass(frozen=True)
class Fault:
    """`name` happens once so many jobs have ended."""

    after: int
    name: str


@dataclass
class Report:
    """What was done, what the client met, and what was found."""

    faults: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    replays: int = 0
    seconds: float = 0.0
    audit: Audit = field(default_factory=Audit)

    def lines(self) -> list[str]:
        """As a soak prints them."""
        done = ", ".join(f"{count} x {name}" for name, count in sorted(self.faults.items()))
        met = ", ".join(f"{count} x {name}" for name, count in sorted(self.refusals.items())) or "nothing"
        return [
            f"faults: {done}",
            f"the client met, and tried again: {met}; {self.replays} answers were replays",
            *self.audit.lines(),
            f"seconds: {self.seconds:.0f}",
        ]


class FaultRun:
    """One run. `outage_seconds`: how long the database is away; the broker is away for a second or two."""

    def __init__(self, place: Place, jobs: int, faults: Sequence[Fault], seed: int, outage_seconds: float) -> None:
        self._place = place
        self._jobs = jobs
        self._faults = sorted(faults, key=lambda fault: fault.after)
        self._draw = random.Random(seed)
        self._outage_seconds = outage_seconds
        self._report = Report()
        self._accepted: dict[int, str] = {}
        self._ask_to_end: set[str] = set()
        self._client = httpx.Client(base_url=place.url, timeout=60, trust_env=False)
        self._over = threading.Event()

    def run(self, seconds: float) -> Report:
        """Submit, break, wait for every end within the time, and look at what is there."""
        started = time.monotonic()
        threads = [threading.Thread(target=action, daemon=True) for action in (self._submit_all, self._cancel_all)]
        for thread in threads:
            thread.start()
        faults = list(self._faults)
        with contextlib.closing(self._client), open_database(self._place.settings) as database:
            while True:
                self._place.keep_up()
                ended = self._ended(database)
                while faults and ended >= faults[0].after:
                    self._break(faults.pop(0).name)
                if ended == self._jobs and not faults:
                    break
                if time.monotonic() > started + seconds:
                    break
                time.sleep(0.1)
            self._over.set()
            for thread in threads:
                thread.join(timeout=60)
            self._report.audit = audit(database, self._accepted.values())
        self._report.seconds = time.monotonic() - started
        return self._report

    def _ended(self, database: Any) -> int:
        with database.reading() as session:
            counts = count_by_status(session)
        return sum(counts.get(status, 0) for status in TERMINAL)

    def _break(self, name: str) -> None:
        self._report.faults[name] += 1
        worker = self._draw.choice(self._place.workers())
        actions: dict[str, Callable[[], None]] = {
            "kill -9 of a worker": lambda: kill_process(worker),
            "kill -9 of a worker's children": lambda: kill_children(worker),
            "kill -9 of the broker": lambda: self._place.fail_broker(2),
            "kill -9 of the API": self._place.kill_api,
            "database away": lambda: self._place.fail_database(self._outage_seconds),
        }
        actions[name]()

    def _submit_all(self) -> None:
        """The first half at once, the rest while things break; every fifth is sent twice."""
        for number in range(self._jobs):
            for _ in range(2 if number % 5 == 0 else 1):
                answer = self._patiently(
                    "POST",
                    "/v1/jobs",
                    json={"spec": specification(number)},
                    headers={"Idempotency-Key": f"job-{number}"},
                )
                if answer is None:
                    return
                assert answer.status_code == 202, answer.text
                job_id = answer.json()["id"]
                assert self._accepted.setdefault(number, job_id) == job_id
                self._report.replays += "Idempotency-Replayed" in answer.headers
            if number % len(_KINDS) == CANCELLED:
                self._ask_to_end.add(self._accepted[number])
            if number > self._jobs // 2:
                time.sleep(0.3)

    def _cancel_all(self) -> None:
        """Those that would not end by themselves, once they run."""
        while not self._over.wait(0.2):
            for job_id in list(self._ask_to_end):
                job = self._patiently("GET", f"/v1/jobs/{job_id}")
                if job is not None and job.json()["status"] == "running":
                    answer = self._patiently("POST", f"/v1/jobs/{job_id}/cancel")
                    assert answer is None or answer.status_code in (200, 202), answer.text
                    self._ask_to_end.discard(job_id)

    def _patiently(self, method: str, path: str, **request: Any) -> httpx.Response | None:
        """Ask until there is an answer that is none of a service that is on its way back; None: the run is over."""
        while not self._over.is_set():
            met = "no connection"
            with contextlib.suppress(httpx.TransportError):
                answer = self._client.request(method, path, **request)
                if answer.status_code not in (429, 503):
                    return answer
                assert "Retry-After" in answer.headers
                met = f"{answer.status_code} with Retry-After"
            self._report.refusals[met] += 1
            time.sleep(0.5)
        return None
