"""The stateless calculator over HTTP: values with terms, vacuous ones said to be, bad inputs refused by field."""

import pytest
from starlette.testclient import TestClient

PATH = "/v1/bounds/evaluate"


def test_bounds_come_with_their_terms(client: TestClient) -> None:
    reply = client.post(PATH, json={"sample_size": 1000, "input_dimension": 10, "path_norm": 3.0})
    assert reply.status_code == 200
    document = reply.json()
    assert document["object"] == "bounds"
    found = {item["formula"]: item for item in document["data"]}
    assert len(found) >= 2
    for item in found.values():
        assert item["value"] == pytest.approx(sum(item["terms"].values()))
        assert item["statement"]
        assert item["reference"]
        assert item["inputs"]["delta"] == 0.05
    assert document["delta_split"] == pytest.approx(0.05 / len(found))


def test_nothing_given_determines_nothing(client: TestClient) -> None:
    assert client.post(PATH, json={}).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"delta": 1.5}, "/delta"),
        ({"sample_size": 0}, "/sample_size"),
        ({"sample_size": "5"}, "/sample_size"),
        ({"sample_size": True}, "/sample_size"),
        ({"path_norm": -1}, "/path_norm"),
        ({"no_such_input": 1}, "/no_such_input"),
        ({"formulas": ["no such"]}, "/formulas/0"),
        ({"formulas": ["path_norm_" + "ball"], "sample_size": 10, "input_dimension": 2}, "/path_norm"),
        ({"held_out_risk": 2.0, "held_out_size": 10}, "/held_out_risk"),
        ({"mistakes": 11, "held_out_size": 10}, "/mistakes"),
    ],
)
def test_bad_inputs_are_refused_by_field(client: TestClient, body: dict, pointer: str) -> None:
    reply = client.post(PATH, json=body)
    assert reply.status_code == 422
    assert pointer in [error["pointer"] for error in reply.json()["errors"]]
