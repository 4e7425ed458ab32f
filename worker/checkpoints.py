"""The state of a long fit in one file of its job, from which the next attempt goes on."""

import contextlib
import functools
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import structlog
import torch
from safetensors import SafetensorError, safe_open

import models
from models.checkpoints import State

logger = structlog.get_logger(__name__)

FORMAT = 1

LARGEST_SHARE = 0.01
"""Of the time that checkpoints may take, however large they are and however slow the disk."""


@functools.cache
def code_digest() -> str:
    """sha256 (hex) of everything in `models` that computes: its sources and compiled kernels."""
    root = Path(models.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for suffix in ("py", "so") for path in root.rglob(f"*.{suffix}")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def identity(spec: dict[str, Any], device: str) -> dict[str, Any]:
    """Who may go on from a state: the same specification, the same code, arithmetic that rounds in the same way."""
    canonical = json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()
    return {
        "format": FORMAT,
        "specification": hashlib.sha256(canonical).hexdigest(),
        "code": code_digest(),
        "torch": str(torch.__version__),
        "device": torch.device(device).type,
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
    }


class CheckpointFile:
    """Checkpoints of models: one file, written every `seconds` and when the job is about to be handed back.

    Nothing that happens to the file fails the run: it is a line in the log.
    """

    def __init__(
        self, path: Path, attempt: int, written_by: dict[str, Any], seconds: float, handing_back: Callable[[], bool]
    ) -> None:
        """`written_by`: see `identity`. `handing_back`: whether the next state is the last one of this attempt."""
        self._resumed = False
        self._path = path
        # Another attempt may not have been killed yet.
        self._partial = path.with_name(f"{path.name}.{attempt}.partial")
        self._written_by = written_by
        self._seconds = seconds
        self._handing_back = handing_back
        self._kept_last = False
        self._next: float | None = None

    def resumed(self) -> State | None:
        """What the file holds, or None: there is none, it is damaged, or another program or machine wrote it."""
        try:
            state = self._read()
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            logger.warning("checkpoint_ignored", reason=str(error))
            return None
        self._resumed = True
        return state

    def take_resumed(self) -> bool:
        """Whether the run went on from the file; true once."""
        resumed, self._resumed = self._resumed, False
        return resumed

    def _read(self) -> State:
        with safe_open(self._path, framework="pt") as file:
            description = json.loads(file.metadata()["riskscope"])
            differing = sorted(name for name, value in self._written_by.items() if description.get(name) != value)
            if differing:
                raise ValueError(f"another {differing[0]} wrote it")
            # Copies: what lies in the file's mapping would change with the file.
            state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if description["sha256"] != _digest(state):
            raise ValueError("its digest does not match")
        return state

    def offer(self, state: Callable[[], State]) -> None:
        """Write where it is time to."""
        started, last = time.monotonic(), self._handing_back()
        if self._next is None:
            # Before the first step there is nothing worth keeping.
            self._next = started + self._seconds
        if started < self._next and (self._kept_last or not last):
            return
        try:
            self._write(state())
        except (OSError, SafetensorError, MemoryError, RuntimeError) as error:
            logger.warning("checkpoint_not_written", reason=str(error))
            with contextlib.suppress(OSError):
                self._partial.unlink(missing_ok=True)
        else:
            self._kept_last = last
        took = time.monotonic() - started
        self._next = time.monotonic() + max(self._seconds, took / LARGEST_SHARE)

    def _write(self, state: State) -> None:
        tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        description = json.dumps({**self._written_by, "sha256": _digest(tensors)})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file(tensors, self._partial, {"riskscope": description})
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(self._partial, self._path)


def _digest(state: State) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\0".encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
