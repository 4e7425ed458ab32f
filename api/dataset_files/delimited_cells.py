"""Cells of CSV as numbers and dates, column by column."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from api.dataset_files.options import Decimal

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$|^\s*[+-]?(?i:nan|inf|infinity)\s*$"
_DECIMAL_COMMA = r"^\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*$"
_INFINITY = r"^\s*[+-]?(?i:inf|infinity)\s*$"
_DATE = (
    r"^\s*(\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{4})"
    r"([T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?\s*$|^\s*\d{1,2}:\d{2}(:\d{2})?\s*$"
)
"""Year first with dashes or slashes, or last with dots or slashes, with or without a time; or a time alone."""


def numbers(column: pa.Array, decimal: Decimal | None) -> pa.Array | None:
    """Text as float64, spaces around it ignored; true and false are 1 and 0; None where some cell is no number."""
    trimmed = pc.utf8_trim_whitespace(column)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    if decimal == "comma":
        # A point beside it would group thousands, or mean that the file does not keep to its word.
        if pc.any(pc.match_substring(trimmed, ".")).as_py():
            return None
        trimmed = pc.replace_substring(trimmed, ",", ".")
    try:
        return trimmed.cast(pa.float64())
    except pa.ArrowInvalid:
        lowered = pc.utf8_lower(trimmed)
        logical = pc.is_in(lowered, value_set=pa.array(["true", "false", None]))
        return pc.equal(lowered, "true").cast(pa.uint8()).cast(pa.float64()) if pc.all(logical).as_py() else None


def first_overflow(column: pa.Array, values: pa.Array) -> int | None:
    """The first cell that became an infinity without saying so, such as 1e400."""
    if not pc.any(pc.is_inf(values)).as_py():
        return None
    overflown = pc.and_not(pc.is_inf(values), pc.match_substring_regex(column, _INFINITY))
    return _first(overflown)


def all_dates(column: pa.Array) -> bool:
    """Whether every cell that is there is a date or a time."""
    return bool(pc.all(pc.match_substring_regex(column, _DATE)).as_py() is not False)


@dataclass(frozen=True)
class TextAmongNumbers:
    """Of a batch that made a column text: its first cell that is no number, and whether the rest are numbers.

    `decimal_comma`: the first cell with a decimal comma, where every cell is a number with a point or a comma.
    """

    first_text: int
    mostly_numbers: bool
    decimal_comma: int | None


def text_among_numbers(column: pa.Array) -> TextAmongNumbers | None:
    """None where the cells are numbers one by one, and logical values only together."""
    present = column.drop_null()
    is_number = pc.fill_null(pc.match_substring_regex(column, _NUMBER), True)
    first = _first(pc.invert(is_number))
    if first is None:
        return None
    with_comma = pc.fill_null(pc.match_substring_regex(column, _DECIMAL_COMMA), False)
    count = len(column) - pc.sum(is_number).as_py()
    commas = pc.sum(with_comma).as_py()
    return TextAmongNumbers(
        first_text=first,
        mostly_numbers=2 * count <= len(present),
        decimal_comma=_first(with_comma) if commas == count else None,
    )


def _first(mask: pa.Array) -> int | None:
    place = pc.index(mask, pa.scalar(True)).as_py()
    return None if place < 0 else int(place)
