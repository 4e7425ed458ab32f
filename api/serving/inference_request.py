"""Open Inference Protocol requests to rows: JSON tensors, and Triton's binary tensors behind a JSON header.

Triton's `classification` of an output and `timeout` of a request (microseconds) are read as well.

Every refusal is a 400, as Open Inference clients expect.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from api.errors import Malformed, TooLarge
from api.serving.inputs import NUMBERS, TEXTS, InputSchema, ModelRows
from api.serving.json_arrays import inference_document
from api.serving.rows import unusable_number
from api.serving.sessions import OUTPUT

DATATYPES = {"FP32": "<f4", "FP64": "<f8", "INT32": "<i4", "INT64": "<i8"}
"""Datatypes of numbers, little-endian on the wire."""

TEXT_DATATYPE = "BYTES"
"""Texts: UTF-8, on the wire each behind its length in four bytes, little-endian."""


@dataclass(frozen=True)
class InferenceRequest:
    """What was asked. `datatype` of the answer is the input's, FP64 for integers; `binary`: tensors as raw bytes.

    `classes`: so many of the largest outputs, as texts, instead of the outputs themselves; None: the outputs.
    `timeout_seconds`: how long the client waits; None: as long as the server.
    """

    id: str | None
    rows: ModelRows
    datatype: str
    binary: bool
    classes: int | None = None
    timeout_seconds: float | None = None


def read_request(body: bytes, header_length: str | None, schema: InputSchema, max_rows: int) -> InferenceRequest:
    """The request in `body`. `header_length`: the Inference-Header-Content-Length where binary tensors follow.

    Raises:
        Malformed: names what does not fit.
        TooLarge: more than `max_rows` rows.
    """
    header, tail = _split(body, header_length)
    document = _document(header, in_json=not tail)
    request_id = document.get("id")
    if request_id is not None and type(request_id) is not str:
        raise Malformed("'id' must be a string.")
    tensors = _tensors(document.get("inputs"), schema)
    values, counts = {}, {}
    position = 0
    for tensor in tensors:
        name = tensor["name"]
        datatype, shape = _datatype(tensor), _shape(tensor, len(schema.tensors[name]))
        values[name], position = _values(tensor, shape, datatype, tail, position)
        counts[name] = shape[0]
    if position != len(tail):
        raise Malformed(f"{len(tail) - position} bytes follow that belong to no tensor with 'binary_data_size'.")
    if len(set(counts.values())) > 1:
        raise Malformed(f"The inputs have different numbers of rows: {counts}.")
    count = next(iter(counts.values()))
    if count > max_rows:
        raise TooLarge(f"{count} rows; one request may hold at most {max_rows}.")
    rows = _rows(values, count, schema)
    datatypes = [tensor["datatype"] for tensor in tensors if tensor["datatype"].startswith("FP")]
    binary, classes = _wanted(document)
    datatype = datatypes[0] if datatypes else "FP64"
    return InferenceRequest(request_id, rows, datatype, binary, classes, _timeout_seconds(document))


def _document(header: bytes, in_json: bool) -> dict[str, Any]:
    document = inference_document(header) if in_json else None
    if document is None:
        try:
            document = orjson.loads(header)
        except orjson.JSONDecodeError as error:
            raise Malformed("The request is not valid JSON.") from error
    if type(document) is not dict:
        raise Malformed("The request must be a JSON object.")
    return document


def _rows(values: Mapping[str, NDArray[Any]], count: int, schema: InputSchema) -> ModelRows:
    numbers = values.get(NUMBERS, np.empty(0)).astype(np.float64, copy=False).reshape(count, len(schema.numbers))
    place = unusable_number(numbers, schema)
    if place is not None:
        element = place[0] * len(schema.numbers) + place[1]
        raise Malformed(f"Input {NUMBERS!r}: element {element} is not a finite number (null is NaN).")
    if TEXTS not in values:
        return ModelRows(numbers)
    texts = values[TEXTS].reshape(count, len(schema.texts))
    for index, column in enumerate(schema.texts):
        if not column.accepts_missing and "" in texts[:, index]:
            raise Malformed(f"Input {TEXTS!r}: column {column.name!r} must not be empty.")
    return ModelRows(numbers, texts)


def _split(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 20):
        raise Malformed("Inference-Header-Content-Length must be a number of bytes.")
    length = int(header_length)
    if length > len(body):
        raise Malformed(f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes.")
    return body[:length], body[length:]


def _tensors(inputs: Any, schema: InputSchema) -> list[dict[str, Any]]:
    if type(inputs) is not list or not all(type(tensor) is dict for tensor in inputs):
        raise Malformed("'inputs' must be a list of tensors.")
    expected = ", ".join(repr(name) for name in schema.tensors)
    for tensor in inputs:
        if type(tensor.get("name")) is not str or tensor["name"] not in schema.tensors:
            raise Malformed(f"Unknown input; the inputs of this model: {expected}.")
        _parameters(tensor)
    if len(inputs) != len(schema.tensors) or len({tensor["name"] for tensor in inputs}) != len(inputs):
        raise Malformed(f"Each input is needed exactly once: {expected}; {len(inputs)} are given.")
    return list(inputs)


def _parameters(holder: dict[str, Any]) -> dict[str, Any]:
    parameters = holder.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise Malformed("'parameters' must be an object.")
    if "shared_memory_region" in parameters:
        raise Malformed("The parameter 'shared_memory_region' is not supported.")
    return parameters


def _datatype(tensor: dict[str, Any]) -> str:
    datatype = tensor.get("datatype")
    known: Sequence[str] = (TEXT_DATATYPE,) if tensor["name"] == TEXTS else tuple(DATATYPES)
    if type(datatype) is not str or datatype not in known:
        raise Malformed(f"Input {tensor['name']!r}: the datatype must be one of {', '.join(known)}.")
    return datatype


def _shape(tensor: dict[str, Any], width: int) -> tuple[int, int]:
    shape, name = tensor.get("shape"), tensor["name"]
    if type(shape) is not list or not all(type(length) is int and length >= 0 for length in shape):
        raise Malformed(f"Input {name!r}: the shape must be a list of lengths.")
    if len(shape) != 2 or shape[1] != width:
        raise Malformed(f"Input {name!r}: the shape must be [N, {width}].")
    if shape[0] == 0:
        raise Malformed(f"Input {name!r}: at least one row is needed.")
    return shape[0], shape[1]


def _values(
    tensor: dict[str, Any], shape: tuple[int, int], datatype: str, tail: bytes, position: int
) -> tuple[NDArray[Any], int]:
    """The elements, flat, and where the next tensor's bytes begin."""
    size = _parameters(tensor).get("binary_data_size")
    if size is None:
        flat = _flat(tensor, shape)
        return (_texts(list(flat)) if datatype == TEXT_DATATYPE else _numbers(flat, datatype)), position
    if type(size) is not int or size < 0 or size > len(tail) - position or "data" in tensor:
        raise Malformed(
            f"Input {tensor['name']!r}: 'binary_data_size' must be the number of this tensor's bytes behind the "
            f"header, where {len(tail) - position} are left, and there is no 'data' beside it."
        )
    end = position + size
    if datatype == TEXT_DATATYPE:
        return _binary_texts(tail[position:end], math.prod(shape)), end
    # Compared as integers without bound before any buffer is made.
    needed = math.prod(shape) * np.dtype(DATATYPES[datatype]).itemsize
    if size != needed:
        raise Malformed(
            f"Input {NUMBERS!r}: a tensor of {datatype} and shape {list(shape)} has {needed} bytes, not {size}."
        )
    return np.frombuffer(tail, dtype=DATATYPES[datatype], count=math.prod(shape), offset=position), end


