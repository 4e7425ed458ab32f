"""How the raw columns of a table become the d inputs of a hypothesis: filled numbers, indicators, one-hot levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from models.arrays import Inputs
from models.errors import InvalidData
from models.tables import Table

MISSING_TEXT = ""
"""How a missing text cell is written in a tensor of text; a cell without characters is missing."""


@dataclass(frozen=True)
class RawRows:
    """Rows in the table's own units: `numbers` [n, c] float64 with NaN where missing, `texts` one list a column."""

    numbers: Float[Tensor, "n c"]
    texts: tuple[list[str], ...] = ()


class NumberColumn(BaseModel):
    """x -> x, and `fill` where x is missing; with `indicator` also 1{x is missing}."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["number"] = "number"
    name: str
    fill: float = 0.0
    indicator: bool = False
    accepts_missing: bool = False


class CategoryColumn(BaseModel):
    """x -> (1{x = l})_l over the levels, and 1{x is missing} with `missing_level`; any other x gives zeros."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["category"] = "category"
    name: str
    values: Literal["number", "text"]
    levels: tuple[float | str, ...]
    missing_level: bool = False
    accepts_missing: bool = False

    @property
    def width(self) -> int:
        """Encoded columns."""
        return len(self.levels) + self.missing_level

    @property
    def encoded_names(self) -> list[str]:
        """Such as "colour=red"; a level that is a whole number is written as one."""
        names = [f"{self.name}={level_text(level)}" for level in self.levels]
        return [*names, f"{self.name} is missing"] if self.missing_level else names

    def encode(self, cells: Float[Tensor, " n"] | Sequence[str]) -> Float[Tensor, "n levels"]:
        """One row a cell."""
        places = {level: place for place, level in enumerate(self.levels)}
        if isinstance(cells, Tensor):
            missing = torch.isnan(cells)
            found = [places.get(cell, -1) for cell in cells.tolist()]
        else:
            missing = torch.tensor([cell == MISSING_TEXT for cell in cells], dtype=torch.bool)
            found = [places.get(cell, -1) for cell in cells]
        place = torch.tensor(found, dtype=torch.int64)
        if self.missing_level:
            place = torch.where(missing, len(self.levels), place)
        encoded = torch.zeros(len(found), self.width, dtype=torch.float64)
        known = torch.nonzero(place >= 0).flatten()
        encoded[known, place[known]] = 1.0
        return encoded


