"""Bodies of learned models."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.serving.inputs import InputColumn, input_schema
from db.tables import LearnedModel


class Column(BaseModel):
    """One raw input or output of a model; BYTES are texts."""

    name: str
    datatype: Literal["FP32", "FP64", "BYTES"]


class InputColumnDocument(Column):
    """`accepts_missing`: null is taken. `levels`: those of a category; another value counts as none of them."""

    accepts_missing: bool
    levels: list[float | str] | None


class CertificateDocument(BaseModel):
    """With probability `confidence` over `sample_size` held-out rows, E min(|f(x) - y|^2, M) is below the bound.

    M is `loss_cap`, in label units squared. `labels_outside_range`: held-out rows whose labels leave the training
    range; where there are such labels, the risk without the cap may exceed the bound.
    """

    risk_upper_bound: float | Literal["inf"]
    loss_cap: float | Literal["inf"]
    confidence: float
    sample_size: int
    labels_outside_range: int


class LearnedModelDocument(BaseModel):
    """A version: what it is, what it was learnt from, what is known of its risk. Infinite values are "inf"."""

    id: str
    object: Literal["learned_model"] = "learned_model"
    name: str
    version: int
    aliases: list[str] = Field(description="Aliases that point at this version.")
    hypothesis_space: dict[str, Any]
    learner: dict[str, Any] | None
    data: dict[str, Any] | None = Field(description="What the sample was drawn from.")
    risks: dict[str, Any]
    bounds: list[dict[str, Any]]
    certificate: CertificateDocument | None
    input_schema: list[InputColumnDocument]
    output_schema: list[Column]
    classes: list[float | str] | None = Field(description="Of a classification: the class of each output.")
    digest: str
    job_id: str | None
    dataset_ids: list[str]
    created_at: datetime
    links: dict[str, str]


class BoundsDocument(BaseModel):
    """Every bound that was evaluated for a version."""

    object: Literal["bounds"] = "bounds"
    name: str
    version: int
    bounds: list[dict[str, Any]]


class AliasTarget(BaseModel):
    """The version that an alias shall point at."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=999_999_999, strict=True)


class AliasDocument(BaseModel):
    """An alias as it stands."""

    object: Literal["model_alias"] = "model_alias"
    name: str
    alias: str
    version: int


def learned_model_document(model: LearnedModel, aliases: Sequence[str]) -> LearnedModelDocument:
    """A row as the client sees it."""
    manifest = model.manifest
    provenance = manifest.get("provenance", {})
    datatype = manifest.get("dtype", "FP64")
    here = f"/v1/models/{model.name}/versions/{model.version}"
    links = {"self": here} | {part: f"{here}/{part}" for part in ("predict", "export", "bounds", "error-decomposition")}
    links["infer"] = f"/v2/models/{model.name}/versions/{model.version}/infer"
    if model.job_id is not None:
        links["job"] = f"/v1/jobs/{model.job_id}"
    return LearnedModelDocument(
        id=model.id,
        name=model.name,
        version=model.version,
        aliases=list(aliases),
        hypothesis_space=manifest.get("hypothesis_space", {}),
        learner=provenance.get("specification", {}).get("learner"),
        data=provenance.get("data"),
        risks=model.risks,
        bounds=model.bounds,
        certificate=manifest.get("certificate"),
        input_schema=[_input_column(column, datatype) for column in input_schema(manifest).columns],
        output_schema=[Column(name=name, datatype=datatype) for name in manifest.get("output_names", ())],
        classes=None if (classes := manifest.get("classes")) is None else classes["levels"],
        digest=model.digest,
        job_id=model.job_id,
        dataset_ids=model.dataset_ids,
        created_at=model.created_at,
        links=links,
    )


def _input_column(column: InputColumn, datatype: Literal["FP32", "FP64"]) -> InputColumnDocument:
    return InputColumnDocument(
        name=column.name,
        datatype=datatype if column.kind == "number" else "BYTES",
        accepts_missing=column.accepts_missing,
        levels=None if column.levels is None else list(column.levels),
    )
