import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Malformed, Problem
from api.serving.inference_request import read_request
from api.serving.inputs import InputColumn, InputSchema

AB = InputSchema((InputColumn("a"), InputColumn("b")))

INFER = "/v2/models/plane/infer"


def request(data, shape=(1, 2), datatype="FP64", **members):
    tensor = {"name": "inputs", "shape": list(shape), "datatype": datatype, "data": data}
    return {"inputs": [tensor], **members}


def binary_request(rows, datatype="<f8", name="FP64", **members):
    raw = np.asarray(rows, dtype=datatype).tobytes()
    tensor = {"name": "inputs", "shape": list(np.shape(rows)), "datatype": name}
    tensor["parameters"] = {"binary_data_size": len(raw)}
    header = json.dumps({"inputs": [tensor], **members}).encode()
    return header + raw, {"Inference-Header-Content-Length": str(len(header))}


def test_tensors_flat_and_nested_are_the_same(client, register):
    register()
    flat = client.post(INFER, json=request([1, 2, 3, 4], (2, 2), id="q1"))
    nested = client.post(INFER, json=request([[1, 2], [3, 4]], (2, 2), id="q1"))
    assert flat.status_code == 200
    assert flat.json() == nested.json()
    assert flat.json() == {
        "model_name": "plane",
        "model_version": "1",
        "id": "q1",
        "parameters": {
            "risk_upper_bound": 0.25,
            "loss_cap": 4.0,
            "confidence": 0.95,
            "sample_size": 100,
            "labels_outside_range": 0,
        },
        "outputs": [{"name": "outputs", "datatype": "FP64", "shape": [2, 1], "data": [21.0, 43.0]}],
    }


def test_vacuous_certificate_is_inf_and_none_is_absent(client, register):
    register(
        certificate={
            "risk_upper_bound": "inf",
            "loss_cap": "inf",
            "confidence": 0.95,
            "sample_size": 3,
            "labels_outside_range": 0,
        }
    )
    assert client.post(INFER, json=request([1, 2])).json()["parameters"]["risk_upper_bound"] == "inf"
    register(certificate=None)
    assert "parameters" not in client.post(INFER, json=request([1, 2])).json()


@pytest.mark.parametrize(
    ("datatype", "answered"), [("FP32", "FP32"), ("FP64", "FP64"), ("INT32", "FP64"), ("INT64", "FP64")]
)
def test_answer_has_the_datatype_of_the_question(client, register, datatype, answered):
    register(shift=0.1)
    tensor = client.post(INFER, json=request([1, 2], datatype=datatype)).json()["outputs"][0]
    assert tensor["datatype"] == answered
    assert tensor["data"] == [21.1]


def test_request_without_content_type_is_read(client, register):
    register()
    answer = client.post(INFER, content=json.dumps(request([1, 2])).encode())
    assert "content-type" not in answer.request.headers
    assert answer.json()["outputs"][0]["data"] == [21.0]


@pytest.mark.parametrize(("datatype", "name"), [("<f8", "FP64"), ("<f4", "FP32"), ("<i4", "INT32"), ("<i8", "INT64")])
def test_binary_tensors_arrive_and_return(client, register, datatype, name):
    register()
    wanted = {"outputs": [{"name": "outputs", "parameters": {"binary_data": True}}], "id": "b"}
    body, headers = binary_request([[1, 2], [3, 4]], datatype, name, **wanted)
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["Inference-Header-Content-Length"])
    header = json.loads(answer.content[:length])
    tensor = header["outputs"][0]
    assert header["id"] == "b"
    values = np.frombuffer(answer.content[length:], dtype="<f4" if tensor["datatype"] == "FP32" else "<f8")
    assert tensor["parameters"] == {"binary_data_size": values.nbytes}
    assert values.tolist() == [21.0, 43.0]


def test_binary_in_may_be_json_out_and_the_reverse(client, register):
    register()
    body, headers = binary_request([[1, 2]])
    assert client.post(INFER, content=body, headers=headers).json()["outputs"][0]["data"] == [21.0]
    answer = client.post(INFER, json=request([1, 2], parameters={"binary_data_output": True}))
    assert np.frombuffer(answer.content[-8:], "<f8").tolist() == [21.0]


