"""A model of a table with missing values, categories and classes is asked with the table's own rows."""

import struct

import numpy as np
import orjson
import pytest
import torch

from api.errors import Malformed, Problem
from api.serving.inference_request import read_request
from api.serving.inputs import InputColumn, InputSchema
from models import artefacts
from models.encoding import CategoryColumn, InputEncoding, NumberColumn
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel
from models.randomness import Randomness
from models.scaling import identity_scaling

ENCODING = InputEncoding(
    columns=(
        NumberColumn(name="age", fill=40.0, indicator=True, accepts_missing=True),
        CategoryColumn(name="colour", values="text", levels=("blue", "red"), missing_level=True, accepts_missing=True),
        CategoryColumn(name="code", values="number", levels=(1.0, 2.0)),
        NumberColumn(name="height"),
    )
)
CLASSES = CategoryColumn(name="kind", values="text", levels=("cat", "dog"))
SCHEMA = InputSchema(
    (
        InputColumn("age", accepts_missing=True),
        InputColumn("colour", "text", accepts_missing=True, levels=("blue", "red")),
        InputColumn("code", levels=(1.0, 2.0)),
        InputColumn("height"),
    )
)
PREDICT, INFER = "/v1/models/pets/predict", "/v2/models/pets/infer"
ROWS = [[30.0, "red", 2, 1.5], [None, "violet", 1, 0.5], [10, None, 3, -1]]


@pytest.fixture
def expected(register_exported) -> np.ndarray:
    """The model registered; what it says of ROWS."""
    space = TwoLayer(kind="two_layer", width=8)
    scalings = identity_scaling(ENCODING.dimension), identity_scaling(2)
    model = LearnedModel(space, space.draw(ENCODING.dimension, 2, Randomness(0), torch.float64), *scalings)
    model.parameters["coefficients"].copy_(torch.linspace(-1, 1, 16).reshape(8, 2))
    names = CLASSES.encoded_names
    exported = artefacts.export(
        model, name="pets", encoding=ENCODING, output_names=names, classes=CLASSES, provenance={}
    )
    register_exported("pets", exported)
    encoded = torch.tensor(
        [
            [30.0, 1.5, 0, 0, 1, 0, 0, 1],
            [40.0, 0.5, 1, 0, 0, 0, 1, 0],
            [10.0, -1.0, 0, 0, 0, 1, 0, 0],
        ],
        dtype=torch.float64,
    )
    return model(encoded).numpy()


def csv_of(rows) -> bytes:
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return "\n".join(["age,colour,code,height", *lines]).encode()


def test_every_form_takes_raw_rows(client, expected):
    names = ["age", "colour", "code", "height"]
    columns = {name: [row[place] for row in ROWS] for place, name in enumerate(names)}
    records = [dict(zip(names, row, strict=True)) for row in ROWS]
    bodies = [{"rows": ROWS}, {"columns": columns}, {"records": records}]
    answers = [client.post(PREDICT, json=body) for body in bodies]
    answers.append(client.post(PREDICT, content=csv_of(ROWS), headers={"Content-Type": "text/csv"}))
    for answer in answers:
        assert answer.status_code == 200, answer.json()
        np.testing.assert_allclose(answer.json()["predictions"], expected, rtol=1e-12)
    assert answers[0].json()["outputs"] == ["kind=cat", "kind=dog"]
    assert answers[0].json()["labels"] == [("cat", "dog")[place] for place in expected.argmax(axis=1)]


@pytest.mark.parametrize(
    ("row", "pointer"),
    [
        ([30, "red", 2, None], "/rows/0/3"),
        ([30, "red", None, 1], "/rows/0/2"),
        ([30, 5, 2, 1], "/rows/0/1"),
        (["old", "red", 2, 1], "/rows/0/0"),
        ([30, "red", 2], "/rows/0"),
    ],
)
def test_what_a_column_does_not_take_is_named(client, expected, row, pointer):
    answer = client.post(PREDICT, json={"rows": [row]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_an_array_of_numbers_cannot_hold_text(client, expected):
    answer = client.post(PREDICT, content=b"\x93NUMPY", headers={"Content-Type": "application/x-npy"})
    assert answer.status_code == 422
    assert "'colour' is text" in answer.json()["detail"]


def tensors(binary: bool) -> tuple[bytes, dict[str, str]]:
    numbers = np.array([[row[0] if row[0] is not None else np.nan, row[2], row[3]] for row in ROWS], dtype=np.float64)
    texts = [row[1] or "" for row in ROWS]
    first = {"name": "inputs", "datatype": "FP64", "shape": [3, 3]}
    second = {"name": "categories", "datatype": "BYTES", "shape": [3, 1]}
    if not binary:
        first["data"] = [[None if np.isnan(cell) else cell for cell in row] for row in numbers.tolist()]
        second["data"] = texts
        return orjson.dumps({"inputs": [second, first]}), {}
    raw = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    first["parameters"] = {"binary_data_size": numbers.nbytes}
    second["parameters"] = {"binary_data_size": len(raw)}
    header = orjson.dumps({"inputs": [second, first]})
    return header + raw + numbers.tobytes(), {"Inference-Header-Content-Length": str(len(header))}


@pytest.mark.parametrize("binary", [True, False])
def test_inference_takes_a_tensor_of_numbers_and_one_of_text(client, expected, binary):
    body, headers = tensors(binary)
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.status_code == 200, answer.json()
    np.testing.assert_allclose(np.reshape(answer.json()["outputs"][0]["data"], (3, 2)), expected, rtol=1e-12)


def test_metadata_names_both_tensors_and_the_schema_its_levels(client, expected):
    described = {tensor["name"]: tensor for tensor in client.get("/v2/models/pets").json()["inputs"]}
    assert described["inputs"]["parameters"]["columns"] == ["age", "code", "height"]
    assert described["categories"]["datatype"] == "BYTES"
    assert described["categories"]["shape"] == [-1, 1]
    document = client.get("/v1/models/pets").json()
    assert document["classes"] == ["cat", "dog"]
    assert document["input_schema"][1] == {
        "name": "colour",
        "datatype": "BYTES",
        "accepts_missing": True,
        "levels": ["blue", "red"],
    }


def changed(place: int, **members):
    body, _ = tensors(binary=False)
    document = orjson.loads(body)
    document["inputs"][place] |= members
    return document


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": changed(0)["inputs"][:1]},
        {"inputs": changed(0)["inputs"][:1] * 2},
        changed(0, datatype="FP64"),
        changed(0, data=[1, 2, 3]),
        changed(0, shape=[2, 1], data=["a", "b"]),
        changed(0, shape=[3, 2]),
        changed(1, data=[[1, 2, None]] * 3),
        changed(1, datatype="BYTES"),
        changed(0, name="colour"),
        changed(0, parameters={"binary_data_size": 4}),
    ],
)
def test_tensors_that_do_not_fit_are_refused(document):
    with pytest.raises(Malformed):
        read_request(orjson.dumps(document), None, SCHEMA, 10)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_cut_off_binary_texts_are_refused(cut):
    body, headers = tensors(binary=True)
    with pytest.raises(Problem):
        read_request(body[:-cut], headers["Inference-Header-Content-Length"], SCHEMA, 10)


def test_a_text_that_may_not_be_missing_must_not_be_empty():
    strict = InputSchema((InputColumn("colour", "text"),))
    tensor = {"name": "categories", "datatype": "BYTES", "shape": [1, 1], "data": [""]}
    with pytest.raises(Malformed, match="'colour'"):
        read_request(orjson.dumps({"inputs": [tensor]}), None, strict, 10)
