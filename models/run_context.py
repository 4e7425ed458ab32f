"""What an experiment may ask of its surroundings; the worker implements it, a test fakes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from models.artefacts import StoredModel
from models.checkpoints import Checkpoints
from models.encoding import RawRows
from models.errors import Stopped
from models.tables import Table

Part = Mapping[str, Tensor]
"""What one part of a job's work leaves, by name."""

PARTS_HELD_BYTES = 2**28
"""What the parts of a round may hold in memory at most; a context keeps the rest in files."""

Parts = Callable[[str, int, Callable[[int], Part]], Sequence[Part]]
"""See RunContext.parts, with the seconds left out."""

Columns = Mapping[str, Tensor | list[str | None]]
"""Some rows of a table that is written: numbers [n] or texts by name, the same names every time."""


@runtime_checkable
class ServedGraph(Protocol):
    """A learned model as the API serves it: its exported graph."""

    manifest: dict[str, Any]
    """As stored; see models.manifest."""

    def __call__(self, rows: RawRows) -> Float[Tensor, "n k"]:
        """Outputs in label units, float64."""


@runtime_checkable
class TablePieces(Protocol):
    """Some columns of a table, a few rows at a time, in order."""

    rows: int
    """Of the whole table."""

    def __iter__(self) -> Iterator[Table]:
        """The pieces."""


@runtime_checkable
class RunContext(Protocol):
    """Progress out, stop requests in, files in and out. Methods are cheap enough for every optimisation step."""

    device: str
    """A torch device, "cpu" or "cuda:0"."""

    checkpoints: Checkpoints
    """Where the one long training of a run keeps its state."""

    def progress(self, phase: str, step: int, total: int, empirical_risk: float | None = None) -> None:
        """Report that `step` of `total` steps of `phase` are done, and the newest empirical risk of a training."""

    def should_stop(self) -> bool:
        """Whether the client cancelled or the worker is shutting down."""

    def table(self, dataset_id: str) -> Table:
        """The table of a dataset that the specification names."""

    def learned_model(self, model_id: str) -> StoredModel:
        """A learned model that the specification names."""

    def parts(self, name: str, count: int, compute: Callable[[int], Part], seconds: float) -> Sequence[Part]:
        """What `compute` gives for 0 .. count - 1, in order; other workers may compute some of it.

        `compute` depends on the specification, its argument and earlier parts alone, so that it does not matter who
        calls it. A run asks in the same order with the same names and counts every time, each name once, and does
        nothing costly before: it may be started again once parts exist. `seconds`: a guess of the time for all.
        """

    def table_pieces(self, dataset_id: str, columns: Sequence[str], rows: int) -> TablePieces:
        """The table in pieces of at most `rows` rows. Raises InvalidData where a column is not there."""

    def served_graph(self, model_id: str) -> ServedGraph:
        """A learned model that the specification names, ready to be asked."""

    def table_writer(self, path: str) -> AbstractContextManager[Callable[[Columns], None]]:
        """Keep a table as this attempt's file `path` (Parquet), written piece by piece; whole once the block ends."""

    def save(self, path: str, content: bytes) -> None:
        """Keep `content` as this attempt's file `path` ("models/0/model.onnx")."""


def advance(context: RunContext, phase: str, step: int, total: int, empirical_risk: float | None = None) -> None:
    """Report progress and obey a stop request.

    Raises:
        Stopped: the run should end here.
    """
    context.progress(phase, step, total, empirical_risk)
    if context.should_stop():
        raise Stopped
