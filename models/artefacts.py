"""The stored form of a learned model: weights (safetensors), an ONNX graph, and a manifest that says what they are."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import safetensors.torch
import torch
from onnx.reference import ReferenceEvaluator
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError

from models.encoding import CategoryColumn, InputEncoding, RawRows, complete_numbers
from models.encoding_graph import CATEGORIES, INPUT, encoded, probe_rows, raw_inputs
from models.errors import InvalidData, NumericalFailure
from models.hypothesis_spaces import AnyHypothesisSpace, HypothesisSpace
from models.learned_model import LearnedModel, OutputRange
from models.manifest import Certificate, ExportCheck, Manifest, ScalingRecord
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows
from models.scaling import AffineScaling

OUTPUT = "outputs"

EXPORT_TOLERANCE = 1e-9
"""Largest accepted difference between graph and model, relative to the outputs' scale; round-off is near 1e-15."""

PROBE_ROWS = 64

_SPACE: TypeAdapter[HypothesisSpace] = TypeAdapter(AnyHypothesisSpace)


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
    encoding: InputEncoding | Sequence[str],
    output_names: Sequence[str],
    provenance: dict[str, Any],
    classes: CategoryColumn | None = None,
    certificate: Certificate | None = None,
    probe: RawRows | None = None,
) -> ExportedModel:
    """Write `model`, promoted to float64, as safetensors and as an ONNX graph, and compare the two.

    The graph takes raw rows in the data's own units, `inputs` [N, c] and, where text columns are encoded, `categories`
    [N, t], and gives `outputs` [N, k] in label units: encoding, scaling and clipping are inside. Both files carry
    names, scaling and range as metadata, so that either is enough alone. The graph is float64 throughout: every
    operator in use has a float64 kernel, a prediction then agrees with the measured hypothesis to round-off, and small
    tables are not bound by the speed of float32.

    `encoding`: the raw columns, or only names where each is a number that is never missing. `probe`: raw rows for the
    comparison; None: 64 rows (a fixed stream), normal in scaled units, missing values and levels in turn.

    Raises:
        NumericalFailure: the graph differs from the model by more than 1e-9 of the outputs' scale, or is not finite.
        InvalidData: the graph would exceed 2 GiB.
    """
    model = promoted(model)
    if not isinstance(encoding, InputEncoding):
        encoding = complete_numbers(encoding)
    bounds = model.output_range
    description = {
        "name": name,
        "hypothesis_space": model.space.model_dump(mode="json"),
        "input_names": list(encoding.names),
        "encoding": None if encoding.is_identity else encoding.model_dump(mode="json"),
        "output_names": list(output_names),
        "classes": None if classes is None else classes.model_dump(mode="json"),
        "input_scaling": _scaling_record(model.input_scaling),
        "output_scaling": _scaling_record(model.output_scaling),
        "output_range": None if bounds is None else {"lower": bounds.lower.tolist(), "upper": bounds.upper.tolist()},
    }
    graph = onnx_graph(model, encoding, {key: _canonical_json(value) for key, value in description.items()})
    rows = _probe(model, encoding) if probe is None else probe
    # One entry: safetensors does not fix the order of several, and the bytes must be reproducible.
    weights = safetensors.torch.save(
        {key: value.contiguous() for key, value in sorted(model.parameters.items())},
        metadata={"riskscope": _canonical_json(description)},
    )
    manifest = Manifest(
        **description,
        provenance=provenance,
        certificate=certificate,
        export_check=_compared(model, encoding, graph, rows),
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


def onnx_graph(model: LearnedModel, encoding: InputEncoding, properties: Mapping[str, str] | None = None) -> bytes:
    """The float64 graph of x -> clip(unscale(f(scale(encode(x))))); `properties` become its metadata."""
    graph = OnnxGraph(torch.float64)
    inputs = encoded(graph, encoding)
    shifted = graph.apply("Sub", inputs, graph.constant("input_shift", model.input_scaling.shift))
    scaled = graph.apply("Div", shifted, graph.constant("input_scale", model.input_scaling.scale))
    value = model.space.onnx(graph, scaled, model.parameters)
    value = graph.apply("Mul", value, graph.constant("output_scale", model.output_scaling.scale))
    value = graph.apply("Add", value, graph.constant("output_shift", model.output_scaling.shift))
    if model.output_range is not None:
        # Clip takes scalar bounds only; each output has its own.
        value = graph.apply("Max", value, graph.constant("output_lower", model.output_range.lower))
        value = graph.apply("Min", value, graph.constant("output_upper", model.output_range.upper))
    outputs = len(model.output_scaling.shift)
    return graph.finish(raw_inputs(encoding), OUTPUT, outputs, value, properties, texts=(CATEGORIES,))


def promoted(model: LearnedModel) -> LearnedModel:
    """The same parameters as float64 on the CPU."""
    parameters = {key: value.detach().to("cpu", torch.float64) for key, value in model.parameters.items()}
    return LearnedModel(model.space, parameters, model.input_scaling, model.output_scaling, model.output_range)


def _check_fit(model: LearnedModel, record: Manifest) -> None:
    inputs = len(record.input_names) if record.encoding is None else record.encoding.dimension
    outputs = len(record.output_names)
    stored = sum(value.numel() for value in model.parameters.values())
    try:
        fits = model(torch.zeros(1, inputs, dtype=torch.float64)).shape == (1, outputs)
    except (KeyError, RuntimeError):
        fits = False
    if not fits or stored != model.space.parameter_count(inputs, outputs):
        raise InvalidData("The stored tensors do not fit the hypothesis space of the manifest.")


def _probe(model: LearnedModel, encoding: InputEncoding) -> RawRows:
    rows = normal_rows(Randomness(0), "export_probe", PROBE_ROWS, len(model.input_scaling.shift))
    return probe_rows(encoding, model.input_scaling.invert(rows)[:, : len(encoding.numbers)])


def _compared(model: LearnedModel, encoding: InputEncoding, graph: bytes, probe: RawRows) -> ExportCheck:
    expected = model(encoding.encode(probe))
    feeds: dict[str, Any] = {INPUT: probe.numbers.numpy(), CATEGORIES: np.array(probe.texts, dtype=object).T}
    chosen = {name: feeds[name] for name in raw_inputs(encoding)}
    (values,) = ReferenceEvaluator(onnx.load_from_string(graph)).run(None, chosen)
    scale = max(float(expected.abs().max()), float(model.output_scaling.scale.max()))
    worst = float((torch.from_numpy(values) - expected).abs().max())
    # Written so that NaN fails too.
    if not worst <= EXPORT_TOLERANCE * scale:
        raise NumericalFailure(f"The exported graph differs from the model by {worst:.3g} at scale {scale:.3g}.")
    return ExportCheck(rows=len(expected), worst_absolute_difference=worst, scale=scale)


def _vector(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _scaling_record(scaling: AffineScaling) -> dict[str, list[float]]:
    return {"shift": scaling.shift.tolist(), "scale": scaling.scale.tolist()}


def _scaling(record: ScalingRecord) -> AffineScaling:
    return AffineScaling(_vector(record.shift), _vector(record.scale))
