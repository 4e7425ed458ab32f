"""Which rows of a table train and which test: held out once, or in V folds, so that every row tests."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from models.encoding import CategoryColumn, category_of
from models.errors import InvalidData
from models.problems import TabularProblem, labelled_rows, table_problem
from models.randomness import Randomness
from models.samples import Sample
from models.table_columns import ChosenColumns
from models.tables import Table

FEW_ROWS = 1000
"""Rows below which risks are cross-validated unless told otherwise: a fifth of them, held out, leaves an error bar of
sqrt(2/200) = 10 % and more where errors are Gaussian, and heavier tails leave more."""
MOST_FOLDS = 20
FEWEST_ROWS_OF_A_FOLD = 2
"""The spread within a fold needs two."""


@dataclass(frozen=True)
class Split:
    """Training rows in the order in which samples take them; test rows and their places among all scored rows."""

    training: Sample
    test: Sample
    places: Int[Tensor, " i"]


@runtime_checkable
class TableSplits(Protocol):
    """One split for each seed and fold v < V. What depends on values is learnt from that split's training rows."""

    @property
    def folds(self) -> int:
        """V; 1 where the test rows are held out once."""

    @property
    def scored_rows(self) -> int:
        """N, the rows that test in some fold."""

    @property
    def training_rows(self) -> int:
        """The fewest of any split."""

    def split(self, randomness: Randomness, fold: int) -> Split:
        """The split of the seed with this randomness."""

    def every_row(self) -> Sample:
        """All rows with a label."""

    def complete_rows(self) -> Sample:
        """Those of them that miss no number: only such rows can have the same inputs, and not only the same filling."""


@dataclass(frozen=True)
class HeldOut:
    """The test rows of a problem, the same for every seed; a seed orders the others (stream `training_order`)."""

    problem: TabularProblem
    table: Table
    columns: ChosenColumns
    folds: int = 1

    @property
    def scored_rows(self) -> int:
        """The test rows."""
        return self.problem.test.size

    @property
    def training_rows(self) -> int:
        """The others."""
        return self.problem.training.size

    def split(self, randomness: Randomness, fold: int) -> Split:
        """The only fold."""
        training = self.problem.training_sample(None, randomness)
        return Split(training, self.problem.test, torch.arange(self.scored_rows))

    def every_row(self) -> Sample:
        """Training rows, then test rows."""
        parts = self.problem.training, self.problem.test
        return Sample(torch.cat([part.inputs for part in parts]), torch.cat([part.labels for part in parts]))

    def complete_rows(self) -> Sample:
        """In file order."""
        return _complete_rows(self.table, self.columns, self.problem.classes)


@dataclass(frozen=True)
class TableFolds:
    """The N rows with a label on a circle, in a random order of each seed, cut into V arcs as equal as can be.

    Arc v tests fold v. The training rows follow it round the circle, so that the first n of them are a uniform sample,
    no two of the V samples share a row while they fit on the circle beside each other, and each seed uses every row
    about n V / N times. Levels, means and scales are learnt from a fold's training rows; the classes of a
    classification, which say what is predicted and not how, from all rows.
    """

    table: Table
    columns: ChosenColumns
    rows: Int[Tensor, " i"]
    classes: CategoryColumn | None
    folds: int

    @property
    def scored_rows(self) -> int:
        """N."""
        return len(self.rows)

    @property
    def training_rows(self) -> int:
        """Outside the largest fold."""
        return self.scored_rows - largest_fold(self.scored_rows, self.folds)

    def split(self, randomness: Randomness, fold: int) -> Split:
        """Arc `fold` of the seed's circle (stream `fold_order`) against the rest."""
        begin, end = arc(self.scored_rows, self.folds, fold)
        circle = torch.randperm(self.scored_rows, generator=randomness.generator("fold_order"))
        training, places = torch.cat([circle[end:], circle[:begin]]), circle[begin:end]
        problem = table_problem(self.table, self.columns, self.rows[training], self.rows[places], self.classes)
        return Split(problem.training, problem.test, places)

    def every_row(self) -> Sample:
        """In file order."""
        return table_problem(self.table, self.columns, self.rows, self.rows[:0], self.classes).training

    def complete_rows(self) -> Sample:
        """In file order."""
        return _complete_rows(self.table, self.columns, self.classes)


def _complete_rows(table: Table, columns: ChosenColumns, classes: CategoryColumn | None) -> Sample:
    """Encoded by their own levels, so that no two levels are alike."""
    rows = labelled_rows(table, columns)
    for name in columns.features:
        if name not in columns.categories:
            rows = rows[~torch.isnan(table.numbers[name][rows])]
    return table_problem(table, columns, rows, rows[:0], classes).training


def arc(rows: int, folds: int, fold: int) -> tuple[int, int]:
    """Where the arc of a fold begins and ends on a circle of `rows`."""
    return fold * rows // folds, (fold + 1) * rows // folds


def largest_fold(rows: int, folds: int) -> int:
    """ceil(N / V)."""
    return -(-rows // folds)


def table_folds(table: Table, columns: ChosenColumns, folds: int) -> TableFolds:
    """The table in V folds.

    Raises:
        InvalidData: a fold would have fewer than two rows.
    """
    rows = labelled_rows(table, columns)
    check_folds(len(rows), folds)
    classes = category_of(table, columns.targets[0], rows) if columns.classification else None
    return TableFolds(table, columns, rows, classes, folds)


def check_folds(rows: int, folds: int) -> None:
    """Raises InvalidData where a fold would have fewer than two rows."""
    if rows < FEWEST_ROWS_OF_A_FOLD * folds:
        raise InvalidData(f"{rows} rows with a label are too few for {folds} folds of two rows or more.", "/folds")


def automatic_folds(rows: int, held_out: int, largest_sample: int) -> int:
    """V where nothing is said: 1 from FEW_ROWS on, else the fewest folds about as large as the held-out rows would be.

    More are taken where `largest_sample` needs more rows for training; 1 where that takes more than MOST_FOLDS.
    """
    if rows >= FEW_ROWS or rows - held_out < largest_sample:
        return 1
    folds = max(2, round(rows / held_out))
    while folds <= MOST_FOLDS and rows - largest_fold(rows, folds) < largest_sample:
        folds += 1
    return folds if folds <= MOST_FOLDS and rows >= FEWEST_ROWS_OF_A_FOLD * folds else 1
