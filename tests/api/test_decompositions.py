"""Decompositions over HTTP: filtered, ordered, paged without gaps, and flattened as tables."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from api.routes import decompositions
from api.routes.decompositions import accepted_format
from db.repositories.decompositions import Decompositions
from db.repositories.jobs import Jobs

ORDERS = ("id", "created_at", "trained_risk", "approximation", "estimation", "optimization", "width", "sample_size")
ARROW = "application/vnd.apache.arrow.stream"


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


@pytest.mark.parametrize("query", ["wdith=4", "Width=4", "order_by=width&page=2", "filter[width]=4"])
def test_unknown_parameter_is_named(client: TestClient, job_id: str, query: str) -> None:
    answer = client.get(f"/v1/decompositions?{query}")
    assert answer.status_code == 422
    unknown = query.split("&")[-1].split("=")[0]
    assert [error["pointer"] for error in answer.json()["errors"]] == [unknown]
    assert unknown in answer.json()["detail"]


def test_every_unknown_parameter_is_named(client: TestClient) -> None:
    errors = client.get("/v1/decompositions", params={"wdith": 4, "spcae": "x", "width": 4}).json()["errors"]
    assert {error["pointer"] for error in errors} == {"wdith", "spcae"}


def test_json_page_is_at_most_a_hundred(client: TestClient) -> None:
    assert client.get("/v1/decompositions", params={"limit": 100}).status_code == 200
    answer = client.get("/v1/decompositions", params={"limit": 101})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "limit"
    assert client.get("/v1/decompositions", params={"limit": 100_001, "format": "csv"}).status_code == 422


def arrow_table(client: TestClient, **parameters: Any) -> pa.Table:
    answer = client.get("/v1/decompositions", params={"format": "arrow", **parameters})
    assert answer.headers["content-type"] == ARROW
    return pa.ipc.open_stream(answer.content).read_all()


def test_csv_and_arrow_are_the_same_table(client: TestClient, job_id: str) -> None:
    csv = client.get("/v1/decompositions", params={"format": "csv", "order": "asc"})
    table = arrow_table(client, order="asc")
    assert csv.headers["content-type"].startswith("text/csv")
    assert table["risks.trained.value"].to_pylist() == [float("inf"), 0.5, 0.5] * 2
    assert table["risks.noise.standard_error"].to_pylist() == [None] * 6
    assert table["risk_terms.approximation.value"].to_pylist() == [-0.1] * 6
    assert table["job_id"].to_pylist() == [job_id] * 6
    read = pacsv.read_csv(io.BytesIO(csv.content))
    assert read.column_names == table.column_names
    for name in ("id", "risks.trained.value", "gram.2.2", "width", "advice.buy", "data.json"):
        assert read[name].to_pylist() == table[name].to_pylist()


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Paths of the numbers and texts of a document; objects of any shape count as one text."""
    if path in (("hypothesis_space",), ("learner",), ("data",)):
        yield f"{path[0]}.json"
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from leaves(member, (*path, str(index)))
    elif path in (("regularization_bias",), ("risk_terms", "approximation_and_noise")):
        # An estimate that this cell does not have.
        yield from (".".join((*path, member)) for member in ("value", "standard_error", "method"))
    else:
        yield ".".join(path)


def test_every_leaf_of_the_document_is_a_column(client: TestClient, job_id: str) -> None:
    (document,) = found(client, limit=1)
    below_the_diagonal = {"gram.1.0", "gram.2.0", "gram.2.1"}
    expected = set(leaves(document)) - below_the_diagonal - {"object"}
    names = arrow_table(client).column_names
    assert len(set(names)) == len(names)
    assert set(names) == expected | {"hypothesis_space.kind", "learner.kind"}


def test_empty_table_has_the_same_columns(client: TestClient, job_id: str) -> None:
    empty = arrow_table(client, width=5)
    assert empty.num_rows == 0
    assert empty.schema == arrow_table(client).schema
    csv = client.get("/v1/decompositions", params={"format": "csv", "width": 5}).text
    assert csv.count("\n") == 1


