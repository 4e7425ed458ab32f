import math

import numpy as np
import pytest
import torch

from models import artefacts
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel, OutputRange
from models.manifest import Certificate
from models.randomness import Randomness
from models.scaling import standardisation


def exported_plane(certificate=None):
    """A drawn two-layer hypothesis over raw inputs a, b, c, clipped, and its export."""
    space = TwoLayer(kind="two_layer", width=16)
    generator = torch.Generator().manual_seed(0)
    inputs = 40 + 7 * torch.randn(50, 3, generator=generator, dtype=torch.float64)
    labels = inputs[:, :1] * 3
    parameters = space.draw(3, 1, Randomness(0), torch.float64)
    parameters = {name: value + 0.1 for name, value in parameters.items()}
    span = OutputRange(labels.amin(0), labels.amax(0))
    model = LearnedModel(space, parameters, standardisation(inputs), standardisation(labels), span)
    exported = artefacts.export(
        model, name="m", encoding="abc", output_names="y", provenance={}, certificate=certificate
    )
    return model, inputs, exported


def test_served_predictions_equal_the_measured_hypothesis(client, register_exported):
    model, inputs, exported = exported_plane()
    register_exported("m", exported)
    expected = model(inputs).numpy()
    native = client.post("/v1/models/m/predict", json={"rows": inputs.tolist()}).json()
    np.testing.assert_allclose(native["predictions"], expected, rtol=1e-12)
    tensor = {"name": "inputs", "shape": [50, 3], "datatype": "FP64", "data": inputs.flatten().tolist()}
    infer = client.post("/v2/models/m/infer", json={"inputs": [tensor]}).json()
    assert infer["outputs"][0]["data"] == np.ravel(native["predictions"]).tolist()


def test_certificate_travels_with_the_answer(client, register_exported):
    certificate = Certificate(
        risk_upper_bound=math.inf, loss_cap=2.0, confidence=0.95, sample_size=40, labels_outside_range=1
    )
    _, _, exported = exported_plane(certificate)
    register_exported("m", exported)
    tensor = {"name": "inputs", "shape": [1, 3], "datatype": "FP64", "data": [40, 40, 40]}
    answer = client.post("/v2/models/m/infer", json={"inputs": [tensor]}).json()
    assert answer["parameters"] == {
        "risk_upper_bound": "inf",
        "loss_cap": 2.0,
        "confidence": 0.95,
        "sample_size": 40,
        "labels_outside_range": 1,
    }
    assert client.get("/v1/models/m").json()["certificate"] == answer["parameters"]


def test_exported_weights_are_the_models_parameters(client, register_exported):
    _, _, exported = exported_plane()
    register_exported("m", exported)
    weights = client.get("/v1/models/m/versions/1/export?format=safetensors").content
    stored = artefacts.load(exported.manifest, weights)
    assert stored.model.parameters.keys() >= {"weights", "biases", "coefficients"}
    assert client.get("/v1/models/m/versions/1").json()["digest"] == exported.digest


@pytest.mark.parametrize("extreme", [1e300, -1e300])
def test_clipped_hypothesis_answers_far_outside_the_sample(client, register_exported, extreme):
    model, _, exported = exported_plane()
    register_exported("m", exported)
    (value,) = client.post("/v1/models/m/predict", json={"rows": [[extreme] * 3]}).json()["predictions"][0]
    assert model.output_range is not None
    assert float(model.output_range.lower) <= value <= float(model.output_range.upper)
