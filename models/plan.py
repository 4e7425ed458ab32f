"""What is known of a job before it runs: the shapes of its tables, and its cost."""

from pydantic import BaseModel, ConfigDict

MOST_LEVELS = 1000
"""A column with more distinct values than this is no category."""


class TableShape(BaseModel):
    """What is known of a dataset before it is read.

    `columns` in file order; `numeric` names those of numbers, `dates` those of dates and times, which are text.
    `incomplete` counts missing values, `infinite` infinite ones, by the columns that have any; `distinct` counts the
    values of columns that have at most MOST_LEVELS, missing ones apart. `first_text_rows`: of text columns that are
    numbers for the most part, the first row, from 1, whose cell is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    columns: tuple[str, ...]
    numeric: tuple[str, ...]
    dates: tuple[str, ...] = ()
    incomplete: dict[str, int] = {}
    infinite: dict[str, int] = {}
    distinct: dict[str, int] = {}
    first_text_rows: dict[str, int] = {}


class MemoryPart(BaseModel):
    """A part of the memory at the peak: what it holds, and the field of the specification that makes it large.

    `field`: a JSON pointer into the specification; `remedy`: what to change there or nearby for less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    holds: str
    field: str
    remedy: str
    size_bytes: int


class Plan(BaseModel):
    """What a job will cost: numbers stored, bytes at the peak, floating-point operations, and a guess of the time.

    `memory`: the parts of the peak, as far as they are known before anything is read. `parameters_field`: a JSON
    pointer to the field that decides the number of parameters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: int
    parameters_field: str = ""
    peak_memory_bytes: int
    memory: tuple[MemoryPart, ...] = ()
    floating_point_operations: float
    estimated_seconds: float
