"""The catalogue shows every kind that a job may name."""

import pytest
from starlette.testclient import TestClient

from api.theory import describe_family, families


def test_families_and_kinds_are_those_of_the_mathematics(client: TestClient) -> None:
    listed = {item["family"]: item["kinds"] for item in client.get("/v1/catalogue").json()["data"]}
    assert set(listed) == {"targets", "hypothesis-spaces", "learners", "bounds", "experiments"}
    for family in families():
        assert listed[family] == [kind.kind for kind in describe_family(family) or []]


@pytest.mark.parametrize("family", families())
def test_every_kind_has_statement_reference_examples_and_schema(client: TestClient, family: str) -> None:
    for described in client.get(f"/v1/catalogue/{family}").json()["data"]:
        assert described["statement"]
        assert described["formula"]
        assert described["reference"]
        assert described["examples"]
        assert described["parameters"]["properties"]["kind"]["const"] == described["kind"]
        assert client.get(f"/v1/catalogue/{family}/{described['kind']}").json() == described


def test_every_example_of_an_experiment_is_a_plan(client: TestClient) -> None:
    for described in client.get("/v1/catalogue/experiments").json()["data"]:
        for example in described["examples"]:
            if "model_id" in example:
                continue
            assert client.post("/v1/jobs?dry_run=true", json={"spec": example}).status_code == 200


def test_unknown_family_and_kind_are_404(client: TestClient) -> None:
    answer = client.get("/v1/catalogue/nothing")
    assert answer.status_code == 404
    assert "learners" in answer.json()["detail"]
    assert client.get("/v1/catalogue/learners/nothing").status_code == 404
