"""A graph is computed in float32 only where nobody can tell, and what is promised of it covers the difference."""

import math

import onnx
import onnxruntime
import pytest
import torch

from models import artefacts
from models.encoding import RawRows, complete_numbers
from models.graph_export import SHARE_OF_ROOT_RISK, accepted_difference, exported_graph, risk_bound_as_served
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.residual import Residual
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel
from models.manifest import Certificate, ExportCheck
from models.randomness import Randomness, normal_rows
from models.scaling import AffineScaling, identity_scaling

COLUMNS = 20
ENCODING = complete_numbers([f"x{place}" for place in range(COLUMNS)])
LARGE = [
    *(TwoLayer(kind="two_layer", width=2048, activation=name) for name in ("relu", "gelu", "cosine")),
    *(RandomFeatures(kind="random_features", width=2048, feature=name) for name in ("relu", "fourier")),
    Deep(kind="deep", width=200, depth=3),
    Residual(kind="residual", width=600, depth=4),
]


def a_model(space, input_scaling=None, coefficient_scale=1.0) -> LearnedModel:
    parameters = space.draw(COLUMNS, 2, Randomness(0), torch.float64)
    shape = parameters["coefficients"].shape
    parameters["coefficients"] = coefficient_scale * normal_rows(Randomness(1), "coefficients", *shape)
    return LearnedModel(space, parameters, input_scaling or identity_scaling(COLUMNS), identity_scaling(2))


def served(content: bytes, inputs: torch.Tensor) -> torch.Tensor:
    (outputs,) = onnxruntime.InferenceSession(content).run(None, {"inputs": inputs.numpy()})
    return torch.from_numpy(outputs)


def constants(content: bytes) -> set[int]:
    tensors = onnx.load_from_string(content).graph.initializer
    return {tensor.data_type for tensor in tensors if max(tensor.dims, default=1) > 100}


@pytest.mark.parametrize("space", LARGE, ids=lambda space: f"{space.kind}-{getattr(space, 'activation', '')}")
def test_large_hypothesis_is_computed_in_float32(space):
    model = a_model(space)
    graph = exported_graph(model, ENCODING)
    assert graph.check.precision == "FP32"
    assert constants(graph.content) == {onnx.TensorProto.FLOAT}
    rows = normal_rows(Randomness(2), "rows", 300, COLUMNS)
    found = served(graph.content, rows)
    assert found.dtype == torch.float64
    assert 0 < float((found - model(rows)).abs().max()) < accepted_difference(graph.check)


def test_small_hypothesis_keeps_float64():
    graph = exported_graph(a_model(TwoLayer(kind="two_layer", width=64)), ENCODING)
    assert graph.check.precision == "FP64"


def test_cancelling_coefficients_keep_float64():
    """Minimum-norm and unpenalised solutions near m = n: sums of large terms of both signs that nearly cancel."""
    space = RandomFeatures(kind="random_features", width=2048, feature="relu")
    model = a_model(space)
    rows = normal_rows(Randomness(2), "rows", 100, COLUMNS)
    features = space.features(model.parameters, rows)
    _, _, right = torch.linalg.svd(features, full_matrices=True)
    # Coefficients to which the sample's features are blind, a million times those that they see.
    model.parameters["coefficients"] += 1e6 * right[-2:].T
    model = LearnedModel(space, model.parameters, model.input_scaling, model.output_scaling)
    quiet = features @ model.parameters["coefficients"]
    assert float(quiet.abs().max()) < 1e3
    graph = exported_graph(model, ENCODING, probe=RawRows(rows))
    assert graph.check.precision == "FP64"


def test_model_of_tiny_risk_keeps_float64():
    model = a_model(LARGE[0])
    difference = exported_graph(model, ENCODING).check.worst_absolute_difference
    enough = 1.01 * difference / SHARE_OF_ROOT_RISK
    assert exported_graph(model, ENCODING, root_risk=enough).check.precision == "FP32"
    assert exported_graph(model, ENCODING, root_risk=0.9 * enough).check.precision == "FP64"


def test_large_offset_of_a_column_costs_no_digits():
    """A time stamp near 10^9 differs by seconds: the shift is taken before anything is rounded to float32."""
    scaling = AffineScaling(torch.full((COLUMNS,), 1.7e9).double(), torch.full((COLUMNS,), 3.0).double())
    model = a_model(LARGE[0], scaling)
    graph = exported_graph(model, ENCODING)
    assert graph.check.precision == "FP32"
    rows = scaling.invert(normal_rows(Randomness(2), "rows", 50, COLUMNS))
    assert float((served(graph.content, rows) - model(rows)).abs().max()) < accepted_difference(graph.check)


@pytest.mark.parametrize("outputs", [1, 3])
def test_served_risk_bound_covers_the_worst_difference(outputs):
    check = ExportCheck(rows=64, worst_absolute_difference=1e-7, scale=1e4, precision="FP32")
    residuals = normal_rows(Randomness(3), "residuals", 1000, outputs)
    risk = float(residuals.square().sum(1).mean())
    # The worst that the tolerance allows: each output moves away from its label.
    moved = residuals + accepted_difference(check) * residuals.sign()
    worst = float(moved.square().sum(1).mean())
    assert risk < worst <= risk_bound_as_served(risk, check, outputs) < 1.5 * risk
    # Equality where all residuals are alike, so no smaller bound would do.
    assert risk_bound_as_served(outputs * 4.0, check, outputs) == pytest.approx(outputs * 2.1**2)
    assert risk_bound_as_served(math.inf, check, outputs) == math.inf


def test_certificate_covers_the_served_graph():
    certificate = Certificate(
        risk_upper_bound=0.25, loss_cap=4.0, confidence=0.95, sample_size=100, labels_outside_range=0
    )
    for space, addition in ((LARGE[0], True), (TwoLayer(kind="two_layer", width=64), False)):
        exported = artefacts.export(
            a_model(space), name="m", encoding=ENCODING, output_names=["y", "z"], provenance={}, certificate=certificate
        )
        check = ExportCheck(**exported.manifest["export_check"])
        bound = exported.manifest["certificate"]["risk_upper_bound"]
        assert bound == (risk_bound_as_served(0.25, check, 2) if addition else 0.25)
        assert (bound > 0.25) == addition
