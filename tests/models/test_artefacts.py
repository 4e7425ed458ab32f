"""A learned model survives storage, and a changed one is noticed."""

import copy
import json

import onnx
import onnxruntime
import pytest
import torch

from models import artefacts
from models.encoding import RawRows, complete_numbers
from models.errors import InvalidData, NumericalFailure
from models.graph_export import onnx_graph
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel, OutputRange
from models.manifest import Certificate
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows
from models.scaling import AffineScaling, identity_scaling

ROWS = normal_rows(Randomness(0), "rows", 50, 3)


def a_model(dtype=torch.float64, space=None, clipped=True) -> LearnedModel:
    space = space or TwoLayer(kind="two_layer", width=9)
    scaling = AffineScaling(torch.tensor([0.1, -3.0, 1e4]).double(), torch.tensor([2.0, 0.3, 50.0]).double())
    units = AffineScaling(torch.tensor([7.0]).double(), torch.tensor([11.0]).double())
    span = OutputRange(torch.tensor([0.0]).double(), torch.tensor([20.0]).double()) if clipped else None
    return LearnedModel(space, space.draw(3, 1, Randomness(0), dtype), scaling, units, span)


def exported(model=None, **changes) -> artefacts.ExportedModel:
    settings = {"name": "m", "encoding": ["a", "b", "c"], "output_names": ["y"], "provenance": {"seed": 1}}
    return artefacts.export(model or a_model(), **{**settings, **changes})


@pytest.mark.parametrize("clipped", [True, False])
def test_stored_model_predicts_the_same_bits(clipped):
    model = a_model(clipped=clipped)
    stored = exported(model)
    read = artefacts.load(json.loads(json.dumps(stored.manifest)), stored.weights)
    assert torch.equal(read.model(ROWS), model(ROWS))
    assert read.manifest == stored.manifest


def test_export_is_reproducible_to_the_byte():
    assert exported() == exported()


def test_digest_names_the_weights_and_the_manifest():
    stored = exported()
    assert stored.digest == stored.manifest["digest"] == artefacts.digest(stored.manifest, stored.weights)
    assert stored.digest != exported(name="other").digest


def test_changed_weights_or_manifest_are_refused():
    stored = exported()
    spoilt = bytearray(stored.weights)
    spoilt[-1] ^= 1
    with pytest.raises(InvalidData, match="digest"):
        artefacts.load(stored.manifest, bytes(spoilt))
    with pytest.raises(InvalidData, match="digest"):
        artefacts.load({**stored.manifest, "name": "forged"}, stored.weights)


def resealed(manifest: dict, weights: bytes) -> dict:
    return {**manifest, "digest": artefacts.digest(manifest, weights)}


def test_tensors_of_another_space_are_refused():
    stored = exported()
    wrong = copy.deepcopy(stored.manifest)
    wrong["hypothesis_space"]["width"] = 10
    with pytest.raises(InvalidData, match="do not fit"):
        artefacts.load(resealed(wrong, stored.weights), stored.weights)
    other = copy.deepcopy(stored.manifest)
    other["hypothesis_space"] = Deep(kind="deep", width=4).model_dump(mode="json")
    with pytest.raises(InvalidData, match="do not fit"):
        artefacts.load(resealed(other, stored.weights), stored.weights)


def test_weights_that_are_not_safetensors_are_refused():
    stored, junk = exported(), b"\x80\x04junk"
    with pytest.raises(InvalidData, match="cannot be read"):
        artefacts.load(resealed(stored.manifest, junk), junk)


def test_manifest_of_an_unknown_format_is_refused():
    stored = exported()
    with pytest.raises(InvalidData, match="cannot be read"):
        artefacts.load(resealed({**stored.manifest, "format_version": 99}, stored.weights), stored.weights)


def test_graph_is_double_precision_and_names_its_ends():
    session = onnxruntime.InferenceSession(exported().graph)
    (inputs,), (outputs,) = session.get_inputs(), session.get_outputs()
    assert (inputs.name, inputs.type, inputs.shape) == ("inputs", "tensor(double)", ["N", 3])
    assert (outputs.name, outputs.type, outputs.shape) == ("outputs", "tensor(double)", ["N", 1])


