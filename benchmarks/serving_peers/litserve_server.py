"""LitServe with one worker and one API server. Arguments: graph file, port."""

import sys

import litserve
import numpy as np
import onnxruntime


class Served(litserve.LitAPI):
    """The graph behind /predict."""

    def setup(self, device: str) -> None:
        """Open the graph in the worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])

    def decode_request(self, request: dict[str, list[list[float]]]) -> np.ndarray:
        """Rows of numbers."""
        return np.array(request["rows"], dtype=np.float64)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict."""
        return self.session.run(["outputs"], {"inputs": x})[0]

    def encode_response(self, output: np.ndarray) -> dict[str, list[list[float]]]:
        """One prediction a row."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Served(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
