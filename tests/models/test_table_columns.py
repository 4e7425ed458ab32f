"""Which columns a job takes, and what is said of those that it cannot."""

import pytest
from pydantic import TypeAdapter, ValidationError

from models.data import Data, DatasetData
from models.errors import InvalidData
from models.plan import TableShape

SHAPE = TableShape(
    rows=100,
    columns=("day", "age", "colour", "size", "id", "price", "broken", "empty"),
    numeric=("age", "size", "price", "broken"),
    dates=("day",),
    incomplete={"age": 10, "colour": 3, "price": 20},
    infinite={"broken": 2},
    distinct={"colour": 4, "size": 5, "age": 50, "empty": 0},
)


def data(**changes) -> DatasetData:
    record = {"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["price"]}
    return TypeAdapter(Data).validate_python(record | {"feature_columns": ["age", "size"]} | changes)


def shape_of(**changes):
    return data(**changes).shape({"ds_1": SHAPE})


def test_numbers_and_declared_categories_are_the_features_by_default():
    columns = data(feature_columns=None, category_columns=["colour", "size"], target_columns=["price"])
    with pytest.raises(InvalidData, match="'broken' holds 2 infinite"):
        columns.columns(SHAPE)
    whole = SHAPE.model_copy(update={"infinite": {}})
    chosen = columns.columns(whole)
    assert chosen.features == ("age", "colour", "size", "broken")
    assert chosen.categories == ("colour", "size")


def test_categories_follow_named_features():
    assert data(category_columns=["colour"]).columns(SHAPE).features == ("age", "size", "colour")
    named = data(feature_columns=["colour", "age"], category_columns=["colour"])
    assert named.columns(SHAPE).features == ("colour", "age")


def test_dimension_counts_indicators_and_levels():
    # age and its indicator, size, colour's four levels and the missing one.
    assert shape_of(category_columns=["colour"]) == (3 + 5, 1, 64)


def test_rows_without_a_label_are_not_counted():
    assert shape_of(test_fraction=0.5)[2] == 40
    assert shape_of(test_rows=list(range(50)))[2] == 50


def test_target_that_is_a_category_has_an_output_a_class():
    assert shape_of(target_columns=["size"], feature_columns=["age"], category_columns=["size"])[:2] == (2, 5)


@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"feature_columns": ["age", "nothing"]}, "feature_columns", "no column 'nothing'"),
        ({"category_columns": ["nothing"]}, "category_columns", "no column 'nothing'"),
        ({"feature_columns": ["day"]}, "feature_columns", "dates"),
        ({"category_columns": ["day"]}, "category_columns", "dates"),
        ({"target_columns": ["day"]}, "target_columns", "dates"),
        ({"feature_columns": ["colour"]}, "feature_columns", "category_columns"),
        ({"target_columns": ["colour"]}, "target_columns", "category_columns"),
        ({"category_columns": ["id"]}, "category_columns", "more than 1000"),
        ({"category_columns": ["empty"]}, "category_columns", "no value"),
        ({"feature_columns": ["broken"]}, "feature_columns", "infinite"),
        ({"target_columns": ["price", "colour"], "category_columns": ["colour"]}, "target_columns", "alone"),
        ({"missing": "refuse"}, "target_columns", "misses 20 values"),
        ({"missing": "refuse", "target_columns": ["size"], "feature_columns": ["age"]}, "feature_columns", "misses 10"),
        ({"test_rows": [100]}, "test_rows", "outside"),
        ({"test_fraction": 0.999}, "test_fraction", "no training row"),
    ],
)
def test_refusal_names_the_field_and_the_reason(changes, field, word):
    with pytest.raises(InvalidData, match=word) as caught:
        shape_of(**changes)
    assert caught.value.param == f"/data/{field}"


def test_only_a_target_leaves_no_feature():
    only = TableShape(rows=3, columns=("y", "t"), numeric=("y",), distinct={"t": 2})
    with pytest.raises(InvalidData, match="No feature"):
        data(target_columns=["y"], feature_columns=None).shape({"ds_1": only})


@pytest.mark.parametrize(
    "changes", [{"category_columns": ["a", "a"]}, {"feature_columns": ["a", "a"]}, {"missing": "drop"}]
)
def test_specification_refuses_what_cannot_be_meant(changes):
    with pytest.raises(ValidationError):
        data(**changes)
