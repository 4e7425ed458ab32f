"""Open ONNX sessions of served models: a cache with a memory budget, one opening per model at a time."""

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions

from api.errors import Problem
from api.serving.inputs import NUMBERS, TEXTS, InputSchema, ModelRows, input_schema
from api.serving.statistics import ModelStatistics
from db.artefact_store import ArtefactStore
from db.tables import LearnedModel

OUTPUT = "outputs"
ELEMENT_TYPES: dict[str, type[np.floating[Any]]] = {"FP32": np.float32, "FP64": np.float64}

SLICE_ROWS = 512
"""Rows of one run: the activations of a larger batch leave the cache, and each run's memory stays bounded."""

FEW_ROWS = 32
QUICK_SECONDS = 0.002
MOST_QUICK_BYTES = 2**16
"""What may be computed on the event loop: a run of this long, of a body that is parsed as fast."""

SESSION_BYTES_PER_FILE_BYTE = 3
"""An open session holds the parsed graph, its initializers and packed copies of the matrices."""


class ServingFailure(Problem):
    """A stored file is gone, is not what its row says, or does not run."""

    status, title = 500, "The stored model cannot be served"


@dataclass(frozen=True)
class RunTimes:
    """Seconds of a run of one row and of a few, measured when the model was warmed."""

    one_row: float
    few_rows: float

    def of(self, rows: int) -> float:
        """About how long `rows` will take, by a straight line through the two."""
        return self.one_row + max(0.0, self.few_rows - self.one_row) * (rows - 1) / (FEW_ROWS - 1)


@dataclass(frozen=True)
class ServedModel:
    """A version that is open and warm. `certificate`: risk_upper_bound, loss_cap, confidence and sample_size, or None.

    `classes`: the levels of a classification's target in the order of the outputs, None otherwise.
    """

    id: str
    name: str
    version: int
    inputs: InputSchema
    output_names: tuple[str, ...]
    classes: tuple[float | str, ...] | None
    dtype: str
    certificate: dict[str, Any] | None
    estimated_bytes: int
    session: InferenceSession
    statistics: ModelStatistics
    times: RunTimes = RunTimes(0.0, 0.0)

    @cached_property
    def quick_bytes(self) -> int:
        """A body of at most this length is computed in less time than a hop to another thread may cost.

        Reckoned at eight bytes a value: text has more, and a FP32 tensor half of it.
        """
        width = max(1, len(self.inputs.columns))
        room = QUICK_SECONDS - self.times.one_row
        if room < 0:
            return 0
        rows = 1 + int(room / max(self.times.of(2) - self.times.one_row, 1e-9))
        return min(MOST_QUICK_BYTES, 8 * width * rows)

    def predict(self, rows: ModelRows, check: Callable[[], None] | None = None) -> NDArray[np.float64]:
        """Outputs [N, k] in label units. Runs in the caller's thread; many threads may call.

        `check` is called before every slice but the first, and may raise to end the run.
        """
        feeds: dict[str, NDArray[Any]] = {}
        if NUMBERS in self.inputs.tensors:
            feeds[NUMBERS] = np.ascontiguousarray(rows.numbers, dtype=ELEMENT_TYPES[self.dtype])
        if rows.texts is not None:
            feeds[TEXTS] = rows.texts
        if len(rows) <= SLICE_ROWS:
            (whole,) = self.session.run([OUTPUT], feeds)
            return np.asarray(whole, dtype=np.float64)
        outputs = np.empty((len(rows), len(self.output_names)))
        for start in range(0, len(rows), SLICE_ROWS):
            if check is not None and start:
                check()
            part = {name: tensor[start : start + SLICE_ROWS] for name, tensor in feeds.items()}
            (outputs[start : start + SLICE_ROWS],) = self.session.run([OUTPUT], part)
        return outputs

    def labels(self, outputs: NDArray[np.float64]) -> list[float | str] | None:
        """The class of each row: the largest output's, None where the model is no classification."""
        if self.classes is None:
            return None
        return [self.classes[place] for place in outputs.argmax(axis=1).tolist()]


def stored_file(model: LearnedModel, role: str) -> dict[str, Any]:
    """What the row says of a model's file: "graph" or "weights".

    Raises:
        ServingFailure: the row has no such file.
    """
    entry = model.files.get(role)
    if entry is None:
        raise ServingFailure(f"The {role} of model {model.name!r}, version {model.version}, is not stored.")
    return dict(entry)


