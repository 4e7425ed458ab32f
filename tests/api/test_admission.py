"""Each cap of a job is refused before it is queued, by its own number."""

from pathlib import Path
from typing import Any

import psutil
import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from api.machine import memory_bytes, processors
from api.settings import ApiSettings
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings

TARGET = {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1}
FIT = {
    "kind": "fit",
    "data": TARGET,
    "hypothesis_space": {"kind": "random_features", "width": 8},
    "learner": {"kind": "ridge"},
    "sample_size": 50,
}
GRID = {
    "kind": "decompose_error",
    "data": TARGET,
    "hypothesis_space": {"kind": "random_features"},
    "learner": {"kind": "ridge"},
    "widths": list(range(1, 65)),
    "sample_sizes": list(range(10, 75)),
    "seeds": 2,
}


@pytest.fixture
def storage_settings(tmp_path: Path) -> ServiceSettings:
    """The queue itself is tested on every database in tests/db."""
    return ServiceSettings(data_directory=tmp_path / "data")


@pytest.mark.parametrize(
    ("cap", "number", "spec", "pointer"),
    [
        ("max_grid_cells", 4000, GRID | {"sample_sizes": list(range(10, 74))}, "/spec"),
        ("max_job_parameters", 7, FIT, "/spec/hypothesis_space"),
        ("max_job_memory_bytes", 1000, FIT, "/spec/hypothesis_space"),
    ],
)
def test_job_above_a_cap_is_refused_by_its_number(
    client: TestClient, services: Services, cap: str, number: int, spec: dict[str, Any], pointer: str
) -> None:
    for dry_run in ("true", "false"):
        setattr(services.settings, cap, 10**12)
        accepted = client.post("/v1/jobs", params={"dry_run": dry_run}, json={"spec": spec})
        assert accepted.status_code in (200, 202), accepted.text
        setattr(services.settings, cap, number)
        answer = client.post("/v1/jobs", params={"dry_run": dry_run}, json={"spec": spec})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert str(number) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("spec", "pointer", "remedy"),
    [
        (
            FIT | {"sample_size": 10**7, "learner": {"kind": "least_squares", "precision": "float32"}},
            "/bounds",
            "name the bounds",
        ),
        (
            FIT
            | {"sample_size": 10**7, "learner": {"kind": "least_squares", "precision": "float32"}, "bounds": "none"},
            "/sample_size",
            "lower sample_size",
        ),
        (
            FIT | {"hypothesis_space": {"kind": "two_layer", "width": 9000}, "learner": {"kind": "adam"}},
            "/hypothesis_space",
            "lower the width",
        ),
        (GRID | {"sample_sizes": [50], "test_size": 10**6}, "/test_size", "lower test_size"),
        (GRID | {"widths": [100], "sample_sizes": [10**7]}, "/sample_sizes", "lower the largest of sample_sizes"),
        (GRID | {"widths": [30_000], "sample_sizes": [50], "test_size": 100}, "/widths", "lower the largest of widths"),
    ],
)
def test_too_large_a_job_is_told_what_to_lower(
    client: TestClient, services: Services, spec: dict[str, Any], pointer: str, remedy: str
) -> None:
    services.settings.max_job_memory_bytes = 10**6
    answer = client.post("/v1/jobs", json={"spec": spec})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == f"/spec{pointer}"
    assert remedy in error["detail"]


def queued(services: Services, owner: str) -> str:
    accepted: dict[str, Any] = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
    with services.database.unit_of_work() as session:
        return Jobs(session, owner).accept(kind="fit", **accepted).id


def test_queue_is_full_for_one_owner_before_it_is_for_all(client: TestClient, services: Services) -> None:
    services.settings.max_queued_jobs_per_owner = 2
    services.settings.max_queued_jobs = 5
    for _ in range(3):
        queued(services, "other")
    first = client.post("/v1/jobs", json={"spec": FIT})
    assert first.status_code == 202
    queued(services, "local")
    full = client.post("/v1/jobs", json={"spec": FIT})
    assert full.status_code == 429
    assert "2 jobs of this owner" in full.json()["detail"]
    assert full.headers["retry-after"].isdigit()
    services.settings.max_queued_jobs_per_owner = 100
    assert "5 jobs wait" in client.post("/v1/jobs", json={"spec": FIT}).json()["detail"]


def test_retry_waits_in_the_same_queue(client: TestClient, services: Services) -> None:
    job = client.post("/v1/jobs", json={"spec": FIT}).json()["id"]
    client.post(f"/v1/jobs/{job}/cancel")
    services.settings.max_queued_jobs_per_owner = 1
    queued(services, "local")
    assert client.post(f"/v1/jobs/{job}/retry").status_code == 429
    services.settings.max_queued_jobs_per_owner = 2
    assert client.post(f"/v1/jobs/{job}/retry").status_code == 202


def test_memory_is_the_containers_where_that_is_less(tmp_path: Path) -> None:
    whole = psutil.virtual_memory().total
    assert memory_bytes(()) == whole
    for text, expected in (("max\n", whole), (f"{2**30}\n", 2**30), (str(2**63 - 4096), whole)):
        (tmp_path / "limit").write_text(text)
        assert memory_bytes((str(tmp_path / "missing"), str(tmp_path / "limit"))) == expected
    assert ApiSettings().max_job_memory_bytes <= 0.8 * whole
    assert 1 <= processors() <= (psutil.cpu_count() or 1)
