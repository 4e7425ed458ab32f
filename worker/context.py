"""The surroundings of an experiment inside its own process: the RunContext of models."""

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from models.artefacts import StoredModel, load
from models.errors import InvalidData
from models.run_context import Part
from models.tables import Table
from worker.parts import KeptParts, PartsOfShards, RoundAsked, ShardDone, parts_of_shard, shard_count, write_parts
from worker.protocol import RESERVED, SHARD, Assignment, write_whole

REPORT_SECONDS = 0.1


class ProcessContext:
    """Reports through `send`, reads what the assignment names, writes into the attempt's directory only."""

    def __init__(
        self,
        assignment: Assignment,
        device: str,
        send: Callable[[dict[str, Any]], None],
        stop: threading.Event,
        shard_seconds: float = math.inf,
    ) -> None:
        self.device = device
        self._shard_seconds = shard_seconds
        self._assignment = assignment
        self._send = send
        self._stop = stop
        self._phase = ""
        self._next_report = 0.0

    def progress(self, phase: str, step: int, total: int) -> None:
        """Report at most ten times a second; a new phase and its last step always."""
        now = time.monotonic()
        if now < self._next_report and phase == self._phase and step < total:
            return
        self._phase = phase
        self._next_report = now + REPORT_SECONDS
        self._send({"type": "progress", "phase": phase, "step": step, "total": total})

    def should_stop(self) -> bool:
        """Whether the worker asked for an end."""
        return self._stop.is_set()

    def table(self, dataset_id: str) -> Table:
        """The canonical Parquet of a dataset.

        Raises:
            InvalidData: the specification's own list of datasets does not name it.
        """
        path = self._assignment.datasets.get(dataset_id)
        if path is None:
            raise InvalidData(f"There is no dataset {dataset_id!r}.")
        return read_table(path)

    def learned_model(self, model_id: str) -> StoredModel:
        """The model, checked against its digest.

        Raises:
            InvalidData: the specification's own list of models does not name it.
        """
        files = self._assignment.learned_models.get(model_id)
        if files is None:
            raise InvalidData(f"There is no learned model {model_id!r}.")
        return load(files.manifest, files.weights.read_bytes())

    def parts(self, name: str, count: int, compute: Callable[[int], Part], seconds: float) -> Sequence[Part]:
        """What shards left, or what this process computes; a shard computes its share and nothing after it.

        Raises:
            ShardDone: this process is a shard's and its share is written.
            RoundAsked: the work is worth being shared.
        """
        files = self._assignment.rounds.get(name)
        if files is not None:
            return PartsOfShards(files, count)
        place, directory = self._assignment.shard, self._assignment.directory
        if place is not None and place.name == name:
            share = parts_of_shard(place.index, place.count, count)
            write_parts(directory / SHARD, {index: compute(index) for index in share})
            raise ShardDone
        shards = shard_count(count, seconds, self._shard_seconds)
        if place is None and shards > 1:
            raise RoundAsked(name, shards)
        return KeptParts(directory, name, count, compute)

    def save(self, path: str, content: bytes) -> None:
        """Keep a file of this attempt.

        Raises:
            ValueError: the path leaves the attempt's directory or takes a name of the protocol.
        """
        write_whole(self._inside(path), content)

    def _inside(self, path: str) -> Path:
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts or str(relative) in RESERVED:
            raise ValueError(f"a file must stay in its attempt's directory: {path!r}")
        target = self._assignment.directory / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(self._assignment.directory.resolve()):
            raise ValueError(f"a file must stay in its attempt's directory: {path!r}")
        return target


def read_table(path: Path) -> Table:
    """A Parquet file: numbers and booleans become float64 with NaN for null, everything else text with None."""
    stored = pq.read_table(path, use_threads=False)
    numbers: dict[str, torch.Tensor] = {}
    texts: dict[str, list[str | None]] = {}
    for name, column in zip(stored.column_names, stored.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            numbers[name] = torch.from_numpy(_float64(column, kind))
        elif pa.types.is_decimal(kind):
            numbers[name] = torch.from_numpy(_float64(column.cast(pa.float64()), pa.float64()))
        else:
            texts[name] = column.cast(pa.string()).to_pylist()
    return Table(tuple(stored.column_names), numbers, texts, stored.num_rows)


def _float64(column: pa.ChunkedArray, kind: pa.DataType) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(kind)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    # Unsafe: integers beyond 2^53 are rounded, as any float64 table would.
    return np.array(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def json_with_infinities(value: Any) -> bytes:
    """JSON in which a non-finite number is the string "inf", "-inf" or "nan": null would say that nothing is there."""
    return json.dumps(_spelled(value), allow_nan=False, separators=(",", ":")).encode()


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
