"""What an experiment may ask of its surroundings; the worker implements it, a test fakes it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from models.artefacts import StoredModel
from models.errors import Stopped
from models.tables import Table

Part = Mapping[str, Tensor]
"""What one part of a job's work leaves, by name."""

Parts = Callable[[str, int, Callable[[int], Part]], Sequence[Part]]
"""See RunContext.parts, with the seconds left out."""


@runtime_checkable
class RunContext(Protocol):
    """Progress out, stop requests in, files in and out. Methods are cheap enough for every optimisation step."""

    device: str
    """A torch device, "cpu" or "cuda:0"."""

    def progress(self, phase: str, step: int, total: int) -> None:
        """Report that `step` of `total` steps of `phase` are done."""

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

    def save(self, path: str, content: bytes) -> None:
        """Keep `content` as this attempt's file `path` ("models/0/model.onnx")."""


def advance(context: RunContext, phase: str, step: int, total: int) -> None:
    """Report progress and obey a stop request.

    Raises:
        Stopped: the run should end here.
    """
    context.progress(phase, step, total)
    if context.should_stop():
        raise Stopped
