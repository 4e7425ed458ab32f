"""The catalogue for the eye: every kind with its parameters as rows of a table."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from api.theory import KindDescription, describe_family, families


@dataclass(frozen=True)
class Parameter:
    """One parameter in words; `default` None: it must be given."""

    name: str
    type: str
    default: str | None
    description: str


@dataclass(frozen=True)
class DescribedKind:
    """A kind, its docstring in paragraphs, and its parameters."""

    description: KindDescription
    paragraphs: tuple[str, ...]
    parameters: tuple[Parameter, ...]


@cache
def described_families() -> dict[str, tuple[DescribedKind, ...]]:
    """Every family in order."""
    return {
        family: tuple(_described(description) for description in describe_family(family) or []) for family in families()
    }


def _described(description: KindDescription) -> DescribedKind:
    schema = description.parameters
    parameters = tuple(
        Parameter(
            name=name,
            type=type_in_words(field),
            default=_in_words(field["default"]) if "default" in field else None,
            description=field.get("description", ""),
        )
        for name, field in schema["properties"].items()
        if name != "kind"
    )
    text = schema.get("description", "")
    return DescribedKind(description, tuple(" ".join(part.split()) for part in text.split("\n\n")), parameters)


def type_in_words(schema: dict[str, Any]) -> str:
    """A JSON Schema in a few words: "integer, 1 to 64", "one of cosine, constant", "number or none"."""
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_in_words(choice) for choice in schema["anyOf"]))
    if "discriminator" in schema:
        return "a kind: " + ", ".join(schema["discriminator"]["mapping"])
    if "oneOf" in schema:
        return " or ".join(dict.fromkeys(type_in_words(choice) for choice in schema["oneOf"]))
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return "list of " + ", ".join(type_in_words(item) for item in schema["prefixItems"])
        return "list of " + type_in_words(schema["items"]) if "items" in schema else "list"
    if "$ref" in schema:
        return "object"
    if schema.get("type") == "null":
        return "none"
    return str(schema.get("type", "anything")) + _range(schema)


def _range(schema: dict[str, Any]) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    above = "above " if "exclusiveMinimum" in schema else ""
    below = "below " if "exclusiveMaximum" in schema else ""
    if high is None:
        return f", {above or 'at least '}{low:g}"
    if low is None:
        return f", {below or 'at most '}{high:g}"
    return f", {above}{low:g} to {below}{high:g}"


def _in_words(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{name} = {_in_words(item)}" for name, item in value.items())
    return str(value)