def test_graph_serves_batches_of_any_size_including_none():
    session = onnxruntime.InferenceSession(exported().graph)
    for rows in (0, 1, 7):
        (served,) = session.run(None, {"inputs": ROWS[:rows].numpy()})
        assert served.shape == (rows, 1)


def test_single_precision_model_is_promoted_before_it_is_written():
    model = a_model(torch.float32)
    stored = exported(model)
    read = artefacts.load(stored.manifest, stored.weights)
    assert {value.dtype for value in read.model.parameters.values()} == {torch.float64}
    torch.testing.assert_close(read.model(ROWS), model(ROWS), rtol=1e-4, atol=1e-3)


def test_export_check_is_recorded_on_the_rows_that_were_given():
    check = exported(probe=RawRows(ROWS)).manifest["export_check"]
    assert check["rows"] == 50
    assert check["worst_absolute_difference"] <= 1e-12 * check["scale"]


def test_graph_that_differs_from_the_model_is_a_failure(monkeypatch):
    monkeypatch.setattr(OnnxGraph, "constant", _slightly_wrong(OnnxGraph.constant))
    with pytest.raises(NumericalFailure, match="differs"):
        exported()


def _slightly_wrong(constant):
    return lambda graph, name, values: constant(graph, name, torch.as_tensor(values) * (1 + 1e-6))


def test_model_that_is_not_finite_is_not_exported():
    model = a_model(clipped=False)
    model.parameters["weights"][0, 0] = float("nan")
    with pytest.raises(NumericalFailure):
        exported(model)


def test_certificate_and_provenance_travel_with_the_model():
    certificate = Certificate(
        risk_upper_bound=float("inf"), loss_cap=2.0, confidence=0.95, sample_size=100, labels_outside_range=1
    )
    manifest = exported(certificate=certificate, provenance={"kind": "fit", "seed": 3}).manifest
    assert manifest["certificate"] == {
        "risk_upper_bound": "inf",
        "loss_cap": 2.0,
        "confidence": 0.95,
        "sample_size": 100,
        "labels_outside_range": 1,
    }
    assert manifest["provenance"] == {"kind": "fit", "seed": 3}


@pytest.mark.parametrize("operator", ["Relu", "Cos", "Tanh", "Exp", "Sqrt", "Abs", "Sigmoid"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_runtime_has_kernels_of_both_precisions(operator, dtype):
    graph = OnnxGraph(dtype)
    value = graph.apply(operator, graph.input("inputs"))
    value = graph.apply("MatMul", value, graph.constant("w", torch.eye(2)))
    session = onnxruntime.InferenceSession(graph.finish({"inputs": 2}, "outputs", 2, value))
    (served,) = session.run(None, {"inputs": torch.full((1, 2), 0.25, dtype=dtype).numpy()})
    expected = getattr(torch, operator.lower())(torch.tensor(0.25, dtype=dtype))
    assert float(served[0, 0]) == pytest.approx(float(expected), rel=1e-6)


def test_taken_names_are_numbered():
    graph = OnnxGraph()
    graph.input("inputs")
    assert [graph.constant("w", 1.0), graph.constant("w", 2.0), graph.constant("inputs", 3.0)] == [
        "w",
        "w_2",
        "inputs_2",
    ]


def test_graph_has_no_custom_operators():
    model = LearnedModel(
        Deep(kind="deep", width=4, depth=3),
        Deep(kind="deep", width=4, depth=3).draw(3, 1, Randomness(0), torch.float64),
        identity_scaling(3),
        identity_scaling(1),
    )
    graph = onnx.load_from_string(onnx_graph(model, complete_numbers("abc")))
    assert {node.domain for node in graph.graph.node} == {""}


def test_either_file_alone_says_what_its_columns_and_units_are():
    written = exported(output_names=("strength",))
    length = int.from_bytes(written.weights[:8], "little")
    header = json.loads(written.weights[8 : 8 + length])
    described = json.loads(header["__metadata__"]["riskscope"])
    properties = {entry.key: json.loads(entry.value) for entry in onnx.load_from_string(written.graph).metadata_props}
    assert described == properties
    for key in ("hypothesis_space", "input_names", "output_names", "input_scaling", "output_scaling", "output_range"):
        assert described[key] == written.manifest[key]
