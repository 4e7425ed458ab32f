import pytest

from db.repositories.api_keys import ApiKeys
from db.repositories.decompositions import Decompositions
from db.repositories.jobs import Jobs

MODELS = "/v1/models"
BOUND = {"kind": "path_norm_ball", "value": "inf", "vacuous": True}


def test_version_says_what_it_is(client, register):
    model = register(bounds=(BOUND,), job_id="job_1")
    document = client.get(f"{MODELS}/plane/versions/1").json()
    assert document["id"] == model.id
    assert document["object"] == "learned_model"
    assert document["hypothesis_space"]["kind"] == "two_layer"
    assert document["learner"] == {"kind": "adam"}
    assert document["data"]["kind"] == "target"
    number = {"datatype": "FP64", "accepts_missing": False, "levels": None}
    assert document["input_schema"] == [{"name": "a", **number}, {"name": "b", **number}]
    assert document["output_schema"] == [{"name": "y0", "datatype": "FP64"}]
    assert document["certificate"]["risk_upper_bound"] == 0.25
    assert document["created_at"].endswith("Z")
    assert document["links"]["job"] == "/v1/jobs/job_1"
    assert client.get(document["links"]["self"]).json() == document


def test_infinite_risk_is_a_word_not_null(client, register):
    register(bounds=(BOUND,))
    document = client.get(f"{MODELS}/plane").json()
    assert document["risks"] == {"population": {"value": "inf"}}
    assert document["bounds"][0]["value"] == "inf"
    bounds = client.get(f"{MODELS}/plane/versions/1/bounds").json()
    assert bounds == {"object": "bounds", "name": "plane", "version": 1, "bounds": [BOUND]}


def test_list_holds_the_newest_version_of_each_name(client, register):
    for name in ("one", "two", "one"):
        register(name)
    document = client.get(MODELS).json()
    assert [(model["name"], model["version"]) for model in document["data"]] == [("one", 2), ("two", 1)]
    assert document["has_more"] is False


def test_pages_of_versions_join_without_gap(client, register):
    for _ in range(5):
        register()
    seen, after = [], None
    while True:
        query = {"limit": 2, "order": "asc"} | ({"after": after} if after else {})
        page = client.get(f"{MODELS}/plane/versions", params=query).json()
        seen += [model["version"] for model in page["data"]]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == [1, 2, 3, 4, 5]
    assert client.get(f"{MODELS}/nothing/versions").status_code == 404


def test_alias_works_wherever_a_version_does(client, register):
    register(), register()
    assert client.put(f"{MODELS}/plane/aliases/production", json={"version": 1}).json() == {
        "object": "model_alias",
        "name": "plane",
        "alias": "production",
        "version": 1,
    }
    document = client.get(f"{MODELS}/plane/versions/production").json()
    assert (document["version"], document["aliases"]) == (1, ["production"])
    assert client.get(f"{MODELS}/plane").json()["aliases"] == []
    assert client.get("/v2/models/plane/versions/production").json()["versions"] == ["1"]
    assert client.delete(f"{MODELS}/plane/aliases/production").status_code == 204
    assert client.delete(f"{MODELS}/plane/aliases/production").status_code == 404
    assert client.get(f"{MODELS}/plane/versions/production").status_code == 404


@pytest.mark.parametrize(
    ("alias", "body", "status"),
    [
        ("production", {"version": 2}, 404),
        ("production", {"version": 0}, 422),
        ("production", {"version": 10**30}, 422),
        ("production", {"version": "1"}, 422),
        ("production", {"version": True}, 422),
        ("production", {}, 422),
        ("production", {"version": 1, "more": 1}, 422),
        ("7", {"version": 1}, 422),
        ("%00", {"version": 1}, 404),
    ],
)
def test_alias_to_nothing_is_refused(client, register, alias, body, status):
    register()
    assert client.put(f"{MODELS}/plane/aliases/{alias}", json=body).status_code == status