def test_batches_of_a_table_join(client: TestClient, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"order_by": "trained_risk", "order": "asc"}
    whole = arrow_table(client, **parameters)
    csv = client.get("/v1/decompositions", params={"format": "csv", **parameters}).content
    monkeypatch.setattr(decompositions, "BATCH_ROWS", 4)
    assert arrow_table(client, **parameters) == whole
    assert client.get("/v1/decompositions", params={"format": "csv", **parameters}).content == csv


def test_table_that_is_cut_off_links_to_its_rest(client: TestClient, job_id: str) -> None:
    parameters = {"limit": 4, "order_by": "trained_risk", "width": 4}
    assert "link" not in client.get("/v1/decompositions", params=parameters).headers
    parameters["limit"] = 2
    answer = client.get("/v1/decompositions", params=parameters, headers={"Accept": "text/csv"})
    following = answer.headers["link"].partition(">")[0].removeprefix("<")
    rest = client.get(following)
    assert rest.text.count("\n") == 2
    assert "link" not in rest.headers
    ids = [*pacsv.read_csv(io.BytesIO(answer.content))["id"].to_pylist()]
    ids += pacsv.read_csv(io.BytesIO(rest.content))["id"].to_pylist()
    assert ids == [row["id"] for row in found(client, order_by="trained_risk", width=4)]


def test_accept_chooses_the_format_unless_it_is_named(client: TestClient, job_id: str) -> None:
    answer = client.get("/v1/decompositions", headers={"Accept": ARROW})
    assert answer.headers["content-type"] == ARROW
    answer = client.get("/v1/decompositions?format=json", headers={"Accept": ARROW})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("Text/CSV", "csv"),
        ("text/csv;q=0.5, application/json", "json"),
        ("text/csv; header=present; q=0.9, */*;q=0.1", "csv"),
        (f"text/csv;q=0, {ARROW};q=0.2", "arrow"),
        (f"text/csv, {ARROW}", "csv"),
        ("text/csv;q=nan", "json"),
        ("text/csv;q=much", "json"),
        (";;,=", "json"),
    ],
)
def test_accept_is_read_with_its_qualities(accept: str, expected: str) -> None:
    assert accepted_format(accept) == expected


def test_cell_of_a_table_has_null_where_nothing_is_known(
    client: TestClient, services: Services, cell: Callable[..., dict[str, Any]]
) -> None:
    whole = cell(4, 10, 0.5)
    estimate = whole["risk_terms"]["optimization"]
    data = {"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["y"]}
    table = whole | {"data": data, "squared_norms": {}, "gram": None}
    known = {"approximation_and_noise": estimate | {"value": 0.4}, "estimation": estimate, "optimization": estimate}
    risks = {name: whole["risks"][name] for name in ("best_on_sample", "trained", "trained_empirical")}
    cells = [table | {"risk_terms": known, "risks": risks}, table | {"risk_terms": {"optimization": estimate}}]
    with services.database.unit_of_work() as session:
        accepted: Any = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
        job = Jobs(session, "local").accept(kind="decompose_error", **accepted)
        Decompositions(session, "local").add_all(job.id, cells)
    first, second = found(client, order_by="approximation", order="asc")
    assert first["risk_terms"]["approximation"] is None
    assert first["risk_terms"]["approximation_and_noise"]["value"] == 0.4
    assert first["risks"]["noise"] is None
    assert first["gram"] is None
    assert first["dataset_id"] == "ds_1"
    assert second["risk_terms"]["estimation"] is None
    rows = pa.ipc.open_stream(client.get("/v1/decompositions", params={"format": "arrow"}).content).read_all()
    assert rows["risk_terms.approximation.value"].to_pylist() == [None, None]
    assert sorted(rows["risk_terms.approximation_and_noise.value"].to_pylist(), key=str) == [0.4, None]
    assert rows["gram.0.0"].to_pylist() == [None, None]
