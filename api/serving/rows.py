"""Rows of inputs from what a client sent, checked: every refusal names the row and the column, never the value."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.errors import Problem, TooLarge, field_problem

Rows = NDArray[np.float64]
"""Inputs [N, d]: N >= 1, all finite, the columns in the model's order."""

_NUMBERS = frozenset((int, float))


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


def rows_of_lists(rows: Sequence[Any], names: Sequence[str], pointer: str) -> Rows:
    """Rows given as lists of JSON numbers, in the model's order.

    Raises:
        Unprocessable: a row is no list, has another length, or holds something else than a finite number.
    """
    for index, row in enumerate(rows):
        if type(row) is not list:
            raise field_problem(f"{pointer}/{index}", f"Row {index} is not a list of numbers.")
        if len(row) != len(names):
            detail = f"Row {index} has {len(row)} values; the model has {len(names)} inputs: {_listed(names)}."
            raise field_problem(f"{pointer}/{index}", detail)
        if not _NUMBERS.issuperset(map(type, row)):
            column = next(place for place, value in enumerate(row) if type(value) not in _NUMBERS)
            raise field_problem(f"{pointer}/{index}/{column}", not_a_number(index, names[column]))
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return finite_rows(values, names, lambda row, column: f"{pointer}/{row}/{column}")


def column_of_list(values: Sequence[Any], name: str, pointer: str) -> NDArray[np.float64]:
    """One column given as a list of JSON numbers.

    Raises:
        Unprocessable: a value is not a number.
    """
    if not _NUMBERS.issuperset(map(type, values)):
        row = next(place for place, value in enumerate(values) if type(value) not in _NUMBERS)
        raise field_problem(f"{pointer}/{row}", not_a_number(row, name))
    return np.array(values, dtype=np.float64)


def finite_rows(values: Rows, names: Sequence[str], pointer: Callable[[int, int], str]) -> Rows:
    """`values`, none of them NaN or infinite.

    Raises:
        Unprocessable: names the first that is.
    """
    if not np.isfinite(values).all():
        row, column = (int(place) for place in np.argwhere(~np.isfinite(values))[0])
        raise field_problem(pointer(row, column), f"Row {row}, column {names[column]!r}: not a finite number.")
    return values


def check_finite_predictions(predictions: NDArray[Any], refusal: type[Problem]) -> None:
    """Inputs far outside the sample can overflow a hypothesis that is not clipped; JSON has no word for the result.

    Raises:
        Problem: of the class `refusal`; names the row.
    """
    if not np.isfinite(predictions).all():
        row = int(np.argwhere(~np.isfinite(predictions))[0][0])
        raise refusal(f"The prediction of row {row} is not finite: its inputs are too large for this model.")


def not_a_number(row: int, name: str) -> str:
    """The sentence for a value of another type; null is one."""
    return f"Row {row}, column {name!r}: not a number."


def _listed(names: Sequence[str], most: int = 10) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
