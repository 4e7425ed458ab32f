"""What a worker and the process of a job say to each other: lines of JSON, and one file for the assignment.

To the child, on its standard input:
    {"type": "run", "assignment": "<path of an Assignment>"}    end of file: the worker is gone
    {"type": "cancel"}    {"type": "hand_back"}: stop, and keep a checkpoint for whoever goes on
From the child, on its standard output:
    {"type": "ready", "device"}    {"type": "started"}    {"type": "progress", "phase", "step", "total"}, and
    "empirical_risk" where a training knows it
    {"type": "resumed", "phase", "step", "total"}: it goes on from a checkpoint, from there
    {"type": "done", "outcome": "succeeded" | "failed" | "stopped" | "round", "error", "round", "reusable"}

A succeeded job has left RESULT in its directory, the JSON of models' ExperimentResult; a succeeded shard SHARD. The
outcome "round" asks for a round of shards, {"name", "shards"}, and to be run again once all their files are there.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

ASSIGNMENT = "assignment.json"
RESULT = "result.json"
SHARD = "shard.safetensors"
RESERVED = frozenset({ASSIGNMENT, RESULT, SHARD})

WEIGHTS_ROLE = "weights"
GRAPH_ROLE = "graph"
"""Which of a learned model's files a job reads back: the safetensors, and the ONNX graph that is served."""


class ChildOptions(BaseModel):
    """How to be a child; the one argument of its command line. `ordinal` spreads children over accelerators."""

    model_config = ConfigDict(frozen=True)

    device: str
    ordinal: int
    threads: int
    memory_bytes: int | None
    jobs: int
    log_level: str
    log_format: str
    shard_seconds: float
    checkpoint_seconds: float


class ModelFiles(BaseModel):
    """A learned model as a job may read it."""

    model_config = ConfigDict(frozen=True)

    manifest: dict[str, Any]
    weights: Path
    graph: Path | None = None


class ShardPlace(BaseModel):
    """Which share of a round a shard computes: number `index` of `count`."""

    model_config = ConfigDict(frozen=True)

    name: str
    index: int
    count: int


class Assignment(BaseModel):
    """One attempt at one job or shard, with everything it needs from the store.

    `of_job`: the job whose shard this is, or None. `rounds`: the files that the shards of finished rounds left, in
    order. `checkpoint`: the job's file for the state of a long fit, whether or not it is there; None for a shard, which
    is short.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    attempt: int
    request_id: str | None
    spec: dict[str, Any]
    directory: Path
    datasets: dict[str, Path]
    learned_models: dict[str, ModelFiles]
    shard: ShardPlace | None = None
    of_job: str | None = None
    rounds: dict[str, list[Path]] = {}
    checkpoint: Path | None = None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears complete or not at all, and survives a loss of power."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
