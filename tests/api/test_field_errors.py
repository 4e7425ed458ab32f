"""Pydantic's locations become pointers into what the client sent."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.field_errors import MAX_FIELD_ERRORS, field_errors, json_pointer


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["target"]
    # A field named like the tag of its own object.
    target: int
    size: int = 1


class Other(BaseModel):
    kind: Literal["dataset"]
    rows: list[int]


class Nested(BaseModel):
    kind: Literal["fit"]
    data: Annotated[Leaf | Other, Field(discriminator="kind")]
    bounds: Literal["all"] | list[Annotated[Leaf | Other, Field(discriminator="kind")]] = "all"


class Second(BaseModel):
    kind: Literal["other"]


Specification = TypeAdapter(dict[Literal["spec"], Annotated[Nested | Second, Field(discriminator="kind")]])


def pointers(body: object) -> set[str]:
    with pytest.raises(ValidationError) as raised:
        Specification.validate_python(body)
    return {error.pointer for error in field_errors(raised.value.errors(), body)}


LEAF = {"kind": "target", "target": 1}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"kind": "fit", "data": {"kind": "target"}}, {"/spec/data/target"}),
        ({"kind": "fit", "data": LEAF | {"target": "x"}}, {"/spec/data/target"}),
        ({"kind": "fit", "data": LEAF | {"size": "x"}}, {"/spec/data/size"}),
        ({"kind": "fit", "data": LEAF | {"more": 1}}, {"/spec/data/more"}),
        ({"kind": "fit", "data": LEAF | {"a/b~c": 1}}, {"/spec/data/a~1b~0c"}),
        ({"kind": "fit", "data": {"kind": "dataset", "rows": [1, "x"]}}, {"/spec/data/rows/1"}),
        ({"kind": "fit", "data": {"kind": "nope"}}, {"/spec/data/kind"}),
        ({"kind": "fit", "data": {}}, {"/spec/data/kind"}),
        ({"kind": "fit"}, {"/spec/data"}),
        ({"kind": "fit", "data": 3}, {"/spec/data"}),
        ({"kind": "fit", "data": LEAF, "bounds": 3}, {"/spec/bounds"}),
        ({"kind": "fit", "data": LEAF, "bounds": {}}, {"/spec/bounds"}),
        (
            {"kind": "fit", "data": LEAF, "bounds": [LEAF, {"kind": "target"}]},
            {"/spec/bounds", "/spec/bounds/1/target"},
        ),
        ({"kind": "nope"}, {"/spec/kind"}),
        ({}, {"/spec/kind"}),
    ],
)
def test_every_bad_field_is_pointed_at(spec: object, expected: set[str]) -> None:
    assert pointers({"spec": spec}) == expected


def test_unknown_kind_lists_the_known_ones_and_echoes_little() -> None:
    body = {"spec": {"kind": "x" * 10_000}}
    with pytest.raises(ValidationError) as raised:
        Specification.validate_python(body)
    (error,) = field_errors(raised.value.errors(), body)
    assert "'fit', 'other'" in error.detail
    assert len(error.detail) < 300


def test_input_is_not_echoed() -> None:
    body = {"spec": {"kind": "fit", "data": LEAF | {"size": "secret"}}}
    with pytest.raises(ValidationError) as raised:
        Specification.validate_python(body)
    assert "secret" not in str(field_errors(raised.value.errors(), body))


def test_many_errors_are_cut_off() -> None:
    body = {"spec": {"kind": "fit", "data": {"kind": "dataset", "rows": ["x"] * 1000}}}
    with pytest.raises(ValidationError) as raised:
        Specification.validate_python(body)
    assert len(field_errors(raised.value.errors(), body)) == MAX_FIELD_ERRORS


def test_missing_step_of_another_error_is_a_tag() -> None:
    assert json_pointer(["a", "literal['x']"], {"a": {}}) == "/a"
    assert json_pointer(["a", "b"], {"a": {}}, missing=True) == "/a/b"
    assert json_pointer([], {}) == ""
