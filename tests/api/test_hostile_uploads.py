"""Small files that would become large ones, files that lie, and decoders that crash: each a refusal, none a crash."""

import io
import os
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from uploaded_files import canonical

from api.dataset_files import reading
from api.dataset_files.caps import Caps, ReadingLimits
from api.dataset_files.options import CsvOptions
from api.dataset_files.reading import FileReaders, ReadersBusy
from api.dataset_files.refusals import FileRefused

CAPS = Caps(rows=10**6, columns=100, cells=10**7, decoded_bytes=2**27, levels=1000)
LIMITS = ReadingLimits(seconds=60, memory_bytes=2**29, parallel=2, wait_seconds=0.2)


def parquet(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def arrow(table: pa.Table, compression: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def repeated(text: str, rows: int) -> pa.Table:
    """One long text, named by every row."""
    return pa.table({"t": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))})


def many_nulls() -> bytes:
    """As many rows as a batch can have; the column of nulls has no buffer."""
    batch = pa.record_batch([pa.Array.from_buffers(pa.null(), 2**31 - 1, [None])], names=["n"])
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, batch.schema) as writer:
        writer.write_batch(batch)
    return buffer.getvalue()


def nested(levels: int) -> pa.Table:
    kind = pa.int8()
    for _ in range(levels):
        kind = pa.list_(kind)
    return pa.table({"deep": pa.array([None], kind)})


def lying_length() -> bytes:
    """A compressed buffer that claims to become a terabyte."""
    content = arrow(pa.table({"a": np.arange(10_000.0)}), "zstd")
    prefix = struct.pack("<q", 80_000)
    assert content.count(prefix) >= 1
    return content.replace(prefix, struct.pack("<q", 2**40), 1)


def zipped_zeros(shape: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.zeros(shape, np.int8), y=np.zeros(shape[0], np.int8))
    return buffer.getvalue()


def understated_member() -> bytes:
    """An archive whose directory says that a member has 100 bytes, where its stream holds a hundred thousand."""
    content = bytearray(zipped_zeros((1000, 100)))
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        size = archive.getinfo("x.npy").file_size
    return bytes(content).replace(struct.pack("<I", size), struct.pack("<I", 100))


