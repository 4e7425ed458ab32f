"""Files of jobs, models and datasets under one directory; rows hold a URI, a digest and a size."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SCHEME = "artefact:"

_STORAGE_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
# What libraries say that write files with code of their own.
_STORAGE_FULL_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large")


def storage_is_full(error: BaseException) -> bool:
    """Whether a file could not be written because the disk, a quota or a limit of the process is reached."""
    if isinstance(error, OSError) and error.errno in _STORAGE_FULL:
        return True
    return any(text in str(error) for text in _STORAGE_FULL_TEXTS)


@dataclass(frozen=True)
class StoredFile:
    """A file as a row remembers it."""

    uri: str
    sha256: str
    size_bytes: int


class ArtefactStore:
    """A directory that api and workers share (a mounted volume where they run on several machines)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, uri: str) -> Path:
        """Where the file of this URI is.

        Raises:
            ValueError: the URI is not of this store or leaves its directory.
        """
        if not uri.startswith(SCHEME):
            raise ValueError(f"not an artefact URI: {uri!r}")
        relative = PurePosixPath(uri.removeprefix(SCHEME))
        if relative.is_absolute() or ".." in relative.parts:
            raise ValueError(f"an artefact URI must stay in the store: {uri!r}")
        return self.root / relative

    def attempt_directory(self, job_id: str, attempt: int) -> Path:
        """Where an attempt writes. Nothing in it counts until a row points at it."""
        return self.root / "jobs" / job_id / str(attempt)

    def checkpoint(self, job_id: str) -> Path:
        """Where a job keeps the state from which another attempt can go on."""
        return self.root / "checkpoints" / f"{job_id}.safetensors"

    def describe(self, path: Path) -> StoredFile:
        """Digest and size of a file inside the store."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return StoredFile(SCHEME + path.relative_to(self.root).as_posix(), digest, path.stat().st_size)

    def adopt(self, source: Path, relative: str) -> StoredFile:
        """Move a finished file into the store under `relative`; it appears whole or not at all."""
        destination = self.path(SCHEME + relative)
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, destination)
        return self.describe(destination)

    def staging_directory(self) -> Path:
        """For files on their way in; on the same file system, so that `adopt` is a rename."""
        staging = self.root / "staging"
        staging.mkdir(parents=True, exist_ok=True)
        return staging

    def remove(self, uri: str) -> None:
        """Delete a file if it is there."""
        self.path(uri).unlink(missing_ok=True)

    def remove_attempt(self, job_id: str, attempt: int) -> None:
        """Delete everything an attempt wrote."""
        shutil.rmtree(self.attempt_directory(job_id, attempt), ignore_errors=True)

    def remove_checkpoint(self, job_id: str) -> None:
        """Delete it, and what an attempt that was killed while writing it left."""
        for path in self.root.glob(f"checkpoints/{job_id}.*"):
            path.unlink(missing_ok=True)

    def remove_jobs(self, job_ids: Iterable[str]) -> None:
        """Delete everything that these jobs wrote."""
        for job_id in job_ids:
            shutil.rmtree(self.root / "jobs" / job_id, ignore_errors=True)
