"""The stored form of a learned model: weights (safetensors), an ONNX graph, and a manifest that says what they are."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import onnx
import safetensors.torch
import torch
from onnx.reference import ReferenceEvaluator
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError

from models.arrays import Inputs
from models.errors import InvalidData, NumericalFailure
from models.estimates import ExtendedFloat
from models.hypothesis_spaces import AnyHypothesisSpace, HypothesisSpace
from models.learned_model import LearnedModel, OutputRange
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows
from models.scaling import AffineScaling

FORMAT_VERSION: Literal[1] = 1
INPUT = "inputs"
OUTPUT = "outputs"

EXPORT_TOLERANCE = 1e-9
"""Largest accepted difference between graph and model, relative to the outputs' scale; round-off is near 1e-15."""

PROBE_ROWS = 64

_SPACE: TypeAdapter[HypothesisSpace] = TypeAdapter(AnyHypothesisSpace)


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
    """The graph against the model on `rows` probe inputs; `scale` is the largest |output| or scale of the outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    worst_absolute_difference: float
    scale: float


class Manifest(BaseModel):
    """What a served model is. `provenance` holds the whole specification that made it: its samples can be re-drawn.

    `digest` is the sha256 of the safetensors bytes followed by the canonical JSON of the manifest without `digest`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = FORMAT_VERSION
    name: str
    hypothesis_space: dict[str, Any]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
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


@dataclass(frozen=True)
class StoredModel:
    """A model read back, with its manifest as stored."""

    model: LearnedModel
    manifest: dict[str, Any]


@dataclass(frozen=True)
class ExportedModel:
    """The three files of a model and the digest that names them."""

    weights: bytes
    graph: bytes
    manifest: dict[str, Any]
    digest: str


def export(
    model: LearnedModel,
    *,
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    provenance: dict[str, Any],
    certificate: Certificate | None = None,
    probe: Inputs | None = None,
) -> ExportedModel:
    """Write `model`, promoted to float64, as safetensors and as an ONNX graph, and compare the two.

    The graph takes raw rows `inputs` [N, d] in the data's own units and gives `outputs` [N, k] in label units: scaling
    and clipping are inside. Both files carry names, scaling and range as metadata, so that either is enough alone. The
    graph is float64 throughout: every operator in use has a float64 kernel, a prediction then
    agrees with the measured hypothesis to round-off, and small tables are not bound by the speed of float32.

    `probe`: rows for the comparison; None: 64 normal rows in scaled units (a fixed stream).

    Raises:
        NumericalFailure: the graph differs from the model by more than 1e-9 of the outputs' scale, or is not finite.
        InvalidData: the graph would exceed 2 GiB.
    """
    model = promoted(model)
    bounds = model.output_range
    description = {
        "name": name,
        "hypothesis_space": model.space.model_dump(mode="json"),
        "input_names": list(input_names),
        "output_names": list(output_names),
        "input_scaling": _scaling_record(model.input_scaling),
        "output_scaling": _scaling_record(model.output_scaling),
        "output_range": None if bounds is None else {"lower": bounds.lower.tolist(), "upper": bounds.upper.tolist()},
    }
    graph = onnx_graph(model, {key: _canonical_json(value) for key, value in description.items()})
    # One entry: safetensors does not fix the order of several, and the bytes must be reproducible.
    weights = safetensors.torch.save(
        {key: value.contiguous() for key, value in sorted(model.parameters.items())},
        metadata={"riskscope": _canonical_json(description)},
    )
    manifest = Manifest(
        **description,
        provenance=provenance,
        certificate=certificate,
        export_check=_compared(model, graph, _probe(model) if probe is None else probe.to("cpu", torch.float64)),
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        graph_sha256=hashlib.sha256(graph).hexdigest(),
    ).model_dump(mode="json")
    manifest["digest"] = digest(manifest, weights)
    return ExportedModel(weights, graph, manifest, manifest["digest"])


