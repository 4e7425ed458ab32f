"""No space for an upload: 503 with Retry-After, no dataset, no file; the same upload succeeds once there is space."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.dataset_files import reading
from api.dataset_files.caps import Caps, ReadingLimits
from api.dataset_files.options import CsvOptions
from db.artefact_store import ArtefactStore


def upload(client: Any) -> Any:
    return client.post("/v1/datasets", files={"file": ("t.csv", b"a,b\n1,2\n3,4\n", "text/csv")})


def test_upload_to_a_full_disk_leaves_nothing_and_may_be_sent_again(
    client: Any, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: ArtefactStore, source: Path, relative: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))

    with monkeypatch.context() as patched:
        patched.setattr(ArtefactStore, "adopt", full)
        refused = upload(client)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "60"
    assert "no space left" in refused.json()["detail"]
    assert str(services.store.root) not in refused.text
    assert client.get("/v1/datasets").json()["data"] == []
    assert [path for path in services.store.root.rglob("*") if path.is_file()] == []
    assert upload(client).status_code == 201


@pytest.fixture
def crowded_reader(monkeypatch: pytest.MonkeyPatch) -> reading.FileReaders:
    """Reads files in processes that may write files of 16 bytes."""
    start: Callable[[], Any] = reading._started

    def started() -> Any:
        resource = pytest.importorskip("resource")
        process = start()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (16, 16))
        return process

    monkeypatch.setattr(reading, "_started", started)
    limits = ReadingLimits(memory_bytes=2**30, seconds=20, parallel=1, wait_seconds=1)
    return reading.FileReaders(limits, spare=False)


def test_full_disk_is_not_taken_for_a_broken_file(crowded_reader: reading.FileReaders, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a,b\n1,2\n")
    caps = Caps(rows=10, columns=10, cells=100, decoded_bytes=2**20, levels=10)
    with pytest.raises(OSError, match="No space left"):
        crowded_reader.read(tmp_path / "in", "csv", tmp_path / "out.parquet", caps, CsvOptions())