BOMBS = {
    "parquet, one text of 1 MB named 10^5 times": (
        lambda: parquet(repeated("x" * 2**20, 10**5)),
        "parquet",
        str(2**27),
    ),
    "parquet, plain texts that repeat": (
        lambda: parquet(pa.table({"t": ["x" * 10**6] * 300}), use_dictionary=False, compression="zstd"),
        "parquet",
        str(2**27),
    ),
    "parquet, 10^7 zeros": (lambda: parquet(pa.table({"a": np.zeros(10**7)})), "parquet", str(10**6)),
    "arrow, one text of 1 MB named 10^5 times": (lambda: arrow(repeated("x" * 2**20, 10**5)), "arrow", str(2**27)),
    "arrow, two billion nulls in no bytes": (many_nulls, "arrow", str(10**6)),
    "npz, 9 10^7 zeros": (lambda: zipped_zeros((10**6, 90)), "npz", str(10**7)),
    "npz, columns": (lambda: zipped_zeros((10, 10**6)), "npz", "at most 100"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_is_refused_by_the_number_of_its_cap(tmp_path: Path, bomb: str) -> None:
    make, file_format, number = BOMBS[bomb]
    content = make()
    assert len(content) < 2 * 2**20
    before = psutil.Process().memory_info().rss
    with pytest.raises(FileRefused, match=number) as raised:
        canonical(tmp_path, content, file_format, CAPS)
    assert raised.value.status == 413
    assert psutil.Process().memory_info().rss - before < 2**28


@pytest.mark.parametrize(
    ("make", "file_format"),
    [
        (understated_member, "npz"),
        (lambda: parquet(pa.table({"a": np.zeros(10)}))[:-20] + b"\xff" * 16 + b"PAR1", "parquet"),
        (lambda: arrow(pa.table({"a": np.zeros(10)}))[:200], "arrow"),
    ],
)
def test_file_that_lies_about_itself_is_refused(tmp_path: Path, make: Callable[[], bytes], file_format: str) -> None:
    with pytest.raises(FileRefused) as raised:
        canonical(tmp_path, make(), file_format, CAPS)
    assert raised.value.status == 422


@pytest.mark.parametrize("file_format", ["parquet", "arrow"])
def test_text_with_nul_is_refused_by_its_column(tmp_path: Path, file_format: str) -> None:
    table = pa.table({"t": ["a\x00b"]})
    content = parquet(table) if file_format == "parquet" else arrow(table)
    with pytest.raises(FileRefused, match="'t'"):
        canonical(tmp_path, content, file_format, CAPS)


@pytest.fixture
def readers() -> Iterator[FileReaders]:
    readers = FileReaders(LIMITS, spare=False)
    yield readers
    readers.close()


def read(readers: FileReaders, folder: Path, content: bytes, file_format: str, caps: Caps = CAPS) -> Any:
    path = folder / "upload"
    path.write_bytes(content)
    return readers.read(path, file_format, folder / "out.parquet", caps, CsvOptions())


def test_reading_process_answers_as_the_reader_does(tmp_path: Path, readers: FileReaders) -> None:
    content = b"a,b\n1,x\ninf,\n"
    assert read(readers, tmp_path, content, "csv") == canonical(tmp_path, content, "csv", CAPS)[0]
    with pytest.raises(FileRefused, match="Line 2 has 1 cells"):
        read(readers, tmp_path, b"a,b\n1\n", "csv")


def test_file_that_needs_more_memory_than_the_limit_is_refused_by_its_number(
    tmp_path: Path, readers: FileReaders
) -> None:
    generous = Caps(rows=10**9, columns=100, cells=10**9, decoded_bytes=2**40, levels=1000)
    with pytest.raises(FileRefused, match=str(LIMITS.memory_bytes)) as raised:
        read(readers, tmp_path, parquet(repeated("x" * 2**20, 10**5)), "parquet", generous)
    assert raised.value.status == 413


@pytest.mark.parametrize(
    ("make", "file_format"),
    [
        (lying_length, "arrow"),
        (lambda: arrow(nested(60)), "arrow"),
        (lambda: b"[" * 10**6, "ndjson"),
        (lambda: b'{"a":' * 10**5, "ndjson"),
        (lambda: b"".join(b'{"k%d": 1}\n' % key for key in range(20_000)), "ndjson"),
    ],
)
def test_file_that_may_break_its_decoder_is_refused(
    tmp_path: Path, readers: FileReaders, make: Callable[[], bytes], file_format: str
) -> None:
    with pytest.raises(FileRefused):
        read(readers, tmp_path, make(), file_format)


def test_reading_that_takes_too_long_is_ended_and_refused(tmp_path: Path) -> None:
    readers = FileReaders(ReadingLimits(seconds=1.0, memory_bytes=2**29, parallel=1), spare=False)
    os.mkfifo(tmp_path / "endless")
    with pytest.raises(FileRefused, match="more than 1 seconds") as raised:
        readers.read(tmp_path / "endless", "csv", tmp_path / "out", CAPS, CsvOptions())
    assert raised.value.status == 413
    assert not [child for child in psutil.Process().children() if "reading_process" in " ".join(child.cmdline())]


@pytest.mark.parametrize(("ending", "status"), [("SIGSEGV", 422), ("SIGABRT", 413), ("SIGKILL", 413)])
def test_crash_of_the_decoder_fails_one_upload(
    tmp_path: Path, readers: FileReaders, monkeypatch: pytest.MonkeyPatch, ending: str, status: int
) -> None:
    code = f"import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.{ending})"

    def crashing() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    with monkeypatch.context() as patched:
        patched.setattr(reading, "_started", crashing)
        with pytest.raises(FileRefused) as raised:
            read(readers, tmp_path, b"a\nb\n", "csv")
    assert raised.value.status == status
    assert read(readers, tmp_path, b"a\nb\n", "csv").rows == 1


def test_more_files_than_are_read_at_once_are_told_to_come_back(tmp_path: Path, readers: FileReaders) -> None:
    with readers._slot(), readers._slot(), pytest.raises(ReadersBusy):
        read(readers, tmp_path, b"a\nb\n", "csv")


def test_spare_process_waits_knows_no_secret_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKSCOPE_ADMIN_KEY", "very secret")
    readers = FileReaders(LIMITS, spare=True)
    readers.warm()
    first = readers._spare
    assert first is not None
    assert "secret" not in "".join(psutil.Process(first.pid).environ().values())
    assert read(readers, tmp_path, b"a\nb\n", "csv").rows == 1
    assert first.returncode is not None
    second = readers._spare
    assert second is not None
    assert second.poll() is None
    readers.close()
    assert second.returncode == -signal.SIGKILL


def test_spare_process_ends_with_its_api() -> None:
    code = (
        "from api.dataset_files.reading import FileReaders; from api.dataset_files.caps import ReadingLimits\n"
        "import os, signal\n"
        "readers = FileReaders(ReadingLimits(60, 2**29, 1), spare=True); readers.warm()\n"
        "print(readers._spare.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    spare = int(process.stdout)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(spare) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(spare) or psutil.Process(spare).status() == psutil.STATUS_ZOMBIE
