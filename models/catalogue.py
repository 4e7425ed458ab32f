"""The one door into the mathematics: every kind by family, and the parser of job specifications."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from models.assumptions import Assumption
from models.bounds import BOUNDS
from models.experiments import EXPERIMENTS, AnyExperiment, Experiment
from models.hypothesis_spaces import HYPOTHESIS_SPACES
from models.kinds import Kind
from models.learners import LEARNERS
from models.targets import TARGETS

FAMILIES: dict[str, dict[str, type[Kind]]] = {
    "targets": dict(TARGETS),
    "hypothesis-spaces": dict(HYPOTHESIS_SPACES),
    "learners": dict(LEARNERS),
    "bounds": dict(BOUNDS),
    "experiments": dict(EXPERIMENTS),
}

JOB_SPECIFICATION: TypeAdapter[Experiment] = TypeAdapter(AnyExperiment)


class KindDescription(BaseModel):
    """A kind as the catalogue shows it; `formula` is LaTeX in display style, `parameters` the kind's JSON Schema."""

    model_config = ConfigDict(frozen=True)

    family: str
    kind: str
    statement: str
    formula: str
    assumptions: tuple[Assumption, ...]
    reference: str
    examples: tuple[dict[str, Any], ...]
    parameters: dict[str, Any]


def parse_experiment(specification: Any) -> Experiment:
    """The experiment of a JSON object. Raises pydantic's ValidationError, with assumptions checked last."""
    return JOB_SPECIFICATION.validate_python(specification)


def describe(family: str, kind: str) -> KindDescription:
    """One kind. Raises KeyError where family or kind is unknown."""
    leaf = FAMILIES[family][kind]
    return KindDescription(
        family=family,
        kind=kind,
        statement=leaf.statement,
        formula=leaf.formula,
        assumptions=leaf.assumptions,
        reference=reference(leaf.reference),
        examples=leaf.examples,
        parameters=leaf.model_json_schema(),
    )


@cache
def _bibliography() -> dict[str, str]:
    text = (files("models") / "references.bib").read_text(encoding="utf-8")
    return dict(re.findall(r"@\w+\{([^,\s]+),(.*?)\n\}", text, flags=re.DOTALL))


def reference(key: str) -> str:
    """The entry `key` of references.bib in one line: authors, title, where, year. Raises KeyError."""
    fields = dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*?)\},?\s*$", _bibliography()[key], flags=re.MULTILINE))
    where = fields.get("journal") or fields.get("booktitle") or fields.get("publisher") or fields.get("note", "")
    parts = (fields["author"], fields["title"], where, fields["year"])
    # BibTeX writes a dash of pages as two, and an initial ends with its own point.
    return ". ".join(part.replace("--", "–").rstrip(".") for part in parts if part) + "."
