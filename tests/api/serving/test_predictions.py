import io
import json

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Problem, Unprocessable
from api.serving.inputs import InputColumn, InputSchema
from api.serving.table_bodies import DECODERS, decode_rows

AB = InputSchema((InputColumn("a"), InputColumn("b")))

PREDICT = "/v1/models/plane/predict"


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_predictions_equal_the_graph(client, register):
    register(matrix=((1.0, 0.5), (10.0, -1.0)), shift=3.0)
    rows = np.random.default_rng(0).normal(size=(40, 2))
    answer = client.post(PREDICT, json={"rows": rows.tolist()})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    np.testing.assert_allclose(document["predictions"], rows @ [[1.0, 0.5], [10.0, -1.0]] + 3.0, rtol=1e-13)
    assert document["outputs"] == ["y0", "y1"]
    assert document["model"] == {"name": "plane", "version": 1}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"rows": [[1, 2], [3, 4.0]]}'),
        ("application/json; charset=utf-8", b'{"columns": {"b": [2, 4], "a": [1, 3]}}'),
        ("application/json", b'{"records": [{"b": 2, "a": 1}, {"a": 3, "b": 4}]}'),
        ("text/csv", b"b,a\n2,1\n4,3e0\n"),
        ("text/csv", "﻿a,b\r\n1,2\r\n\r\n3,4".encode()),
        ("application/x-npy", npy_bytes(np.array([[1, 2], [3, 4]], dtype=np.int32))),
        ("application/x-npy", npy_bytes(np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]))),
        ("application/x-npy", npy_bytes(np.array([[1.0, 2.0], [3.0, 4.0]], dtype=">f4"))),
    ],
)
def test_every_form_of_a_table_is_the_same_table(client, register, content_type, body):
    register()
    answer = client.post(PREDICT, content=body, headers={"Content-Type": content_type})
    assert answer.json()["predictions"] == [[21.0], [43.0]]


def test_body_without_content_type_is_json(client, register):
    register()
    assert client.post(PREDICT, content=b'{"rows": [[1, 2]]}').json()["predictions"] == [[21.0]]


def test_alias_switch_changes_the_answer_at_once(client, register):
    register(), register(shift=100.0)
    by_alias = "/v1/models/plane/versions/production/predict"
    found = []
    for version in (1, 2, 1):
        assert client.put("/v1/models/plane/aliases/production", json={"version": version}).status_code == 200
        found.append(client.post(by_alias, json={"rows": [[1, 2]]}).json())
    assert [document["predictions"][0][0] for document in found] == [21.0, 121.0, 21.0]
    assert [document["model"]["version"] for document in found] == [1, 2, 1]


def test_newest_version_answers_without_a_version(client, register):
    register()
    assert client.post(PREDICT, json={"rows": [[1, 2]]}).json()["predictions"] == [[21.0]]
    register(shift=1.0)
    assert client.post(PREDICT, json={"rows": [[1, 2]]}).json()["predictions"] == [[22.0]]
    old = client.post("/v1/models/plane/versions/1/predict", json={"rows": [[1, 2]]})
    assert old.json()["predictions"] == [[21.0]]


def test_row_of_wrong_length_is_named(client, register):
    register()
    answer = client.post(PREDICT, json={"rows": [[1, 2], [3, 4], [5, 6, 7]]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/rows/2"
    assert "Row 2 has 3 values" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, None),
        ({"rows": [[1, 2]], "columns": {}}, None),
        ({"instances": [[1, 2]]}, None),
        ([[1, 2]], None),
        ({"rows": []}, "/rows"),
        ({"rows": {}}, "/rows"),
        ({"rows": [1, 2]}, "/rows/0"),
        ({"rows": [[1, None]]}, "/rows/0/1"),
        ({"rows": [[1, 2], ["3", 4]]}, "/rows/1/0"),
        ({"rows": [[True, 2]]}, "/rows/0/0"),
        ({"rows": [[[1], 2]]}, "/rows/0/0"),
        ({"columns": []}, "/columns"),
        ({"columns": {"a": [1]}}, "/columns/b"),
        ({"columns": {"a": [1], "b": [1], "c/d": [1]}}, "/columns"),
        ({"columns": {"a": [1, 2], "b": [1]}}, "/columns/b"),
        ({"columns": {"a": [1, 2], "b": 3}}, "/columns/b"),
        ({"columns": {"a": [1, 2], "b": [1, "x"]}}, "/columns/b/1"),
        ({"columns": {"a": [], "b": []}}, "/columns/a"),
        ({"records": {}}, "/records"),
        ({"records": [{"a": 1, "b": 2}, {"a": 1}]}, "/records/1/b"),
        ({"records": [{"a": 1, "b": 2, "c": 3}]}, "/records/0"),
        ({"records": [{"a": 1, "b": None}]}, "/records/0/b"),
        ({"records": [3]}, "/records/0"),
    ],
)
def test_what_does_not_fit_is_named(body, pointer):
    with pytest.raises(Unprocessable) as refusal:
        decode_rows(orjson.dumps(body), None, AB, 10)
    assert [error.pointer for error in refusal.value.errors] == ([] if pointer is None else [pointer])


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b'{"rows": [[1e999, 2]]}', 400),
        ("application/json", b'{"rows": [[NaN, 2]]}', 400),
        ("application/json", b'{"rows": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
        ("text/csv", b"\xff\xfe", 400),
        ("text/csv", b"", 422),
        ("text/csv", b"a,b\n", 422),
        ("text/csv", b"a,c\n1,2\n", 422),
        ("text/csv", b"a,b,b\n1,2,3\n", 422),
        ("text/csv", b"a,b\n1\n", 422),
        ("text/csv", b"a,b\n1,\n", 422),
        ("text/csv", b"a,b\n1,nan\n", 422),
        ("text/csv", b"a,b\n1,1_0\n", 422),
        ("application/x-npy", b"", 400),
        ("application/x-npy", npy_bytes(np.zeros((2, 2)))[:-1], 400),
        ("application/x-npy", npy_bytes(np.array([[None, 1]], dtype=object)), 422),
        ("application/x-npy", npy_bytes(np.zeros(2)), 422),
        ("application/x-npy", npy_bytes(np.zeros((1, 3))), 422),
        ("application/x-npy", npy_bytes(np.array([[np.inf, 1.0]])), 422),
        ("application/x-yaml", b"a: 1", 415),
        ("multipart/form-data", b"", 415),
    ],
)
def test_bytes_of_another_kind_are_refused(content_type, body, status):
    with pytest.raises(Problem) as refusal:
        decode_rows(body, content_type, AB, 10)
    assert refusal.value.status == status


