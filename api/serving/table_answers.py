"""Answers of a native prediction by what the client accepts: JSON, CSV, Arrow IPC, Parquet or NPY."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from api.errors import Problem
from api.serving.sessions import ServedModel

JSON = "application/json"
LABEL = "label"
"""The column of a classification's labels in CSV, Arrow and Parquet."""


class NotAcceptable(Problem):
    """The client accepts no form that there is."""

    status, title = 406, "Not acceptable"


@dataclass(frozen=True)
class Predictions:
    """`outputs` [N, k] in label units; `labels`, of a classification only, one a row."""

    model: ServedModel
    outputs: NDArray[np.float64]
    labels: Sequence[float | str] | None


def level_text(level: float | str) -> str:
    """A class as people write it: a code that is a whole number without a point."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def answer_media_type(accept: str) -> str:
    """The form with the largest weight in an Accept header; of equal ones the first that the client names.

    Raises:
        NotAcceptable: there is none; names those that there are.
    """
    if accept in ("", "*/*", JSON):
        return JSON
    best, best_weight = None, 0.0
    for part in accept.lower().split(","):
        pieces = [piece.strip() for piece in part.split(";")]
        weight = _weight(pieces[1:])
        found = _form(pieces[0])
        if found is not None and weight > best_weight:
            best, best_weight = found, weight
    if best is None:
        raise NotAcceptable(f"A prediction is answered as {', '.join(ENCODERS)}.")
    return best


def _form(wanted: str) -> str | None:
    if wanted in ("*/*", "application/*"):
        return JSON
    return "text/csv" if wanted == "text/*" else wanted if wanted in ENCODERS else None


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter.removeprefix("q="))
            except ValueError:
                return 0.0
    return 1.0


def _json(found: Predictions) -> bytes:
    document: dict[str, Any] = {
        "predictions": found.outputs,
        "outputs": found.model.output_names,
        "model": {"name": found.model.name, "version": found.model.version},
    }
    if found.labels is not None:
        document["labels"] = found.labels
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _csv(found: Predictions) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names, rows = list(found.model.output_names), found.outputs.tolist()
    if found.labels is not None:
        names.append(LABEL)
        rows = [[*row, level_text(label)] for row, label in zip(rows, found.labels, strict=True)]
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()


def _table(found: Predictions) -> pa.Table:
    columns = [pa.array(column) for column in np.ascontiguousarray(found.outputs.T)]
    names = list(found.model.output_names)
    if found.labels is not None:
        columns.append(pa.array(found.labels))
        names.append(LABEL)
    table = pa.Table.from_arrays(columns, names=names)
    return table.replace_schema_metadata({"model_name": found.model.name, "model_version": str(found.model.version)})


def _arrow_stream(found: Predictions) -> bytes:
    return _arrow(found, pa.ipc.new_stream)


def _arrow_file(found: Predictions) -> bytes:
    return _arrow(found, pa.ipc.new_file)


def _arrow(found: Predictions, writer_of: Callable[..., Any]) -> bytes:
    table, sink = _table(found), pa.BufferOutputStream()
    with writer_of(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _parquet(found: Predictions) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(_table(found), sink)
    return bytes(sink.getvalue())


def _npy(found: Predictions) -> bytes:
    file = io.BytesIO()
    np.save(file, found.outputs)
    return file.getvalue()


ENCODERS: dict[str, Callable[[Predictions], bytes]] = {
    JSON: _json,
    "text/csv": _csv,
    "application/vnd.apache.arrow.stream": _arrow_stream,
    "application/vnd.apache.arrow.file": _arrow_file,
    "application/vnd.apache.parquet": _parquet,
    "application/x-npy": _npy,
}
"""The form of each media type."""