def _numbers(flat: list[Any] | NDArray[np.float64], datatype: str) -> NDArray[Any]:
    if isinstance(flat, np.ndarray):
        with np.errstate(over="ignore"):
            return flat.astype(DATATYPES[datatype], copy=False)
    numbers = frozenset((int, float, type(None)) if datatype.startswith("FP") else (int,))
    if not numbers.issuperset(map(type, flat)):
        place = next(index for index, value in enumerate(flat) if type(value) not in numbers)
        raise Malformed(f"Input {NUMBERS!r}: element {place} is no {datatype}.")
    try:
        with np.errstate(over="ignore"):
            return np.array(flat, dtype=DATATYPES[datatype])
    except OverflowError as error:
        raise Malformed(f"Input {NUMBERS!r}: an element is too large for {datatype}.") from error


def _texts(flat: list[Any]) -> NDArray[Any]:
    for place, value in enumerate(flat):
        if value is not None and type(value) is not str:
            raise Malformed(f"Input {TEXTS!r}: element {place} is no text.")
    texts = np.empty(len(flat), dtype=object)
    texts[:] = [value or "" for value in flat]
    return texts


def _binary_texts(content: bytes, count: int) -> NDArray[Any]:
    found: list[str] = []
    position = 0
    while position < len(content) and len(found) < count:
        length = int.from_bytes(content[position : position + 4], "little")
        end = position + 4 + length
        if position + 4 > len(content) or end > len(content):
            raise Malformed(f"Input {TEXTS!r}: text {len(found)} is cut off.")
        try:
            found.append(content[position + 4 : end].decode())
        except UnicodeDecodeError as error:
            raise Malformed(f"Input {TEXTS!r}: text {len(found)} is not UTF-8.") from error
        position = end
    if len(found) != count or position != len(content):
        raise Malformed(f"Input {TEXTS!r}: the shape has {count} elements, the bytes hold another number of texts.")
    texts = np.empty(count, dtype=object)
    texts[:] = found
    return texts


