"""The surroundings of an experiment, faked with the real interface: everything in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from models.checkpoints import NO_CHECKPOINTS


@dataclass
class Pieces:
    """Some columns of a table in memory, `size` rows at a time."""

    table: Any
    columns: Any
    size: int

    @property
    def rows(self) -> int:
        """Of the whole table."""
        return self.table.rows

    def __iter__(self) -> Iterator[Any]:
        """The pieces."""
        for start in range(0, self.rows, self.size):
            end = min(self.rows, start + self.size)
            numbers = {name: self.table.numbers[name][start:end] for name in self.columns if name in self.table.numbers}
            texts = {name: self.table.texts[name][start:end] for name in self.columns if name in self.table.texts}
            yield type(self.table)(tuple(self.columns), numbers, texts, end - start)


@dataclass
class FakeContext:
    """A RunContext in memory. `stop_after` n: a stop is requested after n progress reports; None: never."""

    device: str = "cpu"
    checkpoints: Any = NO_CHECKPOINTS
    tables: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    graphs: dict[str, Any] = field(default_factory=dict)
    written: dict[str, list[Any]] = field(default_factory=dict)
    saved: dict[str, bytes] = field(default_factory=dict)
    reports: list[tuple[str, int, int]] = field(default_factory=list)
    risks: list[float | None] = field(default_factory=list)
    stop_after: int | None = None

    def progress(self, phase: str, step: int, total: int, empirical_risk: float | None = None) -> None:
        """Keep the report, and the risk beside it."""
        self.risks.append(empirical_risk)
        self.reports.append((phase, step, total))

    def should_stop(self) -> bool:
        """Whether `stop_after` reports have been seen."""
        return self.stop_after is not None and len(self.reports) >= self.stop_after

    def table(self, dataset_id: str) -> Any:
        """The table put into `tables`."""
        return self.tables[dataset_id]

    def learned_model(self, model_id: str) -> Any:
        """The stored model put into `models`."""
        return self.models[model_id]

    def parts(self, name: str, count: int, compute: Any, seconds: float) -> Any:
        """All of them, computed here."""
        return [compute(index) for index in range(count)]

    def table_pieces(self, dataset_id: str, columns: Any, rows: int) -> Any:
        """The table put into `tables`, in pieces."""
        return Pieces(self.tables[dataset_id], columns, rows)

    def served_graph(self, model_id: str) -> Any:
        """The graph put into `graphs`."""
        return self.graphs[model_id]

    @contextmanager
    def table_writer(self, path: str) -> Iterator[Any]:
        """Keep the pieces in `written`."""
        yield self.written.setdefault(path, []).append

    def save(self, path: str, content: bytes) -> None:
        """Keep the file in `saved`."""
        self.saved[path] = content


@pytest.fixture
def context() -> FakeContext:
    """A fresh context on the CPU: no tables, no models, no stop request."""
    return FakeContext()
