"""The surroundings of an experiment inside its own process: the RunContext of models."""

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from models.artefacts import StoredModel, load
from models.checkpoints import NO_CHECKPOINTS, Checkpoints
from models.errors import InvalidData
from models.run_context import Columns, Part
from models.tables import Table
from worker.checkpoints import CheckpointFile
from worker.graphs import OnnxGraphFile
from worker.parts import KeptParts, PartsOfShards, RoundAsked, ShardDone, parts_of_shard, shard_count, write_parts
from worker.protocol import RESERVED, SHARD, Assignment, write_whole
from worker.table_files import StoredPieces, TableFile, read_table

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
        checkpoints: CheckpointFile | None = None,
    ) -> None:
        self.device = device
        self.checkpoints: Checkpoints = checkpoints or NO_CHECKPOINTS
        self._file = checkpoints
        self._shard_seconds = shard_seconds
        self._assignment = assignment
        self._send = send
        self._stop = stop
        self._phase = ""
        self._next_report = 0.0

    def progress(self, phase: str, step: int, total: int, empirical_risk: float | None = None) -> None:
        """Report at most ten times a second; a new phase and its last step always."""
        if self._file is not None and self._file.take_resumed():
            # The first report since then says where that is.
            self._send({"type": "resumed", "phase": phase, "step": step, "total": total})
        now = time.monotonic()
        if now < self._next_report and phase == self._phase and step < total:
            return
        self._phase = phase
        self._next_report = now + REPORT_SECONDS
        known = {} if empirical_risk is None else {"empirical_risk": empirical_risk}
        self._send({"type": "progress", "phase": phase, "step": step, "total": total, **known})

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

    def table_pieces(self, dataset_id: str, columns: Sequence[str], rows: int) -> StoredPieces:
        """Some columns of the canonical Parquet, a few rows at a time.

        Raises:
            InvalidData: the specification's own list of datasets does not name it, or a column is not there.
        """
        path = self._assignment.datasets.get(dataset_id)
        if path is None:
            raise InvalidData(f"There is no dataset {dataset_id!r}.", "/dataset_id")
        return StoredPieces(path, columns, rows)

    def served_graph(self, model_id: str) -> OnnxGraphFile:
        """The model's ONNX file, checked against its digest.

        Raises:
            InvalidData: the specification's own list of models does not name it, or the file is not what was stored.
        """
        files = self._assignment.learned_models.get(model_id)
        if files is None or files.graph is None:
            raise InvalidData(f"There is no learned model {model_id!r} with a graph.", "/model_id")
        return OnnxGraphFile(files.manifest, files.graph.read_bytes())

    @contextmanager
    def table_writer(self, path: str) -> Iterator[Callable[[Columns], None]]:
        """A Parquet file of this attempt; it has its name once it is whole. Raises ValueError as `save` does."""
        target = self._inside(path)
        partial = target.with_name(target.name + ".partial")
        with TableFile(partial) as file:
            yield file.write
        os.replace(partial, target)

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
