"""Raw columns become inputs as scikit-learn would make them, in torch and in the exported graph alike."""

import math

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from models import artefacts
from models.encoding import InputEncoding, RawRows, category_of, complete_numbers, learn_encoding, raw_rows
from models.errors import InvalidData
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel
from models.randomness import Randomness
from models.scaling import identity_scaling
from models.tables import Table

NAN = math.nan
TABLE = Table(
    order=("age", "colour", "code", "height", "shape"),
    numbers={
        "age": torch.tensor([1.0, NAN, 3.0, 8.0, NAN, 5.0]).double(),
        "code": torch.tensor([2.0, 1.0, 2.0, NAN, 7.0, 1.0]).double(),
        "height": torch.tensor([0.5, 1.5, 2.5, 3.5, NAN, 4.5]).double(),
    },
    texts={"colour": ["red", "blue", None, "red", "green", ""], "shape": ["o", "x", "o", "o", "x", "x"]},
    rows=6,
)
TRAINING = torch.tensor([0, 1, 2, 3])
ALL = torch.arange(6)


def learnt() -> InputEncoding:
    return learn_encoding(TABLE, TABLE.order, ("colour", "code", "shape"), TRAINING)


def test_numbers_agree_with_the_imputer_of_another_library():
    encoding = learnt()
    encoded = encoding.encode(raw_rows(TABLE, TABLE.order, ALL)).numpy()
    columns = np.stack([TABLE.numbers["age"].numpy(), TABLE.numbers["height"].numpy()], axis=1)
    imputer = SimpleImputer(add_indicator=True).fit(columns[:4])
    np.testing.assert_array_equal(encoded[:, :3], imputer.transform(columns))
    assert encoding.encoded_names[:3] == ("age", "height", "age is missing")


def test_levels_agree_with_the_one_hot_encoder_of_another_library():
    encoding = learnt()
    encoded = encoding.encode(raw_rows(TABLE, TABLE.order, ALL)).numpy()
    columns = np.array([[c or "" for c in TABLE.texts[name]] for name in ("colour", "shape")], dtype=object).T
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(columns[:4])
    theirs = encoder.transform(columns)
    # There the missing text sorts first, here it comes last.
    ours = encoded[:, 3:]
    np.testing.assert_array_equal(ours[:, [2, 0, 1]], theirs[:, :3])
    np.testing.assert_array_equal(ours[:, 6:], theirs[:, 3:])
    assert encoding.encoded_names[3:] == (
        "colour=blue", "colour=red", "colour is missing", "code=1", "code=2", "code is missing", "shape=o", "shape=x",
    )  # fmt: skip


def test_an_unknown_level_counts_as_none_of_the_levels():
    encoding = learnt()
    row = RawRows(torch.tensor([[4.0, 9.0, 1.0]]).double(), (["violet"], ["x"]))
    assert encoding.encode(row)[0].tolist() == [4.0, 1.0, 0.0, *[0.0] * 6, 0.0, 1.0]


def test_only_training_rows_decide():
    encoding = learnt()
    assert "colour=green" not in encoding.encoded_names
    assert "code=7" not in encoding.encoded_names
    height = next(column for column in encoding.numbers if column.name == "height")
    assert (height.fill, height.indicator, height.accepts_missing) == (2.0, False, True)


def test_infinite_values_are_refused_by_the_columns_name():
    numbers = {"a": torch.tensor([1.0, math.inf]).double()}
    with pytest.raises(InvalidData, match="'a' holds infinite"):
        raw_rows(Table(order=("a",), numbers=numbers, texts={}, rows=2), ["a"], torch.arange(2))


def test_a_column_without_any_value_becomes_a_constant():
    numbers = {"a": torch.full((3,), NAN).double(), "b": torch.arange(3.0).double()}
    table = Table(order=("a", "b"), numbers=numbers, texts={}, rows=3)
    encoded = learn_encoding(table, ("a", "b"), (), ALL[:3]).encode(raw_rows(table, ("a", "b"), ALL[:3]))
    assert encoded.tolist() == [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 2.0, 1.0]]


def exported_with(encoding: InputEncoding) -> tuple[LearnedModel, artefacts.ExportedModel]:
    space = TwoLayer(kind="two_layer", width=7)
    scalings = identity_scaling(encoding.dimension), identity_scaling(1)
    model = LearnedModel(space, space.draw(encoding.dimension, 1, Randomness(0), torch.float64), *scalings)
    model.parameters["coefficients"].copy_(torch.linspace(-1, 1, 7).reshape(-1, 1))
    return model, artefacts.export(model, name="m", encoding=encoding, output_names=["y"], provenance={})


@pytest.mark.parametrize(
    ("features", "categories"),
    [
        (("age", "colour", "code", "height", "shape"), ("colour", "code", "shape")),
        (("shape", "colour"), ("shape", "colour")),
        (("height", "age"), ()),
        (("code",), ("code",)),
        (("shape", "height"), ("shape",)),
    ],
)
def test_the_runtime_answers_raw_rows_like_the_model(features, categories):
    encoding = learn_encoding(TABLE, features, categories, TRAINING)
    model, exported = exported_with(encoding)
    rows = raw_rows(TABLE, features, ALL)
    session = onnxruntime.InferenceSession(exported.graph)
    feeds = {}
    if encoding.number_names:
        feeds["inputs"] = rows.numbers.numpy()
    if encoding.text_names:
        feeds["categories"] = np.array(rows.texts, dtype=object).T
    assert {entry.name for entry in session.get_inputs()} == set(feeds)
    (served,) = session.run(None, feeds)
    np.testing.assert_allclose(served, model(encoding.encode(rows)).numpy(), rtol=1e-12, atol=1e-14)
    assert exported.manifest["export_check"]["rows"] == 64
    read = artefacts.load(exported.manifest, exported.weights)
    assert InputEncoding.model_validate(read.manifest["encoding"]) == encoding


def test_a_missing_value_stays_missing_where_the_table_was_complete():
    encoding = learn_encoding(TABLE, ("height", "age"), (), torch.arange(4))
    complete = complete_numbers(["a", "b"])
    assert encoding.columns[0].accepts_missing
    assert math.isnan(complete.encode(RawRows(torch.tensor([[NAN, 1.0]]).double()))[0, 0])


def test_complete_numbers_leave_no_trace_in_the_manifest():
    _, exported = exported_with(complete_numbers(["a", "b"]))
    assert exported.manifest["encoding"] is None
    assert exported.manifest["input_names"] == ["a", "b"]


def test_classes_are_levels_in_order():
    classes = category_of(TABLE, "code", TRAINING)
    assert classes.levels == (1.0, 2.0)
    assert classes.encode(torch.tensor([2.0, 7.0]).double()).tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
