"""The surroundings of an experiment that nobody watches."""

from typing import Any

from models.tables import Table


class InMemory:
    """A RunContext that reads one table and keeps nothing."""

    device = "cpu"

    def __init__(self, table: Table | None = None) -> None:
        self._table = table

    def progress(self, phase: str, step: int, total: int) -> None:
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

    def save(self, path: str, content: bytes) -> None:
        """Nothing is kept."""
