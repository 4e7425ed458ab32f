"""A learned model as it is served: its ONNX graph, run by the runtime that the API uses."""

import hashlib
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.encoding import RawRows
from models.encoding_graph import CATEGORIES, INPUT
from models.errors import InvalidData

SLICE_ROWS = 512
"""Rows of one run, so that the activations of a wide model stay small."""


class OnnxGraphFile:
    """The graph of a manifest. Raises InvalidData, when made, where the bytes are not those that were stored."""

    def __init__(self, manifest: dict[str, Any], content: bytes) -> None:
        # Imported by the few jobs that need it.
        import onnxruntime

        if hashlib.sha256(content).hexdigest() != manifest["graph_sha256"]:
            raise InvalidData("The stored graph does not match its digest.", "/model_id")
        self.manifest = manifest
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def __call__(self, rows: RawRows) -> Float[Tensor, "n k"]:
        """Outputs in label units, float64."""
        feeds = {INPUT: rows.numbers.numpy(), CATEGORIES: np.array(rows.texts, dtype=object).T}
        parts = []
        for start in range(0, max(1, len(rows.numbers)), SLICE_ROWS):
            part = {name: feeds[name][start : start + SLICE_ROWS] for name in self._inputs}
            (values,) = self._session.run(None, part)
            parts.append(torch.from_numpy(np.asarray(values, dtype=np.float64)))
        return torch.cat(parts)
