"""What each model did in this process, in the terms of Triton's statistics extension."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

PHASES = ("queue", "compute_input", "compute_infer", "compute_output")


@dataclass
class Stopwatch:
    """The phases of one request, in nanoseconds; each `lap` ends one and begins the next."""

    started: int = field(default_factory=time.perf_counter_ns)
    phases: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    def __post_init__(self) -> None:
        self._last = self.started

    def lap(self, phase: str) -> None:
        """The time since the last lap was spent on `phase`."""
        now = time.perf_counter_ns()
        self.phases[phase] = self.phases.get(phase, 0) + now - self._last
        self._last = now

    @property
    def total(self) -> int:
        """From the start to the last lap."""
        return self._last - self.started


class ModelStatistics:
    """Counters of one version; a request counts once, whatever its number of rows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(("success", "fail", *PHASES), 0)
        self._nanoseconds = dict.fromkeys(("success", "fail", *PHASES), 0)
        self._rows = 0
        self._batches: dict[int, list[int]] = {}
        self._last_milliseconds = 0

    def succeeded(self, watch: Stopwatch) -> None:
        """A request was answered."""
        with self._lock:
            self._last_milliseconds = time.time_ns() // 1_000_000
            self._rows += watch.rows
            self._add("success", watch.total)
            for phase, spent in watch.phases.items():
                self._add(phase, spent)
            batch = self._batches.setdefault(_batch(watch.rows), [0, 0, 0, 0])
            batch[0] += 1
            for place, phase in enumerate(PHASES[1:], start=1):
                batch[place] += watch.phases.get(phase, 0)

    def failed(self, watch: Stopwatch) -> None:
        """A request was refused after its model was found."""
        with self._lock:
            self._add("fail", watch.total)

    def _add(self, name: str, nanoseconds: int) -> None:
        self._counts[name] += 1
        self._nanoseconds[name] += nanoseconds

    def document(self, name: str, version: int) -> dict[str, Any]:
        """The entry of `model_stats`. `batch_stats` holds a row for each power of two of the number of rows."""
        with self._lock:
            durations = {key: {"count": self._counts[key], "ns": self._nanoseconds[key]} for key in self._counts}
            batches = [
                {
                    "batch_size": size,
                    **{phase: {"count": batch[0], "ns": ns} for phase, ns in zip(PHASES[1:], batch[1:], strict=True)},
                }
                for size, batch in sorted(self._batches.items())
            ]
            return {
                "name": name,
                "version": str(version),
                "last_inference": self._last_milliseconds,
                "inference_count": self._rows,
                "execution_count": self._counts["success"],
                "inference_stats": durations,
                "batch_stats": batches,
            }


def _batch(rows: int) -> int:
    """The least power of two that holds this many rows: exact sizes would be a series for each client."""
    return 1 << (rows - 1).bit_length() if rows > 0 else 0
