"""Graphs small enough to check by hand, stored as learned models."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from api.dependencies import Services
from db.repositories.learned_models import LearnedModels
from db.tables import LearnedModel

CERTIFICATE = {
    "risk_upper_bound": 0.25,
    "loss_cap": 4.0,
    "confidence": 0.95,
    "sample_size": 100,
    "labels_outside_range": 0,
}


def linear_graph(matrix: NDArray[np.float64], shift: float = 0.0) -> bytes:
    """`inputs` [N, d] -> `outputs` [N, k] = inputs @ matrix + shift."""
    nodes = [helper.make_node("MatMul", ["inputs", "W"], ["z"]), helper.make_node("Add", ["z", "b"], ["outputs"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("inputs", TensorProto.DOUBLE, ["N", matrix.shape[0]])],
        [helper.make_tensor_value_info("outputs", TensorProto.DOUBLE, ["N", matrix.shape[1]])],
        [numpy_helper.from_array(matrix, "W"), numpy_helper.from_array(np.array(shift), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def register_linear(
    services: Services,
    name: str = "plane",
    matrix: Any = ((1.0,), (10.0,)),
    shift: float = 0.0,
    certificate: dict[str, Any] | None = CERTIFICATE,
    **row: Any,
) -> LearnedModel:
    """The next version of `name`: x -> x @ matrix + shift, inputs a, b, ..., outputs y0, y1, ..."""
    weights = np.array(matrix, dtype=np.float64)
    manifest = {
        "name": name,
        "hypothesis_space": {"kind": "two_layer", "width": 4},
        "input_names": [chr(ord("a") + place) for place in range(weights.shape[0])],
        "output_names": [f"y{place}" for place in range(weights.shape[1])],
        "dtype": "FP64",
        "provenance": {
            "data": {"kind": "target", "dimension": weights.shape[0]},
            "specification": {"kind": "fit", "learner": {"kind": "adam"}},
        },
        "certificate": certificate,
        "digest": "d" * 64,
    }
    contents = {"graph": linear_graph(weights, shift), "weights": weights.tobytes()}
    return store_model(services, name, manifest, contents, **row)


def store_model(
    services: Services,
    name: str,
    manifest: dict[str, Any],
    contents: dict[str, bytes],
    owner: str = "local",
    job_id: str | None = None,
    bounds: tuple[dict[str, Any], ...] = (),
) -> LearnedModel:
    """Files into the store, then the row that points at them; the API does not wait until it notices."""
    with services.database.unit_of_work() as session:
        models = LearnedModels(session, owner)
        newest = models.resolve(name, None)
        version = 1 if newest is None else newest.version + 1
        files = {}
        for role, content in contents.items():
            staged = services.store.staging_directory() / role
            staged.write_bytes(content)
            files[role] = asdict(services.store.adopt(staged, f"models/{owner}/{name}/{version}/{role}"))
        services.directory.forget(owner, name)
        return models.register(
            name=name,
            job_id=job_id,
            digest=manifest["digest"],
            manifest=manifest,
            risks={"population": {"value": "inf"}},
            bounds=list(bounds),
            files=files,
            dataset_ids=[],
        )
