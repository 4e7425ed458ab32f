"""Where a job's data come from: a synthetic target or the rows of a stored dataset."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.errors import InvalidData, refuse
from models.kinds import refuse_disguised_numbers
from models.measures import Measure
from models.plan import TableShape
from models.problems import Problem, SyntheticProblem, split_table
from models.randomness import Randomness
from models.tables import incomplete_column
from models.targets import AnyTarget

if TYPE_CHECKING:
    from models.run_context import RunContext

Column = Annotated[str, Field(min_length=1, max_length=500)]


class _Data(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_numbers(cls, data: Any) -> Any:
        if isinstance(data, dict):
            refuse_disguised_numbers(cls, data)
        return data

    @abstractmethod
    def problem(self, context: "RunContext", randomness: Randomness) -> Problem:
        """The learning problem, its test rows fixed by `randomness`."""

    @abstractmethod
    def shape(self, tables: Mapping[str, TableShape]) -> tuple[int, int, int | None]:
        """Input dimension d, output dimension k, and training rows (None: any number), before anything is read."""


class TargetData(_Data):
    """x ~ mu and y = f*(x) + noise * N(0,1); mu is U[0,1]^d unless `measure` says N(0, I) or the unit sphere."""

    kind: Literal["target"]
    target: AnyTarget
    dimension: Annotated[int, Field(ge=1, le=10_000)]
    noise: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    measure: Annotated[
        Measure, Field(description="mu: uniform on [0,1]^d, gaussian N(0, I), or uniform on the unit sphere S^{d-1}.")
    ] = "uniform"

    @model_validator(mode="after")
    def _target_exists_here(self) -> "TargetData":
        reason = self.target.check_dimension(self.dimension)
        if reason is not None:
            refuse("/dimension", reason)
        reason = self.target.check_measure(self.measure)
        if reason is not None:
            refuse("/measure", reason)
        return self

    def problem(self, context: "RunContext", randomness: Randomness) -> SyntheticProblem:
        """The synthetic problem."""
        return SyntheticProblem(self.target, self.dimension, self.noise, self.measure)

    def shape(self, tables: Mapping[str, TableShape]) -> tuple[int, int, int | None]:
        """(d, 1, None)."""
        return self.dimension, 1, None


class DatasetData(_Data):
    """Rows of a stored table. `feature_columns` None: every numeric column that is not a target.

    `test_rows` (0-based) fixes the test rows, so that published splits can be reproduced; otherwise `test_fraction`
    of the rows are drawn.
    """

    kind: Literal["dataset"]
    dataset_id: Annotated[str, Field(pattern=r"^ds_[0-9a-z]{1,40}$")]
    target_columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=1000)]
    feature_columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=10_000)] | None = None
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test_rows: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, max_length=1_000_000)] | None = (
        None
    )

    @model_validator(mode="after")
    def _columns_are_distinct(self) -> "DatasetData":
        named = [*self.target_columns, *(self.feature_columns or ())]
        twice = next((name for name in named if named.count(name) > 1), None) if len(named) < 1000 else None
        if twice is not None or len(set(named)) != len(named):
            refuse("/feature_columns", f"Column {twice or '?'!r} is named twice.")
        return self

    def problem(self, context: "RunContext", randomness: Randomness) -> Problem:
        """The table, split."""
        return split_table(
            context.table(self.dataset_id),
            self.target_columns,
            self.feature_columns,
            self.test_fraction,
            self.test_rows,
            randomness,
        )

    def shape(self, tables: Mapping[str, TableShape]) -> tuple[int, int, int | None]:
        """From the stored description.

        Raises:
            InvalidData: a column is not there, holds text or misses values, a test row is not there, or no row is left
                on one side.
        """
        table = tables[self.dataset_id]
        for role, names in (("target_columns", self.target_columns), ("feature_columns", self.feature_columns or ())):
            for name in names:
                if name not in table.columns:
                    known = ", ".join(table.columns[:50])
                    raise InvalidData(f"There is no column {name!r}; there are {known}.", f"/data/{role}")
                if name not in table.numeric:
                    raise InvalidData(f"Column {name!r} holds text; name numeric columns only.", f"/data/{role}")
        features = self.feature_columns or tuple(n for n in table.numeric if n not in self.target_columns)
        if not features:
            raise InvalidData("No numeric feature column is left.", "/data/feature_columns")
        for role, names in (("target_columns", self.target_columns), ("feature_columns", features)):
            for name in names:
                if table.incomplete.get(name):
                    raise InvalidData(incomplete_column(name, table.incomplete[name]), f"/data/{role}")
        if self.test_rows is not None and max(self.test_rows) >= table.rows:
            raise InvalidData(f"Test row {max(self.test_rows)} is outside 0..{table.rows - 1}.", "/data/test_rows")
        test = len(set(self.test_rows)) if self.test_rows else max(1, round(self.test_fraction * table.rows))
        if table.rows - test < 1:
            field = "test_rows" if self.test_rows else "test_fraction"
            raise InvalidData(f"All {table.rows} rows would be test rows: no training row is left.", f"/data/{field}")
        return len(features), len(self.target_columns), table.rows - test


Data = Annotated[TargetData | DatasetData, Field(discriminator="kind")]
