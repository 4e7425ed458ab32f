"""Numbers of a JSON body straight into an array; whatever is not plain is left to the careful reader.

Both functions answer None instead of refusing: the careful reader then finds the row and the column to name. Accepted
is only what that reader would read as the very same numbers. A large body is read by the compiled reader, where it was
built, and what that leaves by simdjson, which rounds correctly as well; ragged or deeper lists, which its flattening
hides, are told by the number of brackets.
"""

import re
import secrets
from typing import Any

import numpy as np
import orjson
import simdjson
from numpy.typing import NDArray

from api.serving.number_lists import NumberReader, number_reader

LARGE_BYTES = 2**12
"""Of a body; a smaller one costs simdjson less than the foreign call costs."""

_SPACE = rb"[ \t\n\r]*"
_BEFORE_ROWS = re.compile(_SPACE + rb"\{" + _SPACE + rb'"rows"' + _SPACE + b":" + _SPACE)
_BEHIND_ROWS = re.compile(_SPACE + rb"\}" + _SPACE)
_BEFORE_DATA = re.compile(rb'"data"' + _SPACE + b":" + _SPACE + rb"(?=\[)")

_REFUSALS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError)


def table_of_rows(body: bytes, width: int) -> NDArray[np.float64] | None:
    """The array [n, width] of `{"rows": [[...], ...]}`, n > 0, every value a number."""
    reader = number_reader() if len(body) >= LARGE_BYTES else None
    table = None if reader is None else _large_table(reader, body, width)
    return _table(body, width) if table is None else table


def inference_document(body: bytes) -> dict[str, Any] | None:
    """The document with the `data` of its floating-point tensors as flat arrays in place of their lists.

    Of a large body that may be the first tensor alone: lists stay lists, and are read with care.
    """
    reader = number_reader() if len(body) >= LARGE_BYTES else None
    document = None if reader is None else _large_document(reader, body)
    return _document(body) if document is None else document


def _large_table(reader: NumberReader, body: bytes, width: int) -> NDArray[np.float64] | None:
    before = _BEFORE_ROWS.match(body)
    found = None if before is None else reader.read(body, before.end())
    if found is None or found.rows == 0 or len(found.values) != found.rows * width:
        return None
    return found.values.reshape(found.rows, width) if _BEHIND_ROWS.fullmatch(body, found.end) else None


def _large_document(reader: NumberReader, body: bytes) -> dict[str, Any] | None:
    """What orjson reads, a word that nobody can guess in place of the first list of numbers."""
    before = _BEFORE_DATA.search(body)
    found = None if before is None else reader.read(body, before.end())
    if before is None or found is None:
        return None
    word = secrets.token_hex(16)
    try:
        document = orjson.loads(b"".join((body[: before.end()], b'"', word.encode(), b'"', body[found.end :])))
        (tensor,) = [each for each in document["inputs"] if each.get("data") == word]
        datatype, shape = tensor.get("datatype"), tensor.get("shape")
    except _REFUSALS:
        return None
    if type(datatype) is not str or not datatype.startswith("FP"):
        return None
    if found.rows and shape != [found.rows, len(found.values) // found.rows]:
        return None
    tensor["data"] = found.values
    return document if type(document) is dict else None


def _table(body: bytes, width: int) -> NDArray[np.float64] | None:
    try:
        document: Any = simdjson.Parser().parse(body)
        if len(document) != 1:
            return None
        rows = document["rows"]
        count = len(rows)
        if count == 0 or width == 0 or not _rectangular(rows, count, width) or body.count(b"[") != count + 1:
            return None
        return np.frombuffer(rows.as_buffer(of_type="d")).reshape(count, width)
    except _REFUSALS:
        return None


def _document(body: bytes) -> dict[str, Any] | None:
    """As `inference_document`, every tensor of it."""
    try:
        document: Any = simdjson.Parser().parse(body)
        found = _plain(document, "inputs")
        if found is None:
            return None
        tensors, brackets = [], 1 + _lists(found)
        for tensor in document["inputs"]:
            read = _plain(tensor, "data")
            if read is None or not str(read.get("datatype")).startswith("FP"):
                return None
            brackets += _lists(read)
            if "data" in tensor:
                data = tensor["data"]
                shape, count = read["shape"], len(data)
                # Without rows it is flat: its length is then compared with the shape by whoever reads the tensor.
                nested = len(shape) == 2 and count == shape[0] and _rectangular(data, count, shape[1])
                brackets += 1 + (count if nested else 0)
                read["data"] = np.frombuffer(data.as_buffer(of_type="d"))
            tensors.append(read)
        if body.count(b"[") != brackets:
            return None
        found["inputs"] = tensors
        return found
    except _REFUSALS:
        return None


def _plain(source: Any, without: str) -> dict[str, Any] | None:
    """The members of an object as Python values, one left out; None where a name stands twice."""
    names = list(source.keys())
    if len(set(names)) != len(names):
        return None
    return {name: _value(source[name]) for name in names if name != without}


def _value(value: Any) -> Any:
    if isinstance(value, simdjson.Object):
        return value.as_dict()
    return value.as_list() if isinstance(value, simdjson.Array) else value


def _rectangular(rows: Any, count: int, width: int) -> bool:
    return all(type(row) is simdjson.Array and len(row) == width for row in rows) and count > 0


def _lists(value: Any) -> int:
    if type(value) is dict:
        return sum(_lists(item) for item in value.values())
    return 1 + sum(_lists(item) for item in value) if type(value) is list else 0
