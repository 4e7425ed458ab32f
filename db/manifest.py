"""What a backup says about itself: the schema, how many rows of what, and the digest of every file."""

import hashlib
import os
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

FILE = "manifest.json"


class BackupError(Exception):
    """A backup cannot be made or restored; the text says why, for the person at the terminal."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or path in ("", "."):
        raise ValueError("a file must be of the backup")
    return path


class FileDigest(BaseModel):
    """What a file must be."""

    sha256: str
    size_bytes: int


class Manifest(BaseModel):
    """`files`: by path in the backup. `missing`, `damaged`: URIs whose files were gone, or not as their rows say,
    before the backup began."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    version: str
    created_at: datetime
    database: Literal["sqlite", "postgresql"]
    schema_revision: str
    key_secret: Literal["file", "environment", "none"]
    rows: dict[str, int]
    files: dict[Annotated[str, AfterValidator(_inside)], FileDigest]
    missing: list[str] = Field(default=[])
    damaged: list[str] = Field(default=[])

    def write(self, directory: Path) -> None:
        """Into the backup's directory, whole or not at all: a directory without a manifest is no backup."""
        draft = directory / f".{FILE}"
        draft.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        for path in (*(directory / name for name in self.files), draft):
            _flush(path)
        os.replace(draft, directory / FILE)


def _flush(path: Path) -> None:
    """To the disk, so that a manifest never outlives what it promises."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        BackupError: there is none, or not of a format that this version reads.
    """
    try:
        return Manifest.model_validate_json((directory / FILE).read_bytes())
    except OSError as error:
        raise BackupError(f"{directory} is no backup: {FILE} cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        places = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors()[:3])
        raise BackupError(f"{directory / FILE} is not a manifest that this version reads: {places}.") from error


def digest_of(path: Path) -> FileDigest:
    """Of a file as it is now."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileDigest(sha256=sha256, size_bytes=path.stat().st_size)


def verify(directory: Path, manifest: Manifest) -> None:
    """Every file is there and has its digest.

    Raises:
        BackupError: the first one that has not.
    """
    for path, wanted in manifest.files.items():
        try:
            found = digest_of(directory / path)
        except OSError as error:
            raise BackupError(f"The backup lacks {path}: {error.strerror}.") from error
        if found != wanted:
            raise BackupError(f"{path} of the backup is damaged: its digest is not the manifest's.")
