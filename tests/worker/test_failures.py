"""What a client may read about a run that went wrong."""

from pathlib import Path

import pytest

from models.errors import TrainingDiverged
from worker import failures
from worker.failures import cause_of_death, failure_of
from worker.identity import has_ended, worker_id
from worker.progress import ProgressView


def test_error_of_the_mathematics_keeps_its_code_and_field() -> None:
    error = failure_of(TrainingDiverged("The risk left every bound at step 3.", "/learner/step_size"))
    assert error == {
        "code": "training_diverged",
        "message": "The risk left every bound at step 3.",
        "param": "/learner/step_size",
    }


def test_surprise_shows_nothing_of_itself() -> None:
    error = failure_of(ZeroDivisionError("a secret"))
    assert error["code"] == "internal_error"
    assert "secret" not in error["message"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_every_allocator_means_out_of_memory(error: Exception) -> None:
    assert failure_of(error)["code"] == "out_of_memory"


def test_kill_by_the_kernel_for_memory_is_told_from_other_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = tmp_path / "memory.events"
    events.write_text("oom 3\noom_kill 2\n")
    monkeypatch.setattr(failures, "_CGROUP_EVENTS", events)
    assert cause_of_death(-9, kills_before=1) == "out of memory"
    assert cause_of_death(-9, kills_before=2) == "killed by signal 9"
    assert cause_of_death(-11, kills_before=1) == "killed by signal 11"
    assert cause_of_death(3, kills_before=1) == "exit code 3"


def test_worker_is_known_to_have_ended_only_on_its_own_machine() -> None:
    me = worker_id()
    machine, pid, started = me.split("/")
    assert not has_ended(me)
    assert has_ended(f"{machine}/{2**22 + 1}/{started}")
    assert has_ended(f"{machine}/{pid}/{int(started) - 1000}")
    assert not has_ended(f"elsewhere.1.2/{2**22 + 1}/{started}")
    assert not has_ended("a name of another form")


def test_first_report_of_a_phase_is_due_and_the_next_has_to_wait() -> None:
    view = ProgressView()
    first = {"phase": "training", "step": 1, "total": 4, "empirical_risk": 0.5}
    assert view.due(None) is None
    shown = view.due(first)
    assert shown == first | {"fraction": 0.25, "eta_seconds": None}
    assert view.due(first) is None
    assert view.due({"phase": "training", "step": 2, "total": 4}) is None
    bounds = view.due({"phase": "bounds", "step": 0, "total": 2})
    assert bounds is not None
    assert bounds["empirical_risk"] is None
