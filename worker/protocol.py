"""What a worker and the process of a job say to each other: lines of JSON, and one file for the assignment.

To the child, on its standard input:
    {"type": "run", "assignment": "<path of an Assignment>"}    {"type": "cancel"}    end of file: the worker is gone
From the child, on its standard output:
    {"type": "ready", "device"}    {"type": "started"}    {"type": "progress", "phase", "step", "total"}
    {"type": "done", "outcome": "succeeded" | "failed" | "stopped", "error", "reusable"}

A succeeded job has left RESULT in its directory, the JSON of models' ExperimentResult.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

ASSIGNMENT = "assignment.json"
RESULT = "result.json"
RESERVED = frozenset({ASSIGNMENT, RESULT})

WEIGHTS_ROLE = "weights"
"""Which of a learned model's files a job reads back: the safetensors."""


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


class ModelFiles(BaseModel):
    """A learned model as a job may read it."""

    model_config = ConfigDict(frozen=True)

    manifest: dict[str, Any]
    weights: Path


class Assignment(BaseModel):
    """One attempt at one job, with everything it needs from the store."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    attempt: int
    request_id: str | None
    spec: dict[str, Any]
    directory: Path
    datasets: dict[str, Path]
    learned_models: dict[str, ModelFiles]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears complete or not at all, and survives a loss of power."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