def test_refusal_is_a_problem_document(client, register):
    register()
    for body, status in ((b"{", 400), (b'{"rows": [[1, null]]}', 422)):
        answer = client.post(PREDICT, content=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["error"] == answer.json()["detail"]
    yaml = client.post(PREDICT, content=b"a: 1", headers={"Content-Type": "application/x-yaml"})
    assert yaml.status_code == 415


def test_compressed_body_that_cannot_be_read_is_refused_not_misread(client, register):
    register()
    for encoding, body, status in (("gzip", b"\x1f\x8b", 400), ("br", b"\x1f\x8b", 415)):
        headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
        assert client.post(PREDICT, content=body, headers=headers).status_code == status


def test_cap_of_rows_answers_with_its_number(client, register):
    register(matrix=((1.0,),))
    rows = b'{"rows": [' + b"[1]," * 100_000 + b"[1]]}"
    answer = client.post(PREDICT, content=rows)
    assert answer.status_code == 413
    assert "100000" in answer.json()["detail"]


def test_prediction_that_overflows_is_refused_with_its_row(client, register):
    register(matrix=((1e300,), (1.0,)))
    answer = client.post(PREDICT, json={"rows": [[1, 1], [1e300, 1]]})
    assert answer.status_code == 422
    assert "row 1" in answer.json()["detail"]


@pytest.mark.parametrize(
    "name", ["absent", "%00", "a%00b", "x" * 101, "%C3%A9", "-a", "a%0A", "..%2F..", "%F0%9F%8C%B5", "a%20b"]
)
def test_names_that_cannot_be_are_absent(client, register, name):
    register()
    for method, path in (
        ("POST", f"/v1/models/{name}/predict"),
        ("POST", f"/v1/models/plane/versions/{name}/predict"),
        ("POST", f"/v2/models/{name}/infer"),
        ("GET", f"/v2/models/plane/versions/{name}"),
        ("GET", f"/v1/models/{name}"),
        ("GET", f"/v1/models/{name}/versions"),
        ("GET", f"/v1/models/plane/versions/{name}/export"),
        ("DELETE", f"/v1/models/plane/versions/{name}"),
        ("DELETE", f"/v1/models/plane/aliases/{name}"),
    ):
        assert (
            client.request(method, path, content=b'{"rows": [[1, 2]]}' if method == "POST" else None).status_code == 404
        )


def test_another_owners_model_does_not_exist(client, register):
    register(owner="stranger")
    assert client.post(PREDICT, json={"rows": [[1, 2]]}).status_code == 404


def test_predicted_rows_are_counted(client, register, services):
    register()
    client.post(PREDICT, json={"rows": [[1, 2]] * 3})
    rendered = services.metrics.render().decode()
    assert 'riskscope_predicted_rows_total{protocol="native"} 3.0' in rendered
    assert "riskscope_cached_models 1.0" in rendered


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=12,
)
json_bodies = st.builds(
    lambda form, content: json.dumps({form: content}).encode(),
    st.sampled_from(["rows", "columns", "records"]),
    json_values,
)


@given(
    media_type=st.sampled_from(sorted(DECODERS)),
    body=st.binary(max_size=80)
    | st.text('ab,1.5e-"\n_\0', max_size=40).map(str.encode)
    | st.binary(max_size=60).map(lambda tail: b"\x93NUMPY\x01\x00" + tail)
    | st.text("{}'(),:descrfotan_hp 0123<f8TrueFalse", max_size=60).map(
        lambda text: b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    )
    | json_bodies,
)
def test_any_bytes_give_rows_or_a_refusal(media_type, body):
    try:
        rows = decode_rows(body, media_type, AB, 10)
    except Problem as problem:
        assert 400 <= problem.status < 500  # noqa: PT017  either outcome is right
    else:
        assert rows.numbers.dtype == np.float64
        assert rows.numbers.shape[1:] == (2,)
        assert np.isfinite(rows.numbers).all()


@given(rows=st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2), min_size=1, max_size=5))
def test_finite_rows_arrive_bit_for_bit(rows):
    by_rows = decode_rows(orjson.dumps({"rows": rows}), None, AB, 10)
    records = [{"b": b, "a": a} for a, b in rows]
    by_records = decode_rows(orjson.dumps({"records": records}), None, AB, 10)
    csv = "b,a\n" + "".join(f"{b!r},{a!r}\n" for a, b in rows)
    by_csv = decode_rows(csv.encode(), "text/csv", AB, 10)
    assert {found.numbers.tobytes() for found in (by_rows, by_records, by_csv)} == {np.array(rows).tobytes()}