@pytest.mark.parametrize(
    "shape", [(2, 2), (10**15, 2), (2**64, 2), (1, 3), (2,), (1, 1, 2), (0, 2), (-1, -2), (1.0, 2)]
)
def test_shape_that_lies_is_refused(shape):
    with pytest.raises(Malformed):
        read_request(json.dumps(request([1, 2], shape)).encode(), None, AB, 10)
    body, _ = binary_request([[1, 2]])
    lying = body.replace(b'"shape": [1, 2]', f'"shape": {json.dumps(list(shape))}'.encode())
    with pytest.raises(Malformed):
        read_request(lying, str(len(lying) - 16), AB, 10)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"inputs": []},
        {"inputs": [3]},
        request([1, 2], id=7),
        request([1, 2], datatype="FP16"),
        request([1, 2], datatype=["FP64"]),
        request([1, 2], datatype="BYTES"),
        request([1, None]),
        request([1, "2"]),
        request([True, 2]),
        request([1, 2.5], datatype="INT64"),
        request([2**40, 2], datatype="INT32"),
        request([2**64 - 1, 2], datatype="INT64"),
        request([1e300, 2], datatype="FP32"),
        request([[1, 2], [3]], (2, 2)),
        request([[1], [2]], (1, 2)),
        request([[[1, 2]]]),
        request({"0": 1}),
        request(None),
        request([1, 2], outputs=[{"name": "nothing"}]),
        request([1, 2], outputs={}),
        request([1, 2], outputs=[{"name": "outputs", "parameters": {"binary_data": 1}}]),
        request([1, 2], outputs=[{"name": "outputs", "parameters": {"classification": 0}}]),
        request([1, 2], outputs=[{"name": "outputs", "parameters": {"classification": True}}]),
        request([1, 2], outputs=[{"name": "outputs"}] * 2),
        request([1, 2], parameters={"timeout": -1}),
        request([1, 2], parameters={"timeout": "soon"}),
        request([1, 2], parameters=[]),
        {"inputs": [{**request([1, 2])["inputs"][0], "name": "x"}]},
        {"inputs": request([1, 2])["inputs"] * 2},
        {"inputs": [{**request([1, 2])["inputs"][0], "parameters": {"shared_memory_region": "r"}}]},
        {"inputs": [{**request([1, 2])["inputs"][0], "parameters": {"binary_data_size": 16}}]},
    ],
)
def test_bad_inference_is_malformed(document):
    with pytest.raises(Malformed):
        read_request(json.dumps(document).encode(), None, AB, 10)


def test_bad_inference_is_400_with_an_error(client, register):
    register()
    answer = client.post(INFER, json=request([1, 2, 3]))
    assert answer.status_code == 400
    assert answer.json()["error"] == answer.json()["detail"]


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "999999", "9" * 30, "²"])
def test_header_length_that_lies_is_refused(length):
    with pytest.raises(Malformed):
        read_request(json.dumps(request([1, 2])).encode(), length, AB, 10)


def test_infinity_in_binary_is_refused(client, register):
    register()
    body, headers = binary_request([[1, np.inf]])
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.status_code == 400
    assert "element 1" in answer.json()["error"]


def test_answer_beyond_fp32_is_refused(client, register):
    register(matrix=((1e300,), (1.0,)))
    assert client.post(INFER, json=request([1, 2], datatype="FP32")).status_code == 400
    assert client.post(INFER, json=request([1, 2], datatype="FP64")).status_code == 200


def test_cap_of_rows_answers_with_its_number(client, register):
    register(matrix=((1.0,),))
    answer = client.post(INFER, json=request([1] * 100_001, (100_001, 1)))
    assert answer.status_code == 413
    assert "100000" in answer.json()["error"]


def test_metadata_describes_the_tensors(client, register):
    register(), register()
    document = client.get("/v2/models/plane").json()
    assert document["versions"] == ["2", "1"]
    assert document["inputs"] == [
        {"name": "inputs", "datatype": "FP64", "shape": [-1, 2], "parameters": {"columns": ["a", "b"]}}
    ]
    assert document["outputs"][0]["shape"] == [-1, 1]
    assert client.get("/v2/models/plane/versions/1").json()["versions"] == ["1"]
    assert client.get("/v2/models").json() == {"models": ["plane"]}


def test_server_says_what_it_is(client):
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data", "classification", "statistics"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}


def test_readiness_of_a_model_is_the_truth(client, register, services):
    model = register()
    assert client.get("/v2/models/plane/ready").json() == {"name": "plane", "ready": True}
    assert client.get("/v2/models/plane/versions/1/ready").status_code == 200
    assert client.get("/v2/models/plane/versions/2/ready").status_code == 404
    assert client.get("/v2/models/nothing/ready").status_code == 404
    services.sessions.close()
    services.store.remove(model.files["graph"]["uri"])
    assert client.get("/v2/models/plane/ready").status_code == 500


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "shape", "datatype", "data", "parameters", "binary_data_size"]), inner
        )
    ),
    max_leaves=8,
)
tensors = st.fixed_dictionaries(
    {
        "name": st.just("inputs") | values,
        "shape": st.just([1, 2]) | st.lists(st.integers(-1, 2**66), max_size=3) | values,
        "datatype": st.sampled_from(["FP64", "FP32", "INT32", "INT64", "BYTES"]) | values,
    },
    optional={"data": st.just([1, 2]) | values, "parameters": st.just({"binary_data_size": 16}) | values},
)
documents = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=2) | values},
    optional={"id": values, "outputs": values, "parameters": values},
)


@given(
    header=documents.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=20),
    tail=st.binary(max_size=16),
    length=st.none() | st.text("0123456789-+ ", max_size=4),
    honest=st.booleans(),
)
def test_any_request_is_read_or_refused(header, tail, length, honest):
    try:
        read = read_request(header + tail, str(len(header)) if honest else length, AB, 10)
    except Problem as problem:
        assert 400 <= problem.status < 500  # noqa: PT017  either outcome is right
    else:
        assert read.rows.numbers.shape[1:] == (2,)
        assert np.isfinite(read.rows.numbers).all()


@given(rows=st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2), min_size=1, max_size=5))
def test_json_and_binary_tensors_are_bit_for_bit_the_same(rows):
    body, headers = binary_request(rows)
    binary = read_request(body, headers["Inference-Header-Content-Length"], AB, 10)
    in_json = read_request(json.dumps(request(rows, (len(rows), 2))).encode(), None, AB, 10)
    assert binary.rows.numbers.tobytes() == in_json.rows.numbers.tobytes() == np.array(rows).tobytes()
