"""The process of a job, driven through its pipes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from worker.children import import_path
from worker.protocol import RESULT, Assignment, ChildOptions


@pytest.fixture
def child(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A child; parametrised indirectly, with that many bytes of memory, or with other options."""
    param = getattr(request, "param", None)
    changed = param if isinstance(param, dict) else {"memory_bytes": param}
    options = ChildOptions(
        device="cpu",
        ordinal=0,
        threads=1,
        memory_bytes=None,
        jobs=1,
        log_level="CRITICAL",
        log_format="json",
        shard_seconds=5.0,
        checkpoint_seconds=10.0,
    ).model_copy(update=changed)
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.child", options.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": import_path()},
    )
    with process:
        yield process
        process.kill()


def say(child: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert child.stdin is not None
    child.stdin.write(json.dumps(message).encode() + b"\n")
    child.stdin.flush()


def hear(child: subprocess.Popen[bytes], kind: str) -> dict[str, Any]:
    assert child.stdout is not None
    for line in child.stdout:
        message: dict[str, Any] = json.loads(line)
        if message["type"] == kind:
            return message
    raise AssertionError(f"it ended without saying {kind!r}")


def assign(
    child: subprocess.Popen[bytes],
    spec: dict[str, Any],
    directory: Path,
    job_id: str = "job_1",
    of_job: str | None = None,
) -> None:
    assignment = Assignment(
        job_id=job_id,
        attempt=1,
        request_id=None,
        spec=spec,
        directory=directory,
        datasets={},
        learned_models={},
        of_job=of_job,
    )
    path = directory / "assignment.json"
    path.write_text(assignment.model_dump_json())
    say(child, {"type": "run", "assignment": str(path)})


def test_stdin_end_of_file_ends_the_child(child: subprocess.Popen[bytes], tmp_path: Path, long: dict[str, Any]) -> None:
    assign(child, long, tmp_path)
    hear(child, "progress")
    assert child.stdin is not None
    child.stdin.close()
    child.wait(timeout=3)
    assert not psutil.pid_exists(child.pid)
    assert not (tmp_path / RESULT).exists()


def test_cancel_stops_the_run(child: subprocess.Popen[bytes], tmp_path: Path, long: dict[str, Any]) -> None:
    assign(child, long, tmp_path)
    hear(child, "progress")
    say(child, {"type": "cancel"})
    assert hear(child, "done") == {"type": "done", "outcome": "stopped", "error": None, "reusable": False}
    assert child.wait(timeout=3) == 0


def test_result_is_whole_when_done_is_said(
    child: subprocess.Popen[bytes], tmp_path: Path, short: dict[str, Any]
) -> None:
    assert hear(child, "ready")["device"] == "cpu"
    assign(child, short, tmp_path)
    assert hear(child, "done")["outcome"] == "succeeded"
    result = json.loads((tmp_path / RESULT).read_text())
    (model,) = result["learned_models"]
    assert all((tmp_path / path).is_file() for path in model["files"].values())


@pytest.mark.parametrize("child", [2**30], indirect=True)
def test_job_above_its_memory_says_so(child: subprocess.Popen[bytes], tmp_path: Path, short: dict[str, Any]) -> None:
    space = {"kind": "random_features", "width": 20_000}
    assign(child, short | {"hypothesis_space": space, "sample_size": 20_000}, tmp_path)
    done = hear(child, "done")
    assert done["outcome"] == "failed"
    assert done["error"]["code"] == "out_of_memory"


def test_memory_of_who_started_a_process_is_not_its_own() -> None:
    code = "from worker.child import memory_in_use; print(memory_in_use())"
    large = f"import os, subprocess, sys; b = bytearray(2**30); b[::4096] = bytes(2**18); os.execv({sys.executable!r}, "
    environment = os.environ | {"PYTHONPATH": import_path()}
    command = [sys.executable, "-c", large + f"[{sys.executable!r}, '-c', {code!r}])"]
    printed = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout
    assert int(printed) < 2**29


@pytest.mark.parametrize("child", [{"jobs": 2}], indirect=True)
def test_shards_of_one_job_count_as_one(child: subprocess.Popen[bytes], tmp_path: Path, short: dict[str, Any]) -> None:
    kept = []
    for job_id, of_job in (("job_2", "job_1"), ("job_1", None), ("job_3", "job_1"), ("job_4", None)):
        assign(child, short, tmp_path, job_id, of_job)
        kept.append(hear(child, "done")["reusable"])
    assert kept == [True, True, True, False]
