"""What is known of a job before it runs: the shapes of its tables, and its cost."""

from pydantic import BaseModel, ConfigDict


class TableShape(BaseModel):
    """What is known of a dataset before it is read.

    `columns` in file order; `numeric` names those of numbers; `incomplete` counts missing and non-finite values of the
    columns that have any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    columns: tuple[str, ...]
    numeric: tuple[str, ...]
    incomplete: dict[str, int] = {}


class Plan(BaseModel):
    """What a job will cost: numbers stored, bytes at the peak, floating-point operations, and a guess of the time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: int
    peak_memory_bytes: int
    floating_point_operations: float
    estimated_seconds: float