class ModelSessions:
    """Sessions by model id; the least recently used go first when the budget is exceeded.

    A model larger than the whole budget is still served, alone. `open` reads files: never call it on an event loop.
    """

    def __init__(self, store: ArtefactStore, max_bytes: int) -> None:
        self.store = store
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._open: OrderedDict[str, ServedModel] = OrderedDict()
        self._opening: dict[str, Future[ServedModel]] = {}
        self._statistics: dict[str, ModelStatistics] = {}

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, model_id: str) -> ServedModel | None:
        """The session of a model if it is open now; the model counts as used."""
        with self._lock:
            served = self._open.get(model_id)
            if served is not None:
                self._open.move_to_end(model_id)
            return served

    def is_open(self, model_id: str) -> bool:
        """Whether a model is open and warm; it does not count as used."""
        return model_id in self._open

    def is_known(self, model_id: str) -> bool:
        """Whether a model has been opened since the process began."""
        return model_id in self._statistics

    def statistics(self, model_id: str) -> ModelStatistics:
        """What a model did in this process, since the process began: closing a session loses nothing."""
        with self._lock:
            return self._statistics.setdefault(model_id, ModelStatistics())

    def open(self, model: LearnedModel) -> ServedModel:
        """The session of `model`, opened and warmed if need be; callers that meet an opening wait for it.

        Raises:
            ServingFailure: the file is missing, does not match its digest, or is no graph of this manifest.
        """
        served = self.opened(model.id)
        if served is not None:
            return served
        with self._lock:
            # It may have been opened between the two locks.
            if model.id in self._open:
                return self._open[model.id]
            pending = self._opening.get(model.id)
            if pending is None:
                mine = self._opening[model.id] = Future()
        if pending is not None:
            return pending.result()
        try:
            served = self._load(model)
        except BaseException as error:
            with self._lock:
                del self._opening[model.id]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._opening[model.id]
            self._open[model.id] = served
            self._shrink()
        mine.set_result(served)
        return served

    def forget(self, model_id: str) -> None:
        """Drop the session of a deleted model and its statistics; requests that hold it finish."""
        with self._lock:
            self._open.pop(model_id, None)
            self._statistics.pop(model_id, None)

    def close(self) -> None:
        """Drop every session."""
        with self._lock:
            self._open.clear()

    def _shrink(self) -> None:
        total = sum(served.estimated_bytes for served in self._open.values())
        while total > self.max_bytes and len(self._open) > 1:
            _, dropped = self._open.popitem(last=False)
            total -= dropped.estimated_bytes

    def _load(self, model: LearnedModel) -> ServedModel:
        what = f"model {model.name!r}, version {model.version}"
        entry = stored_file(model, "graph")
        try:
            # Read once and opened from memory: what was verified is what runs.
            graph = self.store.path(entry["uri"]).read_bytes()
        except (OSError, ValueError) as error:
            raise ServingFailure(f"The graph of {what} cannot be read.") from error
        if hashlib.sha256(graph).hexdigest() != entry["sha256"]:
            raise ServingFailure(f"The stored graph of {what} does not match its digest.")
        try:
            return _warmed(
                ServedModel(
                    id=model.id,
                    name=model.name,
                    version=model.version,
                    inputs=input_schema(model.manifest),
                    output_names=tuple(model.manifest["output_names"]),
                    classes=_classes(model.manifest),
                    dtype=model.manifest["dtype"],
                    certificate=model.manifest.get("certificate"),
                    estimated_bytes=len(graph) * SESSION_BYTES_PER_FILE_BYTE,
                    session=_session(graph),
                    statistics=self.statistics(model.id),
                )
            )
        except Exception as error:
            raise ServingFailure(f"The stored graph of {what} does not run.") from error


def _warmed(model: ServedModel) -> ServedModel:
    """The model after runs of one row, of a few and of a whole slice, the shapes that requests have.

    The first run allocates; it shows as well whether the graph has the manifest's shape.
    """
    seconds: dict[int, float] = {}
    for rows, runs in ((1, 5), (FEW_ROWS, 5), (SLICE_ROWS, 1)):
        texts = np.full((rows, len(model.inputs.texts)), "", dtype=object) if model.inputs.texts else None
        inputs = ModelRows(np.zeros((rows, len(model.inputs.numbers))), texts)
        for _ in range(runs):
            started = time.perf_counter()
            outputs = model.predict(inputs)
            # The least: whatever else the machine does only adds.
            seconds[rows] = min(seconds.get(rows, math.inf), time.perf_counter() - started)
        if outputs.shape != (rows, len(model.output_names)):
            raise ValueError("the graph has other outputs than its manifest")
    return replace(model, times=RunTimes(seconds[1], seconds[FEW_ROWS]))


def _classes(manifest: dict[str, Any]) -> tuple[float | str, ...] | None:
    classes = manifest.get("classes")
    return None if classes is None else tuple(classes["levels"])


def _session(graph: bytes) -> InferenceSession:
    options = SessionOptions()
    # Requests are the parallelism; threads inside a run would fight over the same cores.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return InferenceSession(graph, options, providers=["CPUExecutionProvider"])