def _flat(tensor: dict[str, Any], shape: tuple[int, int]) -> list[Any] | NDArray[np.float64]:
    data, name = tensor.get("data"), tensor["name"]
    if not isinstance(data, list | np.ndarray):
        raise Malformed(f"Input {name!r}: 'data' must be a list.")
    if type(data) is list and data and type(data[0]) is list:
        if len(data) != shape[0] or not all(type(row) is list and len(row) == shape[1] for row in data):
            raise Malformed(f"Input {name!r}: the nested data do not have the shape {list(shape)}.")
        return list(chain.from_iterable(data))
    if len(data) != math.prod(shape):
        raise Malformed(
            f"Input {name!r}: the shape {list(shape)} has {math.prod(shape)} elements, 'data' has {len(data)}."
        )
    return data


def _timeout_seconds(document: dict[str, Any]) -> float | None:
    timeout = _parameters(document).get("timeout")
    if timeout is None or timeout == 0:
        return None
    if type(timeout) is not int or timeout < 0:
        raise Malformed("'timeout' must be a number of microseconds.")
    return timeout / 1e6


def _wanted(document: dict[str, Any]) -> tuple[bool, int | None]:
    """Whether the output is wanted as raw bytes, and how many classes of it."""
    binary, classes = _parameters(document).get("binary_data_output", False), None
    outputs = document.get("outputs")
    if outputs is not None and (type(outputs) is not list or not all(type(tensor) is dict for tensor in outputs)):
        raise Malformed("'outputs' must be a list of tensors.")
    if len(outputs or ()) > 1:
        raise Malformed("An output is asked for twice.")
    for tensor in outputs or ():
        if tensor.get("name") != OUTPUT:
            raise Malformed(f"Unknown output; this model has one output, {OUTPUT!r}.")
        binary = _parameters(tensor).get("binary_data", binary)
        classes = _parameters(tensor).get("classification")
    if type(binary) is not bool:
        raise Malformed("'binary_data' and 'binary_data_output' must be true or false.")
    if classes is not None and (type(classes) is not int or classes < 1):
        raise Malformed("'classification' must be a number of classes.")
    return binary, classes
