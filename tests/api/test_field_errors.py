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
        ({"kind": "fit", "data": LEAF, "bounds": [LEAF, {"kind": "target"}]}, {"/spec/bounds/1/target"}),
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


class Shapes(BaseModel):
    model_config = ConfigDict(extra="forbid")
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=2, max_length=3)
    leaf: Leaf | None = None
    names: dict[str, str] = {}
    risk: float = Field(default=1.0, le=1e300)


def details(body: dict[str, object]) -> dict[str, str]:
    with pytest.raises(ValidationError) as raised:
        Shapes.model_validate(body)
    return {error.pointer: error.detail for error in field_errors(raised.value.errors(), body)}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"widths": 3}, {"/widths": "Input should be a list."}),
        ({"widths": {}}, {"/widths": "Input should be a list."}),
        ({"widths": [2]}, {"/widths": "There should be at least 2 entries, not 1."}),
        ({"widths": [1, 2, 3, 4]}, {"/widths": "There should be at most 3 entries, not 4."}),
        ({"widths": [1, 2], "leaf": []}, {"/leaf": "Input should be an object."}),
        ({"widths": [1, 2], "names": []}, {"/names": "Input should be an object."}),
        ({"widths": [1, 2], "width": 3}, {"/width": "There is no such field."}),
        ({"widths": [1, 2], "risk": 1e301}, {"/risk": "Input should be less than or equal to 1e+300"}),
    ],
)
def test_details_speak_of_lists_and_objects(body: dict[str, object], expected: dict[str, str]) -> None:
    assert details(body) == expected


def test_refused_entries_do_not_make_their_list_too_short() -> None:
    assert set(details({"widths": [0, 1]})) == {"/widths/0"}
    assert set(details({"widths": [0]})) == {"/widths/0", "/widths"}
