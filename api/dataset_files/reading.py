"""Reads uploads in processes of their own, so many at a time, each with limits on memory and time."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import structlog

import api
from api.dataset_files.canonical import TableDescription
from api.dataset_files.caps import Caps, ReadingLimits
from api.dataset_files.options import CsvOptions
from api.dataset_files.refusals import FileRefused, refuse_file, too_large

logger = structlog.get_logger(__name__)

_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")


class ReadersBusy(Exception):
    """As many files as allowed are being read, and none was done in time."""


class FileReaders:
    """`spare`: keep one process started and its libraries imported, which saves half a second of each upload."""

    def __init__(self, limits: ReadingLimits, *, spare: bool) -> None:
        self.limits = limits
        self._keeps_spare = spare
        self._slots = threading.BoundedSemaphore(limits.parallel)
        self._lock = threading.Lock()
        self._spare: subprocess.Popen[bytes] | None = None
        self._closed = False

    def warm(self) -> None:
        """Start the spare process, if one is kept and none is there."""
        with self._lock:
            if self._keeps_spare and self._spare is None and not self._closed:
                self._spare = _started()

    def read(
        self, path: Path, file_format: str, destination: Path, caps: Caps, options: CsvOptions
    ) -> TableDescription:
        """See `canonicalise`. Blocks: never call it on an event loop.

        Raises:
            FileRefused: by the file, or by the limits on memory and time.
            ReadersBusy: no process could be started in time.
        OSError: there is no space left for the table.
        """
        task = {
            "path": str(path),
            "format": file_format,
            "destination": str(destination),
            "caps": asdict(caps),
            "options": asdict(options),
            "memory_bytes": self.limits.memory_bytes,
            "seconds": self.limits.seconds,
        }
        with self._slot(), self._process() as process:
            try:
                answer, _ = process.communicate(json.dumps(task).encode() + b"\n", timeout=self.limits.seconds)
            except subprocess.TimeoutExpired:
                too_large(f"The file takes more than {self.limits.seconds:g} seconds to read, the most allowed.")
        return self._understood(answer, process.returncode, file_format)

    def _understood(self, answer: bytes, exit_code: int, file_format: str) -> TableDescription:
        try:
            document = json.loads(answer)
        except ValueError:
            document = {"died_of": exit_code}
        if "described" in document:
            return TableDescription(**document["described"])
        if "refused" in document:
            raise FileRefused(**document["refused"])
        logger.warning("reading_process_died", format=file_format, died_of=document["died_of"])
        if document["died_of"] == "storage":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if document["died_of"] == -signal.SIGXCPU:
            too_large(f"The file takes more than {self.limits.seconds:g} seconds to read, the most allowed.")
        if document["died_of"] in ("memory", -signal.SIGABRT, -signal.SIGKILL):
            # A library that cannot allocate may abort instead of saying so.
            too_large(f"The file needs more than {self.limits.memory_bytes} bytes of memory to read, the most allowed.")
        return refuse_file(f"The file cannot be read as {file_format}.")

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self.limits.wait_seconds):
            raise ReadersBusy
        try:
            yield
        finally:
            self._slots.release()

    @contextlib.contextmanager
    def _process(self) -> Iterator["subprocess.Popen[bytes]"]:
        with self._lock:
            process, self._spare = self._spare, None
        if process is None or process.poll() is not None:
            process = _started()
        self.warm()
        try:
            yield process
        finally:
            _end(process)

    def close(self) -> None:
        """End the spare; a process that reads ends with its upload."""
        with self._lock:
            self._closed = True
            spare, self._spare = self._spare, None
        if spare is not None:
            _end(spare)


def _started() -> "subprocess.Popen[bytes]":
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    root = str(Path(api.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "api.dataset_files.reading_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**kept, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"},
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
