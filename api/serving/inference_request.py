"""Open Inference Protocol requests to rows: JSON tensors, and Triton's binary tensors behind a JSON header.

Every refusal is a 400, as Open Inference clients expect.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from api.errors import Malformed, TooLarge
from api.serving.rows import Rows
from api.serving.sessions import INPUT, OUTPUT

DATATYPES = {"FP32": "<f4", "FP64": "<f8", "INT32": "<i4", "INT64": "<i8"}
"""Datatypes accepted for inputs, little-endian on the wire."""


@dataclass(frozen=True)
class InferenceRequest:
    """What was asked. `datatype` of the answer is the input's, FP64 for integers; `binary`: tensors as raw bytes."""

    id: str | None
    rows: Rows
    datatype: str
    binary: bool


def read_request(body: bytes, header_length: str | None, names: Sequence[str], max_rows: int) -> InferenceRequest:
    """The request in `body`. `header_length`: the Inference-Header-Content-Length where binary tensors follow.

    Raises:
        Malformed: names what does not fit.
        TooLarge: more than `max_rows` rows.
    """
    header, tail = _split(body, header_length)
    try:
        document = orjson.loads(header)
    except orjson.JSONDecodeError as error:
        raise Malformed("The request is not valid JSON.") from error
    if type(document) is not dict:
        raise Malformed("The request must be a JSON object.")
    request_id = document.get("id")
    if request_id is not None and type(request_id) is not str:
        raise Malformed("'id' must be a string.")
    tensor = _the_input(document.get("inputs"))
    datatype, shape = _datatype(tensor), _shape(tensor, len(names))
    values = _values(tensor, shape, datatype, tail)
    if shape[0] > max_rows:
        raise TooLarge(f"{shape[0]} rows; one request may hold at most {max_rows}.")
    if not np.isfinite(values).all():
        place = int(np.argwhere(~np.isfinite(values))[0][0])
        raise Malformed(f"Input {INPUT!r}: element {place} is not a finite number (null is NaN).")
    rows = values.astype(np.float64).reshape(shape)
    answer_type = datatype if datatype.startswith("FP") else "FP64"
    return InferenceRequest(request_id, rows, answer_type, _wants_binary(document))


def _split(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 20):
        raise Malformed("Inference-Header-Content-Length must be a number of bytes.")
    length = int(header_length)
    if length > len(body):
        raise Malformed(f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes.")
    return body[:length], body[length:]


def _the_input(inputs: Any) -> dict[str, Any]:
    if type(inputs) is not list or not all(type(tensor) is dict for tensor in inputs):
        raise Malformed("'inputs' must be a list of tensors.")
    for tensor in inputs:
        if tensor.get("name") != INPUT:
            raise Malformed(f"Unknown input; this model has one input, {INPUT!r}.")
        _parameters(tensor)
    if len(inputs) != 1:
        raise Malformed(f"Exactly one input {INPUT!r} is needed; {len(inputs)} are given.")
    return dict(inputs[0])


def _parameters(holder: dict[str, Any]) -> dict[str, Any]:
    parameters = holder.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise Malformed("'parameters' must be an object.")
    for name in ("shared_memory_region", "classification"):
        if name in parameters:
            raise Malformed(f"The parameter {name!r} is not supported.")
    return parameters


def _datatype(tensor: dict[str, Any]) -> str:
    datatype = tensor.get("datatype")
    if type(datatype) is not str or datatype not in DATATYPES:
        raise Malformed(f"Input {INPUT!r}: the datatype must be one of {', '.join(DATATYPES)}.")
    return datatype


def _shape(tensor: dict[str, Any], width: int) -> tuple[int, int]:
    shape = tensor.get("shape")
    if type(shape) is not list or not all(type(length) is int and length >= 0 for length in shape):
        raise Malformed(f"Input {INPUT!r}: the shape must be a list of lengths.")
    if len(shape) != 2 or shape[1] != width:
        raise Malformed(f"Input {INPUT!r}: the shape must be [N, {width}].")
    if shape[0] == 0:
        raise Malformed(f"Input {INPUT!r}: at least one row is needed.")
    return shape[0], shape[1]


def _values(tensor: dict[str, Any], shape: tuple[int, int], datatype: str, tail: bytes) -> NDArray[Any]:
    """The elements, flat. Their number is compared as integers without bound before any buffer is made."""
    size = _parameters(tensor).get("binary_data_size")
    if size is not None:
        needed = math.prod(shape) * np.dtype(DATATYPES[datatype]).itemsize
        if type(size) is not int or size != needed or len(tail) != needed or "data" in tensor:
            raise Malformed(
                f"Input {INPUT!r}: a tensor of {datatype} and shape {list(shape)} has {needed} bytes; "
                f"the request ends with {len(tail)}, and 'binary_data_size' must say the same."
            )
        return np.frombuffer(tail, dtype=DATATYPES[datatype])
    if tail:
        raise Malformed("Bytes follow the JSON header, but no input has 'binary_data_size'.")
    flat = _flat(tensor.get("data"), shape)
    numbers = frozenset((int, float) if datatype.startswith("FP") else (int,))
    if not numbers.issuperset(map(type, flat)):
        place = next(index for index, value in enumerate(flat) if type(value) not in numbers)
        what = "null (NaN), and only finite numbers are read" if flat[place] is None else f"no {datatype}"
        raise Malformed(f"Input {INPUT!r}: element {place} is {what}.")
    try:
        with np.errstate(over="ignore"):
            return np.array(flat, dtype=DATATYPES[datatype])
    except OverflowError as error:
        raise Malformed(f"Input {INPUT!r}: an element is too large for {datatype}.") from error


def _flat(data: Any, shape: tuple[int, int]) -> list[Any]:
    if type(data) is not list:
        raise Malformed(f"Input {INPUT!r}: 'data' must be a list.")
    if data and type(data[0]) is list:
        if len(data) != shape[0] or not all(type(row) is list and len(row) == shape[1] for row in data):
            raise Malformed(f"Input {INPUT!r}: the nested data do not have the shape {list(shape)}.")
        return list(chain.from_iterable(data))
    if len(data) != math.prod(shape):
        raise Malformed(
            f"Input {INPUT!r}: the shape {list(shape)} has {math.prod(shape)} elements, 'data' has {len(data)}."
        )
    return data


def _wants_binary(document: dict[str, Any]) -> bool:
    wanted = _parameters(document).get("binary_data_output", False)
    outputs = document.get("outputs")
    if outputs is not None and (type(outputs) is not list or not all(type(tensor) is dict for tensor in outputs)):
        raise Malformed("'outputs' must be a list of tensors.")
    for tensor in outputs or ():
        if tensor.get("name") != OUTPUT:
            raise Malformed(f"Unknown output; this model has one output, {OUTPUT!r}.")
        wanted = _parameters(tensor).get("binary_data", wanted)
    if type(wanted) is not bool:
        raise Malformed("'binary_data' and 'binary_data_output' must be true or false.")
    return wanted
