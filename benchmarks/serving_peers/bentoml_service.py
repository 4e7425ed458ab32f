"""BentoML with one worker: `bentoml serve bentoml_service:Served`. SERVED_GRAPH names the graph file."""

import os

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=1)
class Served:
    """The graph behind /predict."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        graph = os.environ["SERVED_GRAPH"]
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Predict."""
        return self.session.run(["outputs"], {"inputs": rows.astype(np.float64)})[0]
