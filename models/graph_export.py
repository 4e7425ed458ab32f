"""The ONNX graph of a learned model: written, compared with the model, and in the precision that its work asks for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator

from models.encoding import InputEncoding, RawRows
from models.encoding_graph import CATEGORIES, INPUT, encoded, probe_rows, raw_inputs
from models.errors import NumericalFailure
from models.learned_model import LearnedModel
from models.manifest import ExportCheck
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows

OUTPUT = "outputs"

DOUBLE_TOLERANCE = 1e-9
"""Largest accepted difference of a float64 graph, relative to the outputs' scale; round-off is near 1e-15."""

SINGLE_TOLERANCE = 1e-5
"""The same where the hypothesis is computed in float32; round-off of a thousand neurons is near 1e-7."""

SHARE_OF_ROOT_RISK = 1e-3
"""How far float32 may move a prediction, relative to the root of the model's risk: it then adds 0.2 % to the risk."""

LARGE_HYPOTHESIS_FLOPS = 2.0**16
"""Operations a row from which float32 is tried. Below, the arithmetic is a small share of a request's time."""

PROBE_ROWS = 64


@dataclass(frozen=True)
class GraphFile:
    """A serialised graph with what was found when it was compared with the model."""

    content: bytes
    check: ExportCheck


def exported_graph(
    model: LearnedModel,
    encoding: InputEncoding,
    properties: Mapping[str, str] | None = None,
    *,
    probe: RawRows | None = None,
    root_risk: float | None = None,
) -> GraphFile:
    """The graph of `model` (float64 parameters), in float32 inside where that is enough, and its comparison.

    Float32 is tried where the hypothesis needs at least 65,536 operations a row, and is enough where it moves no probed
    output by more than 1e-5 of the outputs' scale, or by more than a thousandth of `root_risk`, the root of the model's
    measured risk in label units (None: not known). `probe`: raw rows for the comparison; None: 64 rows (a fixed
    stream), normal in scaled units, missing values and levels in turn.

    Raises:
        NumericalFailure: the float64 graph differs by more than 1e-9 of the outputs' scale, or is not finite.
        InvalidData: the graph would exceed 2 GiB.
    """
    rows = _probe(model, encoding) if probe is None else probe
    outputs = len(model.output_scaling.shift)
    if model.space.flops_per_row(encoding.dimension, outputs) >= LARGE_HYPOTHESIS_FLOPS:
        content = onnx_graph(model, encoding, properties, torch.float32)
        check = _compared(model, encoding, content, rows, torch.float32)
        allowed = math.inf if root_risk is None else SHARE_OF_ROOT_RISK * root_risk
        # Written so that NaN fails.
        if check.worst_absolute_difference <= min(allowed, accepted_difference(check)):
            return GraphFile(content, check)
    content = onnx_graph(model, encoding, properties)
    check = _compared(model, encoding, content, rows, torch.float64)
    if not check.worst_absolute_difference <= accepted_difference(check):
        raise NumericalFailure(
            f"The exported graph differs from the model by {check.worst_absolute_difference:.3g} "
            f"at scale {check.scale:.3g}."
        )
    return GraphFile(content, check)


def onnx_graph(
    model: LearnedModel,
    encoding: InputEncoding,
    properties: Mapping[str, str] | None = None,
    hypothesis_dtype: torch.dtype = torch.float64,
) -> bytes:
    """The graph of x -> clip(unscale(f(scale(encode(x))))), of which f is computed in `hypothesis_dtype`.

    Everything around f is float64, so that a column of large numbers with small differences keeps them, and so are the
    tensors that come and go. `properties` become the graph's metadata.
    """
    graph = OnnxGraph(torch.float64)
    inputs = encoded(graph, encoding)
    shifted = graph.apply("Sub", inputs, graph.constant("input_shift", model.input_scaling.shift))
    value = graph.apply("Div", shifted, graph.constant("input_scale", model.input_scaling.scale))
    if hypothesis_dtype == graph.dtype:
        value = model.space.onnx(graph, value, model.parameters)
    else:
        with graph.computing_in(hypothesis_dtype):
            value = model.space.onnx(graph, graph.cast_to_number(value), model.parameters)
        value = graph.cast_to_number(value)
    value = graph.apply("Mul", value, graph.constant("output_scale", model.output_scaling.scale))
    value = graph.apply("Add", value, graph.constant("output_shift", model.output_scaling.shift))
    if model.output_range is not None:
        # Clip takes scalar bounds only; each output has its own.
        value = graph.apply("Max", value, graph.constant("output_lower", model.output_range.lower))
        value = graph.apply("Min", value, graph.constant("output_upper", model.output_range.upper))
    outputs = len(model.output_scaling.shift)
    return graph.finish(raw_inputs(encoding), OUTPUT, outputs, value, properties, texts=(CATEGORIES,))


def accepted_difference(check: ExportCheck) -> float:
    """The largest difference between graph and model, in label units, with which a graph is stored."""
    return check.scale * (SINGLE_TOLERANCE if check.precision == "FP32" else DOUBLE_TOLERANCE)


def risk_bound_as_served(bound: float, check: ExportCheck, outputs: int) -> float:
    """An upper bound on the served map's risk from `bound`, one on the model's, both E |f(x) - y|^2, perhaps capped.

    Statement: if each of k outputs moves by at most e, then E |g - y|^2 <= (sqrt(E |f - y|^2) + sqrt(k) e)^2: the
    triangle inequality in L2. e is the accepted difference of a graph; the probe rows stayed below it.
    """
    return (math.sqrt(bound) + math.sqrt(outputs) * accepted_difference(check)) ** 2


def _probe(model: LearnedModel, encoding: InputEncoding) -> RawRows:
    rows = normal_rows(Randomness(0), "export_probe", PROBE_ROWS, len(model.input_scaling.shift))
    return probe_rows(encoding, model.input_scaling.invert(rows)[:, : len(encoding.numbers)])


def _compared(
    model: LearnedModel, encoding: InputEncoding, graph: bytes, probe: RawRows, dtype: torch.dtype
) -> ExportCheck:
    expected = model(encoding.encode(probe))
    feeds: dict[str, Any] = {INPUT: probe.numbers.numpy(), CATEGORIES: np.array(probe.texts, dtype=object).T}
    chosen = {name: feeds[name] for name in raw_inputs(encoding)}
    (values,) = ReferenceEvaluator(onnx.load_from_string(graph)).run(None, chosen)
    scale = max(float(expected.abs().max()), float(model.output_scaling.scale.max()))
    return ExportCheck(
        rows=len(expected),
        worst_absolute_difference=float((torch.from_numpy(values) - expected).abs().max()),
        scale=scale,
        precision="FP32" if dtype == torch.float32 else "FP64",
    )