@pytest.mark.parametrize(("file_format", "role"), [("onnx", "graph"), ("safetensors", "weights")])
def test_export_is_the_stored_file_under_a_strong_tag(client, register, services, file_format, role):
    entry = register().files[role]
    path = f"{MODELS}/plane/versions/1/export?format={file_format}"
    answer = client.get(path)
    assert answer.content == services.store.path(entry["uri"]).read_bytes()
    assert answer.headers["etag"] == f'"{entry["sha256"]}"'
    assert f"plane-v1.{file_format}" in answer.headers["content-disposition"]
    for known in (answer.headers["etag"], f'"x", W/{answer.headers["etag"]}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_export_defaults_to_onnx_and_knows_two_formats(client, register):
    register()
    assert client.get(f"{MODELS}/plane/versions/1/export").headers["content-disposition"].endswith('.onnx"')
    assert client.get(f"{MODELS}/plane/versions/1/export?format=pickle").status_code == 422


def test_version_under_an_alias_cannot_be_deleted(client, register, services):
    model = register()
    client.put(f"{MODELS}/plane/aliases/production", json={"version": 1})
    refused = client.delete(f"{MODELS}/plane/versions/production")
    assert refused.status_code == 409
    assert "production" in refused.json()["detail"]
    assert services.store.path(model.files["graph"]["uri"]).exists()


def test_deleted_version_is_gone_with_its_files(client, register, services):
    model = register()
    rows = {"rows": [[1, 2]]}
    assert client.post(f"{MODELS}/plane/predict", json=rows).status_code == 200
    assert client.delete(f"{MODELS}/plane/versions/1").status_code == 204
    assert client.post(f"{MODELS}/plane/predict", json=rows).status_code == 404
    assert client.get(f"{MODELS}/plane").status_code == 404
    assert len(services.sessions) == 0
    assert not any(services.store.path(entry["uri"]).exists() for entry in model.files.values())


def test_model_without_decomposition_says_how_to_get_one(client, register):
    register()
    answer = client.get(f"{MODELS}/plane/versions/1/error-decomposition")
    assert answer.status_code == 404
    assert "decompose_error" in answer.json()["detail"]


def test_decompositions_are_those_of_the_models_job(client, register, services):
    estimate = {"value": "inf", "standard_error": None, "method": "monte_carlo"}
    terms = dict.fromkeys(("approximation", "estimation", "optimization"), estimate)
    risks = ("noise", "best_in_space", "best_on_sample", "trained", "trained_empirical")
    cell = {
        "hypothesis_space": {"kind": "two_layer"},
        "learner": {"kind": "adam"},
        "data": {"kind": "target", "target": {"kind": "gaussian"}},
        "dimension": 2,
        "width": 4,
        "sample_size": 8,
        "seeds": 1,
        "squared_norms": {**terms, "total": estimate},
        "gram": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        "risks": dict.fromkeys(risks, estimate),
        "risk_terms": {**terms, "approximation_and_noise": None},
        "generalization_gap": estimate,
        "advice": {"buy": "data", "because": "of the estimation error", "expected": {}},
    }
    with services.database.unit_of_work() as session:
        jobs = [
            Jobs(session, "local").accept(
                kind="decompose_error", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
            )
            for _ in range(2)
        ]
        for job in jobs:
            Decompositions(session, "local").add_all(job.id, [cell, cell])
    register(job_id=jobs[0].id)
    page = client.get(f"{MODELS}/plane/versions/1/error-decomposition?limit=1").json()
    assert page["has_more"] is True
    (found,) = page["data"]
    assert found["id"] == page["first_id"]
    assert found["job_id"] == jobs[0].id
    assert {name: found[name] for name in cell} == cell


def test_another_owners_model_is_absent(client, register):
    register(owner="stranger")
    assert client.get(MODELS).json()["data"] == []
    for path in ("", "/versions", "/versions/1", "/versions/1/export", "/versions/1/bounds"):
        assert client.get(f"{MODELS}/plane{path}").status_code == 404
    assert client.put(f"{MODELS}/plane/aliases/mine", json={"version": 1}).status_code == 404
    assert client.delete(f"{MODELS}/plane/versions/1").status_code == 404


@pytest.fixture
def key(services):
    """Makes a key with scopes: its headers."""

    def make(*scopes):
        with services.database.unit_of_work() as session:
            _, secret = ApiKeys(session).create("local", "k", scopes, services.authenticator.key_secret)
        return {"Authorization": f"Bearer {secret}"}

    return make


def test_scopes_divide_reading_changing_and_predicting(client, register, key):
    register()
    answers = {}
    for scope in ("read", "submit", "predict"):
        headers = key(scope)
        answers[scope] = [
            client.get(f"{MODELS}/plane", headers=headers).status_code,
            client.put(f"{MODELS}/plane/aliases/x", json={"version": 1}, headers=headers).status_code,
            client.post(f"{MODELS}/plane/predict", json={"rows": [[1, 2]]}, headers=headers).status_code,
            client.get("/v2/models/plane", headers=headers).status_code,
        ]
    assert answers == {"read": [200, 403, 403, 200], "submit": [403, 200, 403, 403], "predict": [403, 403, 200, 200]}
    assert client.get("/v2/health/ready").status_code == 200
