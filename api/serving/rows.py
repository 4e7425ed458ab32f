"""Rows of inputs from what a client sent, checked: every refusal names the row and the column, never the value."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.errors import Problem, TooLarge, field_problem
from api.serving.inputs import InputColumn, InputSchema, ModelRows

Pointer = Callable[[int, str], str]
"""The JSON pointer of a cell from its row and the name of its column."""

_NUMBERS: frozenset[type] = frozenset((int, float))
_TEXTS: frozenset[type] = frozenset((str,))
_NULL: frozenset[type] = frozenset((type(None),))


def pointer_step(name: str) -> str:
    """A column's name as a step of a JSON pointer."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def check_row_count(count: int, max_rows: int, pointer: str) -> None:
    """Refuse none, and more than the cap.

    Raises:
        Unprocessable: there is no row.
        TooLarge: there are more than `max_rows`.
    """
    if count == 0:
        raise field_problem(pointer, "At least one row is needed.")
    if count > max_rows:
        raise TooLarge(f"{count} rows; one request may hold at most {max_rows}.")


def check_column_names(found: Sequence[str], expected: Sequence[str], pointer: str, where: str = "") -> None:
    """Every expected column once, in any order, and nothing else.

    Raises:
        Unprocessable: names the missing columns, else the unknown and the repeated ones.
    """
    if len(found) == len(expected) and set(found) == set(expected):
        return
    missing = [name for name in expected if name not in set(found)]
    if missing:
        raise field_problem(pointer + pointer_step(missing[0]), f"{where}missing columns: {_listed(missing)}.")
    unknown = [name for name in found if name not in set(expected)]
    if unknown:
        raise field_problem(pointer, f"{where}unknown columns: {_listed(unknown)}; the model has {_listed(expected)}.")
    raise field_problem(pointer, f"{where}a column is given twice.")


def rows_of_lists(rows: Sequence[Any], schema: InputSchema, pointer: str) -> ModelRows:
    """Rows given as lists of JSON values, in the model's order.

    Raises:
        Unprocessable: a row is no list, has another length, or holds what its column does not take.
    """
    names = schema.names

    def cell(row: int, name: str) -> str:
        return f"{pointer}/{row}/{names.index(name)}"

    for index, row in enumerate(rows):
        if type(row) is not list:
            raise field_problem(f"{pointer}/{index}", f"Row {index} is not a list of values.")
        if len(row) != len(names):
            detail = f"Row {index} has {len(row)} values; the model has {len(names)} inputs: {_listed(names)}."
            raise field_problem(f"{pointer}/{index}", detail)
        if schema.only_complete_numbers and not _NUMBERS.issuperset(map(type, row)):
            column = next(place for place, value in enumerate(row) if type(value) not in _NUMBERS)
            raise field_problem(cell(index, names[column]), _not_a("number", index, names[column]))
    if schema.only_complete_numbers:
        values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
        return finite_rows(ModelRows(values), schema, cell)
    return rows_of_columns(list(zip(*rows, strict=True)), schema, cell)


def rows_of_columns(columns: Sequence[Sequence[Any]], schema: InputSchema, cell: Pointer) -> ModelRows:
    """Columns of JSON values, in the model's order and of one length; null is a missing value.

    Raises:
        Unprocessable: a value is not what its column takes; names its row.
    """
    count = len(columns[0])
    numbers = np.empty((count, len(schema.numbers)))
    texts = np.empty((count, len(schema.texts)), dtype=object)
    places = {"number": 0, "text": 0}
    for column, values in zip(schema.columns, columns, strict=True):
        place = places[column.kind]
        places[column.kind] += 1
        if column.kind == "number":
            numbers[:, place] = _numbers(values, column, cell)
        else:
            texts[:, place] = _texts(values, column, cell)
    return finite_rows(ModelRows(numbers, texts if schema.texts else None), schema, cell)


def _numbers(values: Sequence[Any], column: InputColumn, cell: Pointer) -> NDArray[np.float64]:
    allowed = _NUMBERS | _NULL if column.accepts_missing else _NUMBERS
    _check_types(values, allowed, column, cell)
    # None becomes NaN.
    return np.array(values, dtype=np.float64)


def _texts(values: Sequence[Any], column: InputColumn, cell: Pointer) -> list[str]:
    allowed = _TEXTS | _NULL if column.accepts_missing else _TEXTS
    _check_types(values, allowed, column, cell)
    texts = [value or "" for value in values]
    if not column.accepts_missing and "" in texts:
        row = texts.index("")
        raise field_problem(cell(row, column.name), f"Row {row}, column {column.name!r}: a text must not be empty.")
    return texts


def _check_types(values: Sequence[Any], allowed: frozenset[type], column: InputColumn, cell: Pointer) -> None:
    if not allowed.issuperset(map(type, values)):
        row = next(place for place, value in enumerate(values) if type(value) not in allowed)
        raise field_problem(cell(row, column.name), _not_a(column.kind, row, column.name))


def finite_rows(rows: ModelRows, schema: InputSchema, cell: Pointer) -> ModelRows:
    """`rows`, no number of them infinite, and NaN only where a value may be missing.

    Raises:
        Unprocessable: names the first that is not so.
    """
    place = unusable_number(rows.numbers, schema)
    if place is not None:
        name = schema.numbers[place[1]].name
        raise field_problem(cell(place[0], name), f"Row {place[0]}, column {name!r}: not a finite number.")
    return rows


def unusable_number(numbers: NDArray[np.float64], schema: InputSchema) -> tuple[int, int] | None:
    """Row and column of the first number that is infinite, or NaN in a column that may not miss values."""
    if np.isfinite(numbers).all():
        return None
    unusable = np.isinf(numbers) | (np.isnan(numbers) & schema.refuses_missing)
    if not unusable.any():
        return None
    row, column = (int(place) for place in np.argwhere(unusable)[0])
    return row, column


def check_finite_predictions(predictions: NDArray[Any], refusal: type[Problem]) -> None:
    """Inputs far outside the sample can overflow a hypothesis that is not clipped; JSON has no word for the result.

    Raises:
        Problem: of the class `refusal`; names the row.
    """
    if not np.isfinite(predictions).all():
        row = int(np.argwhere(~np.isfinite(predictions))[0][0])
        raise refusal(f"The prediction of row {row} is not finite: its inputs are too large for this model.")


def _not_a(kind: str, row: int, name: str) -> str:
    return f"Row {row}, column {name!r}: not a {kind}."


def _listed(names: Sequence[str], most: int = 10) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
