"""Decompositions over HTTP: filtered, ordered, paged without gaps, and flattened as tables."""

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from db.repositories.decompositions import Decompositions
from db.repositories.jobs import Jobs

ORDERS = ("created_at", "trained_risk", "width", "sample_size")


@pytest.fixture
def job_id(client: TestClient, services: Services, cell: Callable[..., dict[str, Any]]) -> str:
    """A grid of widths and sample sizes with equal and infinite risks in it."""
    cells = [cell(width, size, risk) for width in (4, 8) for size, risk in ((10, "inf"), (20, 0.5), (40, 0.5))]
    with services.database.unit_of_work() as session:
        accepted: Any = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
        job = Jobs(session, "local").accept(kind="decompose_error", **accepted)
        Decompositions(session, "local").add_all(job.id, cells)
        Decompositions(session, "stranger").add_all(job.id, cells[:1])
    return job.id


def found(client: TestClient, **parameters: Any) -> list[dict[str, Any]]:
    answer = client.get("/v1/decompositions", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_one_cell_is_a_document(client: TestClient, job_id: str) -> None:
    row = found(client, order="asc")[0]
    assert row["id"].startswith("dec_")
    assert (row["job_id"], row["dataset_id"]) == (job_id, None)
    assert row["target"] == {"kind": "cosine_ridge"}
    assert row["hypothesis_space"] == {"kind": "random_features", "width": 4}
    assert row["risks"]["trained"]["value"] == "inf"
    assert row["risks"]["noise"]["standard_error"] is None
    assert row["gram"][2][2] == "inf"
    assert client.get(f"/v1/decompositions/{row['id']}").json() == row
    assert client.get("/v1/decompositions/dec_0").status_code == 404


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 6),
        ({"width": 4}, 3),
        ({"sample_size": 20}, 2),
        ({"min_sample_size": 20}, 4),
        ({"max_sample_size": 20, "width": 8}, 2),
        ({"hypothesis_space": "random_features", "target": "cosine_ridge", "dimension": 3}, 6),
        ({"hypothesis_space": "two_layer"}, 0),
        ({"dataset_id": "ds_0"}, 0),
        ({"job_id": "job_0"}, 0),
    ],
)
def test_filters_narrow_the_list(client: TestClient, job_id: str, filters: dict[str, Any], count: int) -> None:
    assert len(found(client, **filters)) == count
    assert len(found(client, job_id=filters.get("job_id", job_id))) == (0 if "job_id" in filters else 6)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("order_by", ORDERS)
def test_pages_of_every_order_join_without_gap_or_repeat(
    client: TestClient, job_id: str, order_by: str, order: str
) -> None:
    whole = [row["id"] for row in found(client, order_by=order_by, order=order)]
    pages: list[str] = []
    after: dict[str, str] = {}
    while True:
        parameters = {"order_by": order_by, "order": order, "limit": 1, **after}
        page = client.get("/v1/decompositions", params=parameters).json()
        pages += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert pages == whole
    assert len(set(whole)) == 6


def test_infinite_risk_comes_last(client: TestClient, job_id: str) -> None:
    values = [row["risks"]["trained"]["value"] for row in found(client, order_by="trained_risk", order="asc")]
    assert values == [0.5, 0.5, 0.5, 0.5, "inf", "inf"]


def test_cursor_that_is_not_there_is_422_where_its_value_is_needed(client: TestClient, job_id: str) -> None:
    answer = client.get("/v1/decompositions", params={"order_by": "width", "after": "dec_0"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "after"


def test_csv_and_arrow_are_the_same_table(client: TestClient, job_id: str) -> None:
    csv = client.get("/v1/decompositions", params={"format": "csv", "order": "asc"})
    arrow = client.get("/v1/decompositions", params={"format": "arrow", "order": "asc"})
    assert csv.headers["content-type"].startswith("text/csv")
    assert arrow.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table["risk_trained"].to_pylist() == [float("inf"), 0.5, 0.5] * 2
    assert table["risk_noise_standard_error"].to_pylist() == [None] * 6
    assert table["risk_term_approximation"].to_pylist() == [-0.1] * 6
    assert table["job_id"].to_pylist() == [job_id] * 6
    read = pacsv.read_csv(io.BytesIO(csv.content))
    assert read.column_names == table.column_names
    for name in ("id", "risk_trained", "width", "advice"):
        assert read[name].to_pylist() == table[name].to_pylist()


def test_empty_table_has_the_same_columns(client: TestClient, job_id: str) -> None:
    parameters = {"format": "arrow", "width": 5}
    empty = pa.ipc.open_stream(client.get("/v1/decompositions", params=parameters).content).read_all()
    whole = pa.ipc.open_stream(client.get("/v1/decompositions", params={"format": "arrow"}).content).read_all()
    assert empty.num_rows == 0
    assert empty.schema == whole.schema


def test_table_that_is_cut_off_links_to_its_rest(client: TestClient, job_id: str) -> None:
    answer = client.get("/v1/decompositions", params={"format": "csv", "limit": 4})
    following = answer.headers["link"].partition(">")[0].removeprefix("<")
    rest = client.get(following)
    assert rest.text.count("\n") == 3
    assert "link" not in rest.headers
    assert client.get("/v1/decompositions", params={"limit": 101}).status_code == 422
