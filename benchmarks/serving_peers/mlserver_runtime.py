"""MLServer's runtime for the graph, in the server's own process. SERVED_GRAPH names the file."""

import os

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Served(MLModel):
    """The graph behind /v2/models/two_layer/infer."""

    async def load(self) -> bool:
        """Open the graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        graph = os.environ["SERVED_GRAPH"]
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Predict."""
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float64)
        (outputs,) = self.session.run(["outputs"], {"inputs": rows})
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("outputs", outputs)])
