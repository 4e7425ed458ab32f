"""Where a job's data come from: a synthetic target or the rows of a stored dataset."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from models.errors import InvalidData, refuse
from models.measures import Measure
from models.plain_numbers import PlainNumbers
from models.plan import TableShape
from models.problems import Problem, SyntheticProblem, split_table
from models.randomness import Randomness
from models.table_columns import ChosenColumns, Missing, choose_columns
from models.table_splits import HeldOut, TableSplits, automatic_folds, check_folds, table_folds
from models.tables import Table
from models.targets import AnyTarget

if TYPE_CHECKING:
    from models.run_context import RunContext

Column = Annotated[str, Field(min_length=1, max_length=500)]


class _Data(PlainNumbers, ABC):
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
    """Rows of a stored table. `feature_columns` None: every number that is not a target, and the categories.

    `category_columns`: text, or numbers that are codes, encoded one-hot by the levels of the training rows; another
    level counts as none of them. A target that is a category makes it a classification, with one-hot labels.
    `missing`: "impute" gives a missing number the training mean and the model a 0/1 input that says so, where
    training rows miss some; rows without a label are left out. `test_rows` (0-based) fixes the test rows, so that
    published splits can be reproduced; otherwise `test_fraction` of the rows with a label are drawn.
    """

    kind: Literal["dataset"]
    dataset_id: Annotated[str, Field(pattern=r"^ds_[0-9a-z]{1,40}$")]
    target_columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=1000)]
    feature_columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=10_000)] | None = None
    category_columns: Annotated[tuple[Column, ...], Field(max_length=10_000)] = ()
    missing: Missing = "impute"
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test_rows: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, max_length=1_000_000)] | None = (
        None
    )

    @model_validator(mode="after")
    def _columns_are_distinct(self) -> "DatasetData":
        named = Counter([*self.target_columns, *(self.feature_columns or ())])
        categories = Counter(self.category_columns)
        for field, counts in (("feature_columns", named), ("category_columns", categories)):
            twice = next((name for name, times in counts.items() if times > 1), None)
            if twice is not None:
                refuse(f"/{field}", f"Column {twice!r} is named twice.")
        return self

    def columns(self, table: TableShape) -> ChosenColumns:
        """The columns by their parts. Raises InvalidData where one does not serve."""
        return choose_columns(table, self.target_columns, self.feature_columns, self.category_columns, self.missing)

    def problem(self, context: "RunContext", randomness: Randomness) -> Problem:
        """The table, split."""
        table = context.table(self.dataset_id)
        columns = self.columns(table.shape(self.category_columns))
        return split_table(table, columns, self.test_fraction, self.test_rows, randomness)

    def splits(self, table: Table, folds: int | None, largest_sample: int, randomness: Randomness) -> TableSplits:
        """The table in as many folds as `fold_count` says; one is the split of `problem`."""
        shape = table.shape(self.category_columns)
        columns = self.columns(shape)
        count = self.fold_count(shape, folds, largest_sample)
        if count == 1:
            problem = split_table(table, columns, self.test_fraction, self.test_rows, randomness)
            return HeldOut(problem, table, columns)
        return table_folds(table, columns, count)

    def fold_count(self, table: TableShape, folds: int | None, largest_sample: int) -> int:
        """V, before anything is read. None: automatic, and 1 where the test rows are named.

        Raises:
            InvalidData: a fold would have fewer than two rows.
        """
        rows = self.columns(table).labelled_rows(table)
        if folds is None:
            return 1 if self.test_rows is not None else automatic_folds(rows, self.held_out(rows), largest_sample)
        if folds > 1:
            check_folds(rows, folds)
        return folds

    def held_out(self, labelled: int) -> int:
        """Rows that `test_fraction` of those with a label makes, at least one."""
        return max(1, round(self.test_fraction * labelled))

    def shape(self, tables: Mapping[str, TableShape]) -> tuple[int, int, int | None]:
        """From the stored description; d, k and the rows are exact or upper bounds.

        Raises:
            InvalidData: a column does not serve, a test row is not there, or no row is left on one side.
        """
        table = tables[self.dataset_id]
        columns = self.columns(table)
        labelled = columns.labelled_rows(table)
        if self.test_rows is None:
            training, field = labelled - self.held_out(labelled), "test_fraction"
        else:
            if max(self.test_rows) >= table.rows:
                raise InvalidData(f"Test row {max(self.test_rows)} is outside 0..{table.rows - 1}.", "/data/test_rows")
            training, field = min(labelled, table.rows - len(set(self.test_rows))), "test_rows"
        if training < 1:
            raise InvalidData(
                f"{labelled} rows have a label, and all would be test rows: no training row is left.", f"/data/{field}"
            )
        return columns.input_dimension(table), columns.output_dimension(table), training


Data = Annotated[TargetData | DatasetData, Field(discriminator="kind")]
