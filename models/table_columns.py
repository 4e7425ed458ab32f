"""Which columns of a table play which part; checked before a job is queued, and again where it runs."""

from dataclasses import dataclass
from typing import Literal, NoReturn

from models.errors import InvalidData
from models.plan import MOST_LEVELS, TableShape

Missing = Literal["impute", "refuse"]


@dataclass(frozen=True)
class ChosenColumns:
    """`features` in the order in which a client sends them; `categories` are those of them that are one-hot encoded.

    `targets`: numbers, or one category, and then `classification`.
    """

    features: tuple[str, ...]
    categories: tuple[str, ...]
    targets: tuple[str, ...]
    classification: bool

    def input_dimension(self, shape: TableShape) -> int:
        """d at most: an indicator for each number that may be missing, and every level that the table holds."""
        numbers = [name for name in self.features if name not in self.categories]
        width = len(numbers) + sum(name in shape.incomplete for name in numbers)
        return width + sum(shape.distinct[name] + (name in shape.incomplete) for name in self.categories)

    def output_dimension(self, shape: TableShape) -> int:
        """k: targets, or classes at most."""
        return shape.distinct[self.targets[0]] if self.classification else len(self.targets)

    def labelled_rows(self, shape: TableShape) -> int:
        """Rows with every label: exact for one target, at most this for several."""
        return shape.rows - max(shape.incomplete.get(name, 0) for name in self.targets)


def choose_columns(
    shape: TableShape,
    target_columns: tuple[str, ...],
    feature_columns: tuple[str, ...] | None,
    category_columns: tuple[str, ...],
    missing: Missing,
) -> ChosenColumns:
    """`feature_columns` None: every number that is no target, and the categories.

    Categories are features, named in `feature_columns` or not, unless they are a target, which then stands alone.

    Raises:
        InvalidData: a column is not there, holds text, dates or infinite values, has too many levels or misses values
            where none may be missing, or no feature is left; points to the field that names the column.
    """
    roles = [("target_columns", target_columns), ("feature_columns", feature_columns or ())]
    for role, names in [*roles, ("category_columns", category_columns)]:
        for name in names:
            _check_exists(shape, name, role)
    for name in category_columns:
        _check_levels(shape, name)
    categories = frozenset(category_columns)
    for role, names in roles:
        for name in names:
            if name not in shape.numeric and name not in categories:
                first = f", first in row {shape.first_text_rows[name]}" if name in shape.first_text_rows else ""
                advice = "name it in category_columns to encode its values one-hot."
                _refuse(role, f"Column {name!r} holds text{first}: {advice}")
    classification = not categories.isdisjoint(target_columns)
    if classification and len(target_columns) > 1:
        _refuse("target_columns", "A target that is a category stands alone: name one target column.")
    if feature_columns is None:
        numeric = frozenset(shape.numeric)
        listed = tuple(name for name in shape.columns if name in numeric or name in categories)
    else:
        listed = (*feature_columns, *(name for name in category_columns if name not in feature_columns))
    features = tuple(name for name in listed if name not in target_columns)
    if not features:
        _refuse("feature_columns", "No feature column is left beside the targets: numbers, or declared categories.")
    for role, names in (("target_columns", target_columns), ("feature_columns", features)):
        for name in names:
            if name in shape.infinite:
                _refuse(role, f"Column {name!r} holds {shape.infinite[name]} infinite values.")
            if missing == "refuse" and name in shape.incomplete:
                detail = f'Column {name!r} misses {shape.incomplete[name]} values, and "missing" is "refuse".'
                _refuse(role, detail)
    return ChosenColumns(features, tuple(n for n in features if n in categories), target_columns, classification)


def _check_exists(shape: TableShape, name: str, role: str) -> None:
    if name not in shape.columns:
        _refuse(role, f"There is no column {name!r}; there are {', '.join(shape.columns[:50])}.")
    if name in shape.dates:
        detail = "holds dates or times: turn it into numbers first (days since a day, month, weekday), or leave it out."
        _refuse(role, f"Column {name!r} {detail}")


def _check_levels(shape: TableShape, name: str) -> None:
    if name not in shape.distinct:
        _refuse("category_columns", f"Column {name!r} has more than {MOST_LEVELS} different values: no category.")
    if shape.distinct[name] == 0:
        _refuse("category_columns", f"Column {name!r} holds no value.")


def _refuse(role: str, detail: str) -> NoReturn:
    raise InvalidData(detail, f"/data/{role}")