def load(manifest: dict[str, Any], weights: bytes) -> StoredModel:
    """The model of a manifest and its safetensors bytes; nothing is unpickled or executed.

    Raises:
        InvalidData: the digest does not match, or the manifest or the tensors are not of this format.
    """
    if manifest.get("digest") != digest(manifest, weights):
        raise InvalidData("The stored model does not match its digest.")
    try:
        record = Manifest.model_validate(manifest)
        space = _SPACE.validate_python(record.hypothesis_space)
        parameters = safetensors.torch.load(weights)
    except (ValidationError, SafetensorError) as error:
        raise InvalidData(f"The stored model cannot be read: {error}") from error
    bounds = record.output_range
    model = LearnedModel(
        space,
        parameters,
        _scaling(record.input_scaling),
        _scaling(record.output_scaling),
        None if bounds is None else OutputRange(_vector(bounds.lower), _vector(bounds.upper)),
    )
    _check_fit(model, record)
    return StoredModel(model, manifest)


def digest(manifest: dict[str, Any], weights: bytes) -> str:
    """sha256 (hex) of `weights` and of the manifest's canonical JSON (sorted keys, no spaces) without `digest`."""
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(weights + _canonical_json(rest).encode()).hexdigest()


def _canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def onnx_graph(model: LearnedModel, properties: Mapping[str, str] | None = None) -> bytes:
    """The float64 graph of x -> clip(unscale(f(scale(x)))); `properties` become its metadata."""
    graph = OnnxGraph(torch.float64)
    shifted = graph.apply("Sub", graph.input(INPUT), graph.constant("input_shift", model.input_scaling.shift))
    scaled = graph.apply("Div", shifted, graph.constant("input_scale", model.input_scaling.scale))
    value = model.space.onnx(graph, scaled, model.parameters)
    value = graph.apply("Mul", value, graph.constant("output_scale", model.output_scaling.scale))
    value = graph.apply("Add", value, graph.constant("output_shift", model.output_scaling.shift))
    if model.output_range is not None:
        # Clip takes scalar bounds only; each output has its own.
        value = graph.apply("Max", value, graph.constant("output_lower", model.output_range.lower))
        value = graph.apply("Min", value, graph.constant("output_upper", model.output_range.upper))
    columns = len(model.input_scaling.shift), len(model.output_scaling.shift)
    return graph.finish(INPUT, columns[0], OUTPUT, columns[1], value, properties)


def promoted(model: LearnedModel) -> LearnedModel:
    """The same parameters as float64 on the CPU."""
    parameters = {key: value.detach().to("cpu", torch.float64) for key, value in model.parameters.items()}
    return LearnedModel(model.space, parameters, model.input_scaling, model.output_scaling, model.output_range)


def _check_fit(model: LearnedModel, record: Manifest) -> None:
    inputs, outputs = len(record.input_names), len(record.output_names)
    stored = sum(value.numel() for value in model.parameters.values())
    try:
        fits = model(torch.zeros(1, inputs, dtype=torch.float64)).shape == (1, outputs)
    except (KeyError, RuntimeError):
        fits = False
    if not fits or stored != model.space.parameter_count(inputs, outputs):
        raise InvalidData("The stored tensors do not fit the hypothesis space of the manifest.")


def _probe(model: LearnedModel) -> Inputs:
    rows = normal_rows(Randomness(0), "export_probe", PROBE_ROWS, len(model.input_scaling.shift))
    return model.input_scaling.invert(rows)


def _compared(model: LearnedModel, graph: bytes, probe: Inputs) -> ExportCheck:
    expected = model(probe)
    (values,) = ReferenceEvaluator(onnx.load_from_string(graph)).run(None, {INPUT: probe.numpy()})
    scale = max(float(expected.abs().max()), float(model.output_scaling.scale.max()))
    worst = float((torch.from_numpy(values) - expected).abs().max())
    # Written so that NaN fails too.
    if not worst <= EXPORT_TOLERANCE * scale:
        raise NumericalFailure(f"The exported graph differs from the model by {worst:.3g} at scale {scale:.3g}.")
    return ExportCheck(rows=len(probe), worst_absolute_difference=worst, scale=scale)


def _vector(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _scaling_record(scaling: AffineScaling) -> dict[str, list[float]]:
    return {"shift": scaling.shift.tolist(), "scale": scaling.scale.tolist()}


def _scaling(record: ScalingRecord) -> AffineScaling:
    return AffineScaling(_vector(record.shift), _vector(record.scale))
