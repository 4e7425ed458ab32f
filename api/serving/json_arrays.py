"""Numbers of a JSON body straight into an array; whatever is not plain is left to the careful reader.

Both functions answer None instead of refusing: the careful reader then finds the row and the column to name. Accepted
is only what that reader would read as the very same numbers: simdjson rounds correctly, and ragged or deeper lists,
which its flattening hides, are told by the number of brackets.
"""

from typing import Any

import numpy as np
import simdjson
from numpy.typing import NDArray

_REFUSALS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError)


def table_of_rows(body: bytes, width: int) -> NDArray[np.float64] | None:
    """The array [n, width] of `{"rows": [[...], ...]}`, n > 0, every value a number."""
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


def inference_document(body: bytes) -> dict[str, Any] | None:
    """The document with the `data` of every floating-point tensor as a flat array in place of its list."""
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
