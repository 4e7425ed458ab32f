"""The one door to the mathematics: specifications in, plans and descriptions out."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.errors import field_problem
from models.bound_calculator import BoundInputs, FormulaResult, evaluate_formulas
from models.catalogue import FAMILIES, KindDescription, describe
from models.errors import InvalidData
from models.estimates import Estimate, ExtendedFloat
from models.experiments import AnyExperiment, Experiment
from models.plan import MOST_LEVELS, Plan, TableShape

JobSpecification = AnyExperiment
"""The discriminated union of every kind of job; a new kind shows in OpenAPI by itself."""

__all__ = [
    "MOST_LEVELS",
    "BoundInputs",
    "Estimate",
    "Experiment",
    "ExtendedFloat",
    "FormulaResult",
    "JobSpecification",
    "KindDescription",
    "Plan",
    "TableShape",
    "check_models",
    "describe_family",
    "describe_kind",
    "evaluate_formulas",
    "families",
    "plan_job",
    "specification_json",
    "table_shape",
]


def families() -> tuple[str, ...]:
    """Names of the families of kinds."""
    return tuple(FAMILIES)


def describe_family(family: str) -> list[KindDescription] | None:
    """Every kind of a family, or None where there is no such family."""
    if family not in FAMILIES:
        return None
    return [describe(family, kind) for kind in FAMILIES[family]]


def describe_kind(family: str, kind: str) -> KindDescription | None:
    """One kind, or None."""
    return describe(family, kind) if kind in FAMILIES.get(family, {}) else None


def plan_job(experiment: Experiment, tables: Mapping[str, TableShape]) -> Plan:
    """What a job will cost.

    Raises:
        Unprocessable: it cannot be run on these tables; names the field under /spec.
    """
    try:
        return experiment.plan(tables)
    except InvalidData as error:
        raise field_problem("/spec" + (error.param or ""), error.message) from error


def check_models(
    experiment: Experiment, tables: Mapping[str, TableShape], manifests: Mapping[str, Mapping[str, Any]]
) -> None:
    """Whether the learned models that a job names go with its tables.

    Raises:
        Unprocessable: they do not; names the field under /spec.
    """
    try:
        experiment.check_models(tables, manifests)
    except InvalidData as error:
        raise field_problem("/spec" + (error.param or ""), error.message) from error


def table_shape(rows: int, columns: Sequence[Mapping[str, Any]]) -> TableShape:
    """What is known of a dataset, from its row's description of its columns."""
    return TableShape(
        rows=rows,
        columns=tuple(column["name"] for column in columns),
        numeric=tuple(column["name"] for column in columns if column["type"] == "number"),
        dates=tuple(column["name"] for column in columns if column["type"] == "date"),
        incomplete={column["name"]: missing for column in columns if (missing := _missing(column))},
        infinite={column["name"]: column["infinite"] for column in columns if column.get("infinite")},
        distinct={column["name"]: column["distinct"] for column in columns if column.get("distinct") is not None},
        first_text_rows={
            column["name"]: column["first_text_row"] for column in columns if column.get("first_text_row") is not None
        },
    )


def _missing(column: Mapping[str, Any]) -> int:
    """NaN is missing, an infinity is not."""
    return int(column["nulls"] + column["non_finite"] - column.get("infinite", 0))


def specification_json(experiment: Experiment) -> dict[str, Any]:
    """The specification as stored and shown, defaults filled in."""
    return experiment.model_dump(mode="json")
