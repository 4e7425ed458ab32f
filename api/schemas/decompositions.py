"""Error decompositions as JSON, and flattened for CSV and Arrow."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from api.schemas.lists import ListDocument
from api.theory import Estimate, ExtendedFloat
from db.tables import Decomposition


class SquaredNorms(BaseModel):
    """Squared L2(mu) norms of the parts of the error; not negative, and without a sum rule. Null on a table."""

    approximation: Estimate | None = None
    estimation: Estimate | None = None
    optimization: Estimate | None = None
    total: Estimate | None = None


class Risks(BaseModel):
    """Population risks in label units squared; `trained_empirical` is the risk on the sample.

    Null on a table that does not identify them: the noise without repeated inputs, the best of the space with fewer
    than three sample sizes.
    """

    noise: Estimate | None = None
    best_in_space: Estimate | None = None
    best_on_sample: Estimate
    trained: Estimate
    trained_empirical: Estimate


class RiskTerms(BaseModel):
    """noise + approximation + estimation + optimization = risks.trained; a term may be negative.

    On a table `approximation_and_noise` is their sum, extrapolated, and `approximation` is null where repeated inputs
    do not tell the noise.
    """

    approximation: Estimate | None = None
    approximation_and_noise: Estimate | None = None
    estimation: Estimate | None = None
    optimization: Estimate


class Interval(BaseModel):
    """A number and its 95 % interval, in label units squared; no value where only its bounds are known."""

    value: ExtendedFloat | None = None
    lower: ExtendedFloat
    upper: ExtendedFloat


class Prospect(BaseModel):
    """What a purchase is expected to do: the risk after it and what it saves, or why that is unknown."""

    change: str
    width: int
    sample_size: int
    method: Literal["measured", "extrapolated", "bound", "exact"] | None = None
    risk: Interval | None = None
    saving: Interval | None = None
    unknown: str | None = None


class AdviceDocument(BaseModel):
    """What would lower the risk most, and what is expected of each purchase."""

    model_config = ConfigDict(extra="allow")

    buy: Literal["data", "width", "training", "nothing"]
    because: str
    expected: dict[Literal["data", "width", "training"], Prospect] = Field(
        {}, description="By purchase: twice the data, twice the width, longer training. Empty in cells of older jobs."
    )


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
    gram: list[list[ExtendedFloat]] | None = Field(description="Inner products of the three parts in L2(mu).")
    risks: Risks
    risk_terms: RiskTerms
    generalization_gap: Estimate
    regularization_bias: Estimate | None = Field(
        None, description="R(f_{m,penalty}) - R(f_m), a part of the optimization term, where it was found."
    )
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


def cell_table(rows: Sequence[Decomposition]) -> pa.Table:
    """Rows as a table; a column is named by the path of its value in the document, an object's text by `.json`.

    The columns and their types are the same for every answer, the empty one included.
    """
    cells = [
        row.cell
        | {
            "id": row.id,
            "job_id": row.job_id,
            "created_at": row.created_at,
            "target_kind": row.target,
            "dataset_id": row.dataset_id,
        }
        for row in rows
    ]
    arrays = [pa.array(values(cells), type_) for type_, values in _COLUMNS.values()]
    return pa.Table.from_arrays(arrays, names=list(_COLUMNS))


_Values = Callable[[list[dict[str, Any]]], list[Any]]


def _columns() -> Iterator[tuple[str, pa.DataType, _Values]]:
    for name in ("id", "job_id"):
        yield name, pa.string(), _at(name)
    yield "created_at", pa.timestamp("us", "UTC"), _at("created_at")
    yield "hypothesis_space.kind", pa.string(), _at("hypothesis_space", "kind")
    yield "learner.kind", pa.string(), _at("learner", "kind")
    yield "target.kind", pa.string(), _at("target_kind")
    yield "dataset_id", pa.string(), _at("dataset_id")
    for name in ("dimension", "width", "sample_size", "seeds"):
        yield name, pa.int64(), _at(name)
    estimates = [
        (group, name)
        for group, document in (("squared_norms", SquaredNorms), ("risks", Risks), ("risk_terms", RiskTerms))
        for name in document.model_fields
    ]
    for path in (*estimates, ("generalization_gap",), ("regularization_bias",)):
        for member in ("value", "standard_error"):
            yield ".".join((*path, member)), pa.float64(), _number_at(*path, member)
        yield ".".join((*path, "method")), pa.string(), _at(*path, "method")
    # The Gram matrix is symmetric.
    for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
        yield f"gram.{i}.{j}", pa.float64(), _number_at("gram", i, j)
    for name in ("buy", "because"):
        yield f"advice.{name}", pa.string(), _at("advice", name)
    for remedy in ("data", "width", "training"):
        path = "advice", "expected", remedy
        for name in ("change", "method", "unknown"):
            yield ".".join((*path, name)), pa.string(), _at(*path, name)
        for name in ("width", "sample_size"):
            yield ".".join((*path, name)), pa.int64(), _at(*path, name)
        for group in ("risk", "saving"):
            for member in ("value", "lower", "upper"):
                yield ".".join((*path, group, member)), pa.float64(), _number_at(*path, group, member)
    for name in ("hypothesis_space", "learner", "data"):
        yield f"{name}.json", pa.string(), _json_at(name)


def _at(*path: str | int) -> _Values:
    def values(cells: list[dict[str, Any]]) -> list[Any]:
        found: list[Any] = cells
        for step in path:
            found = [_member(value, step) for value in found]
        return found

    return values


def _member(value: Any, step: str | int) -> Any:
    """None where it is not known, of a table."""
    if isinstance(value, dict):
        return value.get(step)
    return None if value is None else value[step]


def _number_at(*path: str | int) -> _Values:
    at = _at(*path)
    return lambda cells: [None if value is None else float(value) for value in at(cells)]


def _json_at(*path: str | int) -> _Values:
    at = _at(*path)
    return lambda cells: [orjson.dumps(value).decode() for value in at(cells)]


_COLUMNS = {name: (type_, values) for name, type_, values in _columns()}
