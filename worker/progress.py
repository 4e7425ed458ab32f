"""What a client sees of a running job's progress."""

import time
from typing import Any


class ProgressView:
    """Turns reports (phase, step, total, a risk) into the stored form, at most one a second and fewer in long jobs."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._phase: str | None = None
        self._phase_began = (0.0, 0)
        self._stored: dict[str, Any] | None = None
        self._next_at = 0.0

    def due(self, report: dict[str, Any] | None) -> dict[str, Any] | None:
        """The progress to store now, or None.

        `eta_seconds` is of the phase, from the pace since its first report; None until there is a pace.
        """
        now = time.monotonic()
        if report is None or report == self._stored:
            return None
        if report["phase"] != self._phase:
            self._phase, self._phase_began = report["phase"], (now, report["step"])
        elif now < self._next_at:
            return None
        self._stored = report
        self._next_at = now + min(10.0, max(1.0, (now - self._started) / 200))
        step, total = report["step"], report["total"]
        began, first = self._phase_began
        remaining = None
        if step > first:
            remaining = round((now - began) * max(0, total - step) / (step - first), 1)
        return {
            "phase": report["phase"],
            "step": step,
            "total": total,
            "fraction": min(1.0, step / total) if total > 0 else None,
            "eta_seconds": remaining,
            "empirical_risk": report.get("empirical_risk"),
        }
