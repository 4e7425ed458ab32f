"""The catalogue and the calculator of bounds."""

from typing import Any, Literal

from api.client.documents.base import Document


class Assumption(Document):
    """Under what a statement holds."""

    name: str
    text: str


class Kind(Document):
    """A kind that a job may name; `parameters` is its JSON Schema."""

    family: str
    kind: str
    statement: str
    formula: str
    assumptions: list[Assumption]
    reference: str
    examples: list[dict[str, Any]]
    parameters: dict[str, Any]


class Family(Document):
    """A family and the names of its kinds."""

    family: str
    kinds: list[str]


class EvaluatedBound(Document):
    """One bound; its terms add up to the value, and `vacuous` compares it with `trivial_value`."""

    formula: str
    bounds: str
    side: Literal["upper", "lower"]
    delta: float
    value: float
    terms: dict[str, float]
    inputs: dict[str, float]
    trivial_value: float
    vacuous: bool
    statement: str
    reference: str


class EvaluatedBounds(Document):
    """Every bound that the inputs determine, each at its own failure probability delta."""

    object: Literal["bounds"]
    data: list[EvaluatedBound]
    all_hold_with_probability_at_least: float
    delta_split: float
