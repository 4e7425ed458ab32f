"""The surroundings of an experiment that nobody watches."""

from collections.abc import Callable, Sequence
from typing import Any

from models.checkpoints import NO_CHECKPOINTS
from models.run_context import Part
from models.tables import Table


class InMemory:
    """A RunContext that reads one table and keeps nothing."""

    device = "cpu"
    checkpoints = NO_CHECKPOINTS

    def __init__(self, table: Table | None = None) -> None:
        self._table = table

    def progress(self, phase: str, step: int, total: int, empirical_risk: float | None = None) -> None:
        """Not shown."""

    def should_stop(self) -> bool:
        """Never."""
        return False

    def table(self, dataset_id: str) -> Any:
        """The one table."""
        return self._table

    def learned_model(self, model_id: str) -> Any:
        """None."""
        raise KeyError(model_id)

    def parts(self, name: str, count: int, compute: Callable[[int], Part], seconds: float) -> Sequence[Part]:
        """All of them, computed here."""
        return [compute(index) for index in range(count)]

    def save(self, path: str, content: bytes) -> None:
        """Nothing is kept."""
