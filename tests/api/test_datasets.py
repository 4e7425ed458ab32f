"""Datasets over HTTP: uploaded once, described, looked at, deleted when nobody needs them."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.dependencies import Services
from db.job_state import JobStatus
from db.repositories.datasets import Datasets
from db.repositories.job_queue import JobQueue

CSV = b"x,y,label\n1,2,a\n3,inf,b\n,nan,\n"


def upload(client: TestClient, content: bytes = CSV, name: str = "t.csv", **more: Any) -> Any:
    return client.post("/v1/datasets", files={"file": (name, content)}, **more)


def test_upload_is_described(client: TestClient, services: Services) -> None:
    answer = upload(client, data={"name": "table"})
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"] == f"/v1/datasets/{body['id']}"
    assert body["object"] == "dataset"
    assert (body["name"], body["format"], body["rows"], body["size_bytes"]) == ("table", "csv", 3, len(CSV))
    assert body["columns"] == [
        {
            "name": "x",
            "type": "number",
            "nulls": 1,
            "non_finite": 0,
            "infinite": 0,
            "distinct": 2,
            "first_text_row": None,
        },
        {
            "name": "y",
            "type": "number",
            "nulls": 0,
            "non_finite": 2,
            "infinite": 1,
            "distinct": 1,
            "first_text_row": None,
        },
        {
            "name": "label",
            "type": "text",
            "nulls": 1,
            "non_finite": 0,
            "infinite": 0,
            "distinct": 2,
            "first_text_row": None,
        },
    ]
    assert client.get(answer.headers["location"]).json() == body
    assert client.get("/v1/datasets").json()["data"] == [body]
    assert services.store.path(f"artefact:datasets/{body['id']}.parquet").is_file()
    assert list(services.store.staging_directory().iterdir()) == []


def test_same_bytes_are_one_dataset(client: TestClient, services: Services) -> None:
    first, second = upload(client), upload(client, name="other.csv")
    assert second.status_code == 200
    assert second.json() == first.json()
    assert len(list((services.store.root / "datasets").iterdir())) == 1


def test_rows_spell_what_is_not_finite(client: TestClient) -> None:
    identifier = upload(client).json()["id"]
    rows = client.get(f"/v1/datasets/{identifier}/rows").json()
    assert rows["data"] == [
        {"x": 1.0, "y": 2.0, "label": "a"},
        {"x": 3.0, "y": "inf", "label": "b"},
        {"x": None, "y": "nan", "label": None},
    ]
    assert rows["has_more"] is False
    short = client.get(f"/v1/datasets/{identifier}/rows", params={"limit": 1}).json()
    assert (len(short["data"]), short["has_more"]) == (1, True)
    assert client.get("/v1/datasets/ds_0/rows").status_code == 404


def test_refused_file_leaves_nothing(client: TestClient, services: Services) -> None:
    answer = upload(client, b"a,b\n1\n")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/file", "detail": "Line 2 has 1 cells; the first row has 2."}]
    assert client.get("/v1/datasets").json()["data"] == []
    assert list(services.store.staging_directory().iterdir()) == []


@pytest.mark.parametrize(
    ("content", "name", "status", "number"),
    [
        (b"a\n" + b"1\n" * 10_001, "t.csv", 413, "10000"),
        (",".join(f"c{k}" for k in range(101)).encode(), "t.csv", 413, "100"),
        (b"a" * (4 * 2**20 + 1), "t.csv", 413, str(4 * 2**20)),
        (b"a" * (5 * 2**20), "t.csv", 413, str(4 * 2**20 + 64 * 2**10)),
        (b"PK", "t.xlsx", 415, ".parquet"),
    ],
)
def test_each_cap_answers_with_its_number(
    client: TestClient, content: bytes, name: str, status: int, number: str
) -> None:
    answer = upload(client, content, name)
    assert answer.status_code == status
    assert number in answer.json()["detail"]


def test_form_says_how_csv_is_read(client: TestClient) -> None:
    content = "1;2,5\n3;4,5\nfünf;1,0\n".encode("latin-1")
    refused = upload(client, content)
    assert refused.status_code == 422
    assert "windows-1252" in refused.json()["detail"]
    options = {"encoding": "latin-1", "header": "false", "decimal": "comma"}
    answer = upload(client, content, data=options)
    assert answer.status_code == 201, answer.text
    columns = answer.json()["columns"]
    assert [(column["name"], column["type"]) for column in columns] == [("column_1", "text"), ("column_2", "number")]
    assert columns[0]["first_text_row"] == 3
    for bad in ({"decimal": "."}, {"encoding": "utf-7"}, {"delimiter": "x"}, {"header": "maybe"}):
        answer = upload(client, content, data=bad)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/" + next(iter(bad))


def test_same_bytes_read_in_another_way_are_refused_until_the_first_is_gone(client: TestClient) -> None:
    content = b"a,b\n1,2\n"
    first = upload(client, content).json()
    assert upload(client, content, data={"header": "true"}).json()["id"] == first["id"]
    refused = upload(client, content, data={"header": "false"})
    assert refused.status_code == 409
    assert first["id"] in refused.json()["detail"]
    client.delete(f"/v1/datasets/{first['id']}")
    assert upload(client, content, data={"header": "false"}).json()["rows"] == 2


def test_column_of_numbers_with_one_text_names_its_row_in_the_jobs_refusal(client: TestClient) -> None:
    identifier = upload(client, b"x,y\n" + b"1,2\n" * 30 + b"1,?!\n").json()["id"]
    spec = {
        "kind": "fit",
        "data": {"kind": "dataset", "dataset_id": identifier, "target_columns": ["y"]},
        "hypothesis_space": {"kind": "random_features", "width": 4},
        "learner": {"kind": "ridge"},
    }
    answer = client.post("/v1/jobs", json={"spec": spec})
    assert answer.status_code == 422
    assert "'y'" in answer.json()["detail"]
    assert "row 31" in answer.json()["detail"]


def test_upload_without_a_file_names_it(client: TestClient) -> None:
    answer = client.post("/v1/datasets", files={"other": ("t.csv", CSV)})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/file"


def test_key_gives_the_first_answer_again(client: TestClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = upload(client, headers=key)
    again = upload(client, headers=key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert upload(client, b"a\n1\n", headers=key).status_code == 422
    assert len(client.get("/v1/datasets").json()["data"]) == 1


def test_dataset_in_use_stays_until_its_job_ends(client: TestClient, services: Services) -> None:
    identifier = upload(client, b"x,y\n" + b"1,2\n" * 20).json()["id"]
    spec = {
        "kind": "fit",
        "data": {"kind": "dataset", "dataset_id": identifier, "target_columns": ["y"]},
        "hypothesis_space": {"kind": "random_features", "width": 4},
        "learner": {"kind": "ridge"},
    }
    job = client.post("/v1/jobs", json={"spec": spec}).json()
    refused = client.delete(f"/v1/datasets/{identifier}")
    assert refused.status_code == 409
    assert job["id"] in refused.json()["detail"]
    assert client.get("/v1/jobs", params={"dataset_id": identifier}).json()["first_id"] == job["id"]
    with services.database.unit_of_work() as session:
        claim = JobQueue(session).claim(job["id"], "w", 60)
        assert claim is not None
        JobQueue(session).finish(job["id"], claim.attempt, JobStatus.FAILED, error={"code": "c", "message": "m"})
    assert client.delete(f"/v1/datasets/{identifier}").status_code == 204
    assert client.delete(f"/v1/datasets/{identifier}").status_code == 404
    assert not services.store.path(f"artefact:datasets/{identifier}.parquet").exists()
    retried = client.post(f"/v1/jobs/{job['id']}/retry")
    assert retried.status_code == 409
    assert identifier in retried.json()["detail"]


def test_lists_page_by_id(client: TestClient) -> None:
    ids = [upload(client, f"a\n{number}\n".encode()).json()["id"] for number in range(3)]
    page = client.get("/v1/datasets", params={"limit": 2, "order": "asc"}).json()
    assert (page["object"], page["first_id"], page["last_id"], page["has_more"]) == ("list", ids[0], ids[1], True)
    rest = client.get("/v1/datasets", params={"order": "asc", "after": page["last_id"]}).json()
    assert ([item["id"] for item in rest["data"]], rest["has_more"]) == ([ids[2]], False)


def test_other_owners_dataset_does_not_exist(client: TestClient, services: Services) -> None:
    with services.database.unit_of_work() as session:
        row = {
            "name": "t",
            "sha256": "s",
            "format": "csv",
            "size_bytes": 1,
            "rows": 1,
            "columns": [],
            "uri": "artefact:x",
        }
        identifier = Datasets(session, "stranger").add(**row).id
    for method, path in (("GET", ""), ("GET", "/rows"), ("DELETE", "")):
        assert client.request(method, f"/v1/datasets/{identifier}{path}").status_code == 404
