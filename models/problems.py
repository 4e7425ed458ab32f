"""A learning problem made concrete: where samples come from, and what is known of f* and of the noise."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from models.encoding import CategoryColumn, InputEncoding, category_of, complete_numbers, learn_encoding, raw_rows
from models.errors import InvalidData
from models.measures import Measure, draw_inputs, sup_bound
from models.randomness import Randomness, normal_rows
from models.samples import Sample
from models.table_columns import ChosenColumns
from models.tables import Table
from models.targets.base import KnownFacts, Target


@runtime_checkable
class Problem(Protocol):
    """y = f*(x) + noise with x ~ mu; samples are float64, in the data's own units.

    `noise_variance`: E|y - f*(x)|^2, None where unknown. `input_sup_bound`: sup ||x||_inf known before any sample.
    `scale_by_default`: whether a learner that does not say should standardise. `training_rows`: how many rows a
    training sample can have at most, None for any number.
    """

    @property
    def encoding(self) -> InputEncoding:
        """From raw columns to the d inputs."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """The k outputs."""

    @property
    def noise_variance(self) -> float | None:
        """sigma^2, or None."""

    @property
    def input_sup_bound(self) -> float | None:
        """sup ||x||_inf, or None."""

    @property
    def scale_by_default(self) -> bool:
        """Whether to standardise unless told otherwise."""

    @property
    def training_rows(self) -> int | None:
        """Rows at most, or None."""

    def training_sample(self, sample_size: int | None, randomness: Randomness) -> Sample:
        """n rows; a smaller n gives the first rows of a larger one. None: every training row of a table."""

    def test_sample(self, size: int, randomness: Randomness) -> Sample:
        """Rows independent of every training sample; a table gives its test rows, whatever `size`."""


@dataclass(frozen=True)
class SyntheticProblem:
    """x ~ mu, y = f*(x) + noise * N(0,1): any number of rows, f* known."""

    target: Target
    dimension: int
    noise: float
    measure: Measure = "uniform"
    scale_by_default: bool = False
    training_rows: int | None = None

    @property
    def encoding(self) -> InputEncoding:
        """x1 .. xd, as they are."""
        return complete_numbers([f"x{index + 1}" for index in range(self.dimension)])

    @property
    def output_names(self) -> tuple[str, ...]:
        """y."""
        return ("y",)

    @property
    def noise_variance(self) -> float | None:
        """sigma^2."""
        return self.noise**2

    @property
    def input_sup_bound(self) -> float | None:
        """1 on the cube and on the sphere, None under the Gaussian measure."""
        return sup_bound(self.measure)

    def known_facts(self) -> KnownFacts:
        """What is known of f* under mu."""
        return self.target.known(self.dimension, self.measure)

    def inputs(self, size: int, randomness: Randomness, stream: str) -> torch.Tensor:
        """x_1 .. x_n of the named stream, shape (n, d)."""
        return draw_inputs(self.measure, randomness, f"{stream}_inputs", size, self.dimension)

    def _sample(self, size: int, randomness: Randomness, stream: str) -> Sample:
        inputs = self.inputs(size, randomness, stream)
        labels = self.target.evaluate(inputs)
        if self.noise > 0:
            labels = labels + self.noise * normal_rows(randomness, f"{stream}_noise", size, 1)
        return Sample(inputs, labels)

    def training_sample(self, sample_size: int | None, randomness: Randomness) -> Sample:
        """n fresh rows of the stream `training`.

        Raises:
            InvalidData: no sample size is given.
        """
        if sample_size is None:
            raise InvalidData("A synthetic target needs a sample_size.", "/sample_size")
        return self._sample(sample_size, randomness, "training")

    def test_sample(self, size: int, randomness: Randomness) -> Sample:
        """Fresh rows of the stream `test`."""
        return self._sample(size, randomness, "test")


@dataclass(frozen=True)
class TabularProblem:
    """Rows of a table, split once into training and test rows and encoded; f* and the noise are unknown.

    `encoding` and `classes` (the target column of a classification, None otherwise) were learnt from the training
    rows alone. `unlabelled_rows` were left out.
    """

    encoding: InputEncoding
    output_names: tuple[str, ...]
    training: Sample
    test: Sample
    noise_variance: float | None = None
    input_sup_bound: float | None = None
    scale_by_default: bool = True
    classes: CategoryColumn | None = None
    unused_columns: tuple[str, ...] = ()
    unlabelled_rows: int = 0

    @property
    def training_rows(self) -> int | None:
        """Rows outside the test rows."""
        return self.training.size

    def training_sample(self, sample_size: int | None, randomness: Randomness) -> Sample:
        """The first n training rows in the order of a random permutation (stream `training_order`).

        Raises:
            InvalidData: more rows are asked for than there are.
        """
        size = self.training.size if sample_size is None else sample_size
        if size > self.training.size:
            raise InvalidData(f"{size} training rows are asked for; there are {self.training.size}.", "/sample_size")
        order = torch.randperm(self.training.size, generator=randomness.generator("training_order"))[:size]
        return Sample(self.training.inputs[order], self.training.labels[order])

    def test_sample(self, size: int, randomness: Randomness) -> Sample:
        """All test rows."""
        return self.test


def split_table(
    table: Table,
    columns: ChosenColumns,
    test_fraction: float,
    test_rows: tuple[int, ...] | None,
    randomness: Randomness,
) -> TabularProblem:
    """The named test rows, or a random `test_fraction` of the rows with a label (stream `test_rows`), at least one.

    The fraction gives the nearest whole number of rows. What depends on values (levels, means) is learnt from the
    training rows.

    Raises:
        InvalidData: one side of the split would be empty.
    """
    labelled = labelled_rows(table, columns)
    if test_rows is not None:
        outside = [row for row in test_rows if not 0 <= row < table.rows]
        if outside:
            raise InvalidData(f"Test row {outside[0]} is outside 0..{table.rows - 1}.", "/data/test_rows")
        in_test = torch.zeros(table.rows, dtype=torch.bool)
        in_test[torch.tensor(test_rows, dtype=torch.int64)] = True
        in_test = in_test[labelled]
    else:
        count = max(1, round(test_fraction * len(labelled)))
        in_test = torch.zeros(len(labelled), dtype=torch.bool)
        in_test[torch.randperm(len(labelled), generator=randomness.generator("test_rows"))[:count]] = True
    if bool(in_test.all()) or not bool(in_test.any()):
        detail = f"{len(labelled)} rows with a label cannot be split into training and test rows."
        raise InvalidData(detail, "/data/test_fraction" if test_rows is None else "/data/test_rows")
    training, test = labelled[~in_test], labelled[in_test]
    classes = category_of(table, columns.targets[0], training) if columns.classification else None
    return table_problem(table, columns, training, test, classes)


def table_problem(
    table: Table, columns: ChosenColumns, training: torch.Tensor, test: torch.Tensor, classes: CategoryColumn | None
) -> TabularProblem:
    """The named rows, in this order; what depends on the values of inputs is learnt from the training rows."""
    encoding = learn_encoding(table, columns.features, columns.categories, training)

    def sample(rows: torch.Tensor) -> Sample:
        inputs = encoding.encode(raw_rows(table, columns.features, rows))
        if classes is None:
            return Sample(inputs, torch.stack([table.numbers[name][rows] for name in columns.targets], dim=1))
        raw = raw_rows(table, columns.targets, rows)
        return Sample(inputs, classes.encode(raw.numbers[:, 0] if classes.values == "number" else raw.texts[0]))

    named = {*columns.features, *columns.targets}
    return TabularProblem(
        encoding=encoding,
        output_names=columns.targets if classes is None else tuple(classes.encoded_names),
        training=sample(training),
        test=sample(test),
        classes=classes,
        unused_columns=tuple(name for name in table.order if name not in named),
        unlabelled_rows=table.rows - len(labelled_rows(table, columns)),
    )


def labelled_rows(table: Table, columns: ChosenColumns) -> torch.Tensor:
    """The rows without a missing label, in file order."""
    present = torch.ones(table.rows, dtype=torch.bool)
    for name in columns.targets:
        if name in table.texts:
            present &= torch.tensor([bool(cell) for cell in table.texts[name]], dtype=torch.bool)
        else:
            present &= ~torch.isnan(table.numbers[name])
    return torch.nonzero(present).flatten()
