"""How far a grid is."""

from models.learners.base import Advance
from models.run_context import RunContext, advance


class GridProgress:
    """Units done so far; either phase reports the same count, so that progress never runs backwards."""

    def __init__(self, context: RunContext, total: int) -> None:
        self._context = context
        self._done = 0
        self._total = total

    def poll(self, phase: str) -> Advance:
        """What a step of `phase` calls. It raises Stopped when the run should end."""

        def report(step: int, steps: int, empirical_risk: float | None = None) -> None:
            advance(self._context, phase, self._done, self._total)

        return report

    def unit_done(self) -> None:
        """One function more is trained."""
        self._done += 1
        advance(self._context, "training", self._done, self._total)
