"""Error decompositions as JSON, and flattened for CSV and Arrow."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from api.schemas.lists import ListDocument
from api.theory import Estimate, ExtendedFloat
from db.tables import Decomposition

_TEXTS = (
    "id",
    "job_id",
    "hypothesis_space",
    "hypothesis_space_json",
    "learner",
    "learner_json",
    "target",
    "dataset_id",
)
_COUNTS = ("dimension", "width", "sample_size", "seeds")
_GROUPS = (
    ("squared_norm", "squared_norms", ("approximation", "estimation", "optimization", "total")),
    ("risk", "risks", ("noise", "best_in_space", "best_on_sample", "trained", "trained_empirical")),
    ("risk_term", "risk_terms", ("approximation", "estimation", "optimization")),
)


class SquaredNorms(BaseModel):
    """Squared L2(mu) norms of the parts of the error; not negative, and without a sum rule."""

    approximation: Estimate
    estimation: Estimate
    optimization: Estimate
    total: Estimate


class Risks(BaseModel):
    """Population risks in label units squared; `trained_empirical` is the risk on the sample."""

    noise: Estimate
    best_in_space: Estimate
    best_on_sample: Estimate
    trained: Estimate
    trained_empirical: Estimate


class RiskTerms(BaseModel):
    """noise + approximation + estimation + optimization = risks.trained; a term may be negative."""

    approximation: Estimate
    estimation: Estimate
    optimization: Estimate


class AdviceDocument(BaseModel):
    """What would lower the risk most."""

    model_config = ConfigDict(extra="allow")

    buy: Literal["data", "width", "training", "nothing"]
    because: str


class DecompositionDocument(BaseModel):
    """One cell of a grid: a hypothesis space, a width and a sample size, averaged over its seeds."""

    id: str
    object: Literal["decomposition"] = "decomposition"
    job_id: str
    created_at: datetime
    hypothesis_space: dict[str, Any]
    learner: dict[str, Any]
    data: dict[str, Any]
    target: dict[str, Any] | None = Field(description="The target function; null where the data are a dataset.")
    dataset_id: str | None
    dimension: int
    width: int
    sample_size: int
    seeds: int
    squared_norms: SquaredNorms
    gram: list[list[ExtendedFloat]] = Field(description="Inner products of the three parts in L2(mu).")
    risks: Risks
    risk_terms: RiskTerms
    generalization_gap: Estimate
    advice: AdviceDocument


DecompositionList = ListDocument[DecompositionDocument]


def decomposition_document(row: Decomposition) -> DecompositionDocument:
    """A row as its document."""
    return DecompositionDocument.model_validate(
        row.cell
        | {
            "id": row.id,
            "job_id": row.job_id,
            "created_at": row.created_at,
            "target": row.cell["data"].get("target"),
            "dataset_id": row.dataset_id,
        }
    )


def flat_row(row: Decomposition) -> dict[str, Any]:
    """A row as scalars: every estimate becomes `<group>_<name>` and `<group>_<name>_standard_error`."""
    cell = row.cell
    flat: dict[str, Any] = {
        "id": row.id,
        "job_id": row.job_id,
        "created_at": row.created_at,
        "hypothesis_space": row.hypothesis_space,
        "hypothesis_space_json": json.dumps(cell["hypothesis_space"]),
        "learner": cell["learner"]["kind"],
        "learner_json": json.dumps(cell["learner"]),
        "target": row.target,
        "dataset_id": row.dataset_id,
        "dimension": row.dimension,
        "width": row.width,
        "sample_size": row.sample_size,
        "seeds": row.seeds,
    }
    for prefix, group, names in _GROUPS:
        for name in names:
            _add_estimate(flat, f"{prefix}_{name}", cell[group][name])
    _add_estimate(flat, "generalization_gap", cell["generalization_gap"])
    flat["advice"] = cell["advice"]["buy"]
    return flat


def flat_table(rows: Sequence[Decomposition]) -> pa.Table:
    """Rows as a table whose columns and types are the same for every answer, the empty one included."""
    names = list(flat_columns())
    flat = [flat_row(row) for row in rows]
    return pa.Table.from_pylist(flat, schema=pa.schema([(name, _type_of(name)) for name in names]))


def flat_columns() -> Iterator[str]:
    """Names of the columns of `flat_row`, in order."""
    yield from _TEXTS
    yield "created_at"
    yield from _COUNTS
    for prefix, _, names in _GROUPS:
        for name in names:
            yield from (f"{prefix}_{name}", f"{prefix}_{name}_standard_error")
    yield from ("generalization_gap", "generalization_gap_standard_error", "advice")


def _type_of(name: str) -> pa.DataType:
    if name in _TEXTS or name == "advice":
        return pa.string()
    if name in _COUNTS:
        return pa.int64()
    return pa.timestamp("us", "UTC") if name == "created_at" else pa.float64()


def _add_estimate(flat: dict[str, Any], name: str, estimate: dict[str, Any]) -> None:
    error = estimate["standard_error"]
    flat[name] = float(estimate["value"])
    flat[f"{name}_standard_error"] = None if error is None else float(error)