def level_text(level: float | str) -> str:
    """A level as people write it."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


EncodedColumn = Annotated[NumberColumn | CategoryColumn, Field(discriminator="kind")]


class InputEncoding(BaseModel):
    """Raw columns, in the order in which a client sends them, to R^d.

    The d coordinates are the numbers in their order, then the indicators, then the levels of each category. A raw row
    is stored as two tensors: `numbers` (`number_names`: numbers, and categories that are numbers) and texts
    (`text_names`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[EncodedColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Raw columns."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def numbers(self) -> tuple[NumberColumn, ...]:
        """The columns that are numbers."""
        return tuple(column for column in self.columns if isinstance(column, NumberColumn))

    @cached_property
    def categories(self) -> tuple[CategoryColumn, ...]:
        """The columns that are categories."""
        return tuple(column for column in self.columns if isinstance(column, CategoryColumn))

    @cached_property
    def number_names(self) -> tuple[str, ...]:
        """Columns of the raw tensor of numbers."""
        return tuple(c.name for c in self.columns if isinstance(c, NumberColumn) or c.values == "number")

    @cached_property
    def text_names(self) -> tuple[str, ...]:
        """Columns of the raw tensor of text."""
        return tuple(c.name for c in self.categories if c.values == "text")

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """The d coordinates."""
        indicators = [f"{column.name} is missing" for column in self.numbers if column.indicator]
        levels = [name for column in self.categories for name in column.encoded_names]
        return (*(column.name for column in self.numbers), *indicators, *levels)

    @property
    def dimension(self) -> int:
        """d."""
        return len(self.encoded_names)

    @property
    def is_identity(self) -> bool:
        """Whether every column is a number that is never missing."""
        return all(isinstance(column, NumberColumn) and not column.accepts_missing for column in self.columns)

    def encode(self, rows: RawRows) -> Inputs:
        """Inputs [n, d] float64; NaN stays where a column that does not accept it misses a value."""
        place = {name: index for index, name in enumerate(self.number_names)}
        text = dict(zip(self.text_names, rows.texts, strict=True))
        parts = []
        if self.numbers:
            values = rows.numbers[:, [place[column.name] for column in self.numbers]]
            fill = torch.tensor([c.fill if c.accepts_missing else torch.nan for c in self.numbers], dtype=torch.float64)
            marked = [index for index, column in enumerate(self.numbers) if column.indicator]
            missing = torch.isnan(values)
            parts += [torch.where(missing, fill, values), missing[:, marked].to(torch.float64)]
        for column in self.categories:
            cells = text[column.name] if column.values == "text" else rows.numbers[:, place[column.name]]
            parts.append(column.encode(cells))
        return torch.cat(parts, dim=1)


def complete_numbers(names: Sequence[str]) -> InputEncoding:
    """Every column a number that is never missing: the identity."""
    return InputEncoding(columns=tuple(NumberColumn(name=name) for name in names))


def raw_rows(table: Table, names: Sequence[str], rows: Tensor) -> RawRows:
    """The named columns of the chosen rows. Raises InvalidData where a number is infinite."""
    numbers = [table.numbers[name][rows] for name in names if name in table.numbers]
    for name, column in zip((name for name in names if name in table.numbers), numbers, strict=True):
        if bool(torch.isinf(column).any()):
            raise InvalidData(f"Column {name!r} holds infinite values.", "/data/feature_columns")
    chosen = rows.tolist()
    texts = tuple([table.texts[name][row] or MISSING_TEXT for row in chosen] for name in names if name in table.texts)
    stacked = torch.stack(numbers, dim=1) if numbers else torch.zeros(len(chosen), 0, dtype=torch.float64)
    return RawRows(stacked, texts)


def category_of(table: Table, name: str, rows: Tensor) -> CategoryColumn:
    """The levels that the chosen rows show, in order; missing cells are a level of their own where there are any."""
    if name in table.numbers:
        cells = table.numbers[name]
        seen = cells[rows]
        present = torch.unique(seen[~torch.isnan(seen)]).tolist()
        return CategoryColumn(
            name=name,
            values="number",
            levels=tuple(present),
            missing_level=bool(torch.isnan(seen).any()),
            accepts_missing=bool(torch.isnan(cells).any()),
        )
    texts = table.texts[name]
    found = {texts[row] or MISSING_TEXT for row in rows.tolist()}
    return CategoryColumn(
        name=name,
        values="text",
        levels=tuple(sorted(found - {MISSING_TEXT})),
        missing_level=MISSING_TEXT in found,
        accepts_missing=not all(texts),
    )


def learn_encoding(
    table: Table, features: Sequence[str], categories: Sequence[str], training_rows: Tensor
) -> InputEncoding:
    """What the training rows say: levels, means of the present values, and which columns miss some.

    A column accepts missing values where the table, training row or not, misses some; only where the training rows do
    is there an indicator, which would be constant on them otherwise.
    """

    def number(name: str) -> NumberColumn:
        missing = torch.isnan(table.numbers[name])
        seen = table.numbers[name][training_rows]
        present = seen[~torch.isnan(seen)]
        return NumberColumn(
            name=name,
            fill=float(present.mean()) if len(present) else 0.0,
            indicator=bool(missing[training_rows].any()),
            accepts_missing=bool(missing.any()),
        )

    chosen = set(categories)
    return InputEncoding(
        columns=tuple(category_of(table, n, training_rows) if n in chosen else number(n) for n in features)
    )
