"""The stored form of a learned model: weights (safetensors), an ONNX graph, and a manifest that says what they are."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError

from models.encoding import CategoryColumn, InputEncoding, RawRows, complete_numbers
from models.errors import InvalidData
from models.graph_export import exported_graph, risk_bound_as_served
from models.hypothesis_spaces import AnyHypothesisSpace, HypothesisSpace
from models.learned_model import LearnedModel, OutputRange
from models.manifest import Certificate, Manifest, ScalingRecord
from models.scaling import AffineScaling

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
    root_risk: float | None = None,
) -> ExportedModel:
    """Write `model`, promoted to float64, as safetensors and as an ONNX graph, and compare the two.

    The graph takes raw rows in the data's own units, `inputs` [N, c] and, where text columns are encoded, `categories`
    [N, t], and gives `outputs` [N, k] in label units: encoding, scaling and clipping are inside. Both files carry
    names, scaling and range as metadata, so that either is enough alone. The tensors are float64; a large hypothesis is
    computed in float32 where that is enough (`exported_graph`), and the certificate then covers the difference.

    `encoding`: the raw columns, or only names where each is a number that is never missing. `certificate`: of the
    model. `probe`, `root_risk`: see `exported_graph`.

    Raises:
        NumericalFailure: the graph differs from the model, or is not finite.
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
    properties = {key: _canonical_json(value) for key, value in description.items()}
    graph = exported_graph(model, encoding, properties, probe=probe, root_risk=root_risk)
    if certificate is not None and graph.check.precision == "FP32":
        bound = risk_bound_as_served(certificate.risk_upper_bound, graph.check, len(output_names))
        certificate = certificate.model_copy(update={"risk_upper_bound": min(bound, certificate.loss_cap)})
    # One entry: safetensors does not fix the order of several, and the bytes must be reproducible.
    weights = safetensors.torch.save(
        {key: value.contiguous() for key, value in sorted(model.parameters.items())},
        metadata={"riskscope": _canonical_json(description)},
    )
    manifest = Manifest(
        **description,
        provenance=provenance,
        certificate=certificate,
        export_check=graph.check,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        graph_sha256=hashlib.sha256(graph.content).hexdigest(),
    ).model_dump(mode="json")
    manifest["digest"] = digest(manifest, weights)
    return ExportedModel(weights, graph.content, manifest, manifest["digest"])


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


def _vector(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _scaling_record(scaling: AffineScaling) -> dict[str, list[float]]:
    return {"shift": scaling.shift.tolist(), "scale": scaling.scale.tolist()}


def _scaling(record: ScalingRecord) -> AffineScaling:
    return AffineScaling(_vector(record.shift), _vector(record.scale))
