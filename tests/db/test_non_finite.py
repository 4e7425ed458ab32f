"""Infinities, NaN, and the largest and smallest numbers through the rows of both databases."""

import math
from typing import Any

import pytest

from db.engine import Database
from db.job_state import JobStatus
from db.repositories.decompositions import Decompositions
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.repositories.learned_models import LearnedModels

SPELLED = {
    "above": "inf",
    "below": "-inf",
    "none": "nan",
    "deep": ["inf", {"x": "-inf"}],
    "large": 1e308,
    "vacuous": 1e25,
    "small": 5e-324,
    "count": 2**62,
}
"""Infinities and NaN are words in JSON; a number comes back as what it was, whatever the database makes of it."""


@pytest.fixture
def job_id(database: Database) -> str:
    with database.unit_of_work() as session:
        jobs = Jobs(session, "local")
        job = jobs.accept(kind="fit", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1)
        assert JobQueue(session).claim(job.id, "w", 60) is not None
        return job.id


def test_result_keeps_every_word_and_number(database: Database, job_id: str) -> None:
    with database.unit_of_work() as session:
        assert JobQueue(session).finish(job_id, 1, JobStatus.SUCCEEDED, result=SPELLED)
    with database.reading() as session:
        found = Jobs(session, "local").result(job_id)
    assert found == SPELLED
    assert {name: type(value) for name, value in found.items()} == {n: type(value) for n, value in SPELLED.items()}


def test_model_keeps_every_word_and_number(database: Database) -> None:
    with database.unit_of_work() as session:
        row = LearnedModels(session, "local").register(
            name="m",
            job_id=None,
            digest="d",
            manifest=SPELLED,
            risks={"population": {"value": "inf", "standard_error": "nan"}},
            bounds=[{"kind": "k", "value": "inf"}],
            files={},
            dataset_ids=[],
        )
        model_id = row.id
    with database.reading() as session:
        found = LearnedModels(session, "local").get(model_id)
        assert found is not None
        assert found.manifest == SPELLED
        assert found.risks == {"population": {"value": "inf", "standard_error": "nan"}}
        assert found.bounds == [{"kind": "k", "value": "inf"}]


def made(width: int, trained: float | str, optimization: float | str) -> dict[str, Any]:
    def estimate(value: float | str) -> dict[str, Any]:
        return {"value": value, "standard_error": None, "method": "monte_carlo"}

    return {
        "hypothesis_space": {"kind": "two_layer"},
        "data": {"kind": "target", "target": {"kind": "gaussian"}},
        "dimension": 1,
        "width": width,
        "sample_size": 1,
        "seeds": 1,
        "risks": {"trained": estimate(trained)},
        "risk_terms": {
            "approximation": estimate(0.0),
            "estimation": estimate(0.0),
            "optimization": estimate(optimization),
        },
    }


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_cells_are_ordered_and_paged_among_infinities(database: Database, job_id: str, order: Any) -> None:
    cells = [made(1, "inf", 0.0), made(2, 0.5, "-inf"), made(3, "inf", "inf"), made(4, 1e308, 5e-324)]
    with database.unit_of_work() as session:
        Decompositions(session, "local").add_all(job_id, cells)
    ascending = {"optimization": [2, 1, 4, 3], "trained_risk": [2, 4, 1, 3]}
    for column, widths in ascending.items():
        assert _widths(database, column, order) == (widths if order == "asc" else widths[::-1])
    with database.reading() as session:
        stored = Decompositions(session, "local").page(limit=10, after=None, order="asc").items
    assert [row.cell for row in stored] == cells
    assert [row.trained_risk for row in stored] == [math.inf, 0.5, math.inf, 1e308]


def test_nan_is_refused_by_both_databases_alike(database: Database, job_id: str) -> None:
    for cell in (made(1, "nan", 0.0), made(1, 0.5, "nan")):
        with pytest.raises(ValueError, match="never an answer"), database.unit_of_work() as session:
            Decompositions(session, "local").add_all(job_id, [cell])
    with database.reading() as session:
        assert Decompositions(session, "local").page(limit=10, after=None, order="asc").items == []


def _widths(database: Database, order_by: Any, order: Any) -> list[int]:
    """Read a page of one at a time."""
    found: list[int] = []
    after = None
    with database.reading() as session:
        while True:
            page = Decompositions(session, "local").page(limit=1, after=after, order=order, order_by=order_by)
            found += [row.width for row in page.items]
            if not page.has_more:
                return found
            after = page.items[-1].id
