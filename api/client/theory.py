"""The catalogue of kinds, and the calculator of bounds."""

from typing import Any

from api.client.connection import Connection, place
from api.client.documents.theory import EvaluatedBounds, Family, Kind


class Catalogue:
    """What a job may name: targets, hypothesis spaces, learners, bounds, experiments."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def families(self) -> list[Family]:
        """Every family with the names of its kinds."""
        return [Family.model_validate(item) for item in self._connection.get("/v1/catalogue")["data"]]

    def kinds(self, family: str) -> list[Kind]:
        """Every kind of a family, described."""
        found = self._connection.get(place("/v1/catalogue/{}", family))
        return [Kind.model_validate(item) for item in found["data"]]

    def kind(self, family: str, kind: str) -> Kind:
        """Statement, assumptions, reference, examples, and the JSON Schema of the parameters."""
        return Kind.model_validate(self._connection.get(place("/v1/catalogue/{}/{}", family, kind)))


class Bounds:
    """Bounds from numbers alone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def evaluate(self, **inputs: Any) -> EvaluatedBounds:
        """Every formula whose inputs are given, or those named in `formulas`, each at `delta`.

        Norms and risks in label units; the inputs are those of POST /v1/bounds/evaluate.
        """
        found = self._connection.post("/v1/bounds/evaluate", repeatable=True, json=inputs)
        return EvaluatedBounds.model_validate(found)
