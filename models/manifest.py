"""The manifest of a learned model: what its files are, and what is promised of it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from models.encoding import CategoryColumn, InputEncoding
from models.estimates import ExtendedFloat

FORMAT_VERSION: Literal[1] = 1


class ScalingRecord(BaseModel):
    """x -> (x - shift) / scale by column."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: tuple[float, ...]
    scale: tuple[float, ...]


class RangeRecord(BaseModel):
    """The interval to which each output is clipped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lower: tuple[float, ...]
    upper: tuple[float, ...]


class Certificate(BaseModel):
    """With probability `confidence` over `sample_size` held-out rows, E min(|f(x) - y|^2, M) is below the bound.

    f is the map that is served; a graph that computes in float32 has its largest accepted difference added.
    `loss_cap` is M, in label units squared: labels outside the training range may cost more, and then the population
    risk may exceed the bound. `labels_outside_range` counts the held-out rows with such labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    risk_upper_bound: ExtendedFloat
    loss_cap: ExtendedFloat
    confidence: float
    sample_size: int
    labels_outside_range: int


class ExportCheck(BaseModel):
    """The graph against the model on `rows` probe inputs; `scale` is the largest |output| or scale of the outputs.

    `precision`: in which the hypothesis is computed; what surrounds it is always float64.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    worst_absolute_difference: float
    scale: float
    precision: Literal["FP32", "FP64"] = "FP64"


class Manifest(BaseModel):
    """What a served model is. `provenance` holds the whole specification that made it: its samples can be re-drawn.

    `input_names`: the raw columns of a row. `encoding` None: each is a number that is never missing. `classes`: the
    target column of a classification, whose levels the outputs score in their order.

    `digest` is the sha256 of the safetensors bytes followed by the canonical JSON of the manifest without `digest`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = FORMAT_VERSION
    name: str
    hypothesis_space: dict[str, Any]
    input_names: tuple[str, ...]
    encoding: InputEncoding | None = None
    output_names: tuple[str, ...]
    classes: CategoryColumn | None = None
    dtype: Literal["FP64"] = "FP64"
    input_scaling: ScalingRecord
    output_scaling: ScalingRecord
    output_range: RangeRecord | None = None
    provenance: dict[str, Any]
    certificate: Certificate | None = None
    export_check: ExportCheck
    weights_sha256: str
    graph_sha256: str
    digest: str = ""
