"""Checks generated for every discovered kind of every family, from its examples.

What a family's own kinds must do: test_every_target.py, test_every_hypothesis_space.py, test_every_learner.py.
"""

import importlib
import json

import pytest
from pydantic import ValidationError

from models.kinds import Kind

FAMILY_PACKAGES = {
    "targets": "TARGETS",
    "hypothesis_spaces": "HYPOTHESIS_SPACES",
    "learners": "LEARNERS",
    "bounds": "BOUNDS",
    "experiments": "EXPERIMENTS",
}


def kinds_of(package: str) -> dict[str, type[Kind]]:
    return getattr(importlib.import_module(f"models.{package}"), FAMILY_PACKAGES[package])


def every_kind() -> list:
    return [
        pytest.param(package, kind, leaf, id=f"{package}-{kind}")
        for package in FAMILY_PACKAGES
        for kind, leaf in kinds_of(package).items()
    ]


@pytest.mark.parametrize(("package", "kind", "leaf"), every_kind())
class TestAKind:
    def test_file_name_is_the_kind(self, package, kind, leaf):
        assert leaf.__module__ == f"models.{package}.{kind}"

    def test_statement_formula_and_docstring_exist(self, package, kind, leaf):
        assert leaf.statement
        assert leaf.formula
        assert leaf.__doc__

    def test_reference_is_in_the_bibliography(self, package, kind, leaf):
        from models.catalogue import reference

        assert reference(leaf.reference).endswith(".")

    def test_examples_survive_json(self, package, kind, leaf):
        assert leaf.examples
        for example in leaf.examples:
            parsed = leaf.model_validate(example)
            assert leaf.model_validate_json(parsed.model_dump_json()) == parsed
            assert json.loads(json.dumps(example))["kind"] == kind

    def test_unknown_field_is_refused(self, package, kind, leaf):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            leaf.model_validate({**leaf.examples[0], "no_such_field": 1})

    def test_tag_is_required(self, package, kind, leaf):
        untagged = {key: value for key, value in leaf.examples[0].items() if key != "kind"}
        with pytest.raises(ValidationError):
            leaf.model_validate(untagged)

    def test_specification_is_frozen(self, package, kind, leaf):
        with pytest.raises(ValidationError):
            leaf.model_validate(leaf.examples[0]).kind = "other"

    def test_schema_builds_and_says_what_its_numbers_may_be(self, package, kind, leaf):
        schema = leaf.model_json_schema()
        json.dumps(schema)
        for name, field in schema["properties"].items():
            for option in field.get("anyOf", [field]):
                if option.get("type") in ("number", "integer") and "const" not in option:
                    assert {"minimum", "exclusiveMinimum"} & option.keys(), f"{name} has no lower bound"
