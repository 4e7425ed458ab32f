import numpy as np
import orjson
import pytest

INFER = "/v2/models/plane/infer"


def ask(client, rows, classes, **output):
    tensor = {"name": "inputs", "shape": list(np.shape(rows)), "datatype": "FP64", "data": rows}
    output["parameters"] = {"classification": classes, **output.get("parameters", {})}
    return client.post(INFER, json={"inputs": [tensor], "outputs": [{"name": "outputs", **output}]})


@pytest.fixture
def three_outputs(register):
    register(matrix=((1.0, 0.0, -1.0), (0.0, 1.0, 0.0)))


def test_largest_outputs_come_first_with_place_and_name(client, three_outputs):
    (tensor,) = ask(client, [[1, 2], [3, -1]], 2).json()["outputs"]
    assert tensor == {
        "name": "outputs",
        "datatype": "BYTES",
        "shape": [2, 2],
        "data": ["2.0:1:y1", "1.0:0:y0", "3.0:0:y0", "-1.0:1:y1"],
    }


def test_more_classes_than_outputs_are_all_outputs(client, three_outputs):
    assert ask(client, [[1, 2]], 9).json()["outputs"][0]["shape"] == [1, 3]


def test_of_equal_outputs_the_first_wins(client, three_outputs):
    assert ask(client, [[0, 0]], 1).json()["outputs"][0]["data"] == ["0.0:0:y0"]


def test_raw_texts_have_their_lengths_before_them(client, three_outputs):
    answer = ask(client, [[1, 2]], 1, parameters={"binary_data": True})
    length = int(answer.headers["Inference-Header-Content-Length"])
    assert orjson.loads(answer.content[:length])["outputs"][0]["parameters"] == {"binary_data_size": 12}
    assert answer.content[length:] == b"\x08\0\0\0" + b"2.0:1:y1"
