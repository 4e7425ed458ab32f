"""The activations of two-layer spaces, each as a torch function and as nodes of a graph."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from models.onnx_graph import OnnxGraph

Activation = Literal["relu", "sigmoid", "tanh", "gelu", "cosine"]

GELU_CUBIC = 0.044715


def gelu(values: Tensor) -> Tensor:
    """t (1 + tanh(sqrt(2/pi) (t + 0.044715 t^3))) / 2, within 5e-4 of t P(N(0,1) <= t).

    The form by tanh is the definition here, since onnxruntime has no float64 kernel for the error function.
    Source: Hendrycks and Gimpel, Gaussian error linear units, section 2.
    """
    return torch.nn.functional.gelu(values, approximate="tanh")


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": gelu,
    "cosine": torch.cos,
}

_IN_PLACE: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "sigmoid": torch.sigmoid_,
    "tanh": torch.tanh_,
    "cosine": torch.cos_,
}


_FLOAT32_BY_NUMPY: dict[Activation, Callable[..., object]] = {"cosine": np.cos, "tanh": np.tanh}
"""Those that numpy computes in less than half of torch's time, on one thread; within 2 units of the last place."""
MOST_NUMPY_THREADS = 2


def _few_threads() -> bool:
    return torch.get_num_threads() <= MOST_NUMPY_THREADS


def activated(activation: Activation, fresh: Tensor) -> Tensor:
    """sigma of values that nobody else holds, in their own memory where no gradient needs them; to rounding."""
    if torch.is_grad_enabled() and fresh.requires_grad:
        return ACTIVATIONS[activation](fresh)
    by_numpy = _FLOAT32_BY_NUMPY.get(activation)
    if by_numpy is not None and fresh.dtype == torch.float32 and fresh.device.type == "cpu" and _few_threads():
        array = fresh.detach().numpy()
        with np.errstate(invalid="ignore"):
            by_numpy(array, out=array)
        return fresh
    return _IN_PLACE.get(activation, ACTIVATIONS[activation])(fresh)


_OPERATORS: dict[Activation, str] = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "cosine": "Cos"}


def activation_nodes(graph: OnnxGraph, activation: Activation, values: str) -> str:
    """Append the nodes of sigma(values)."""
    if activation != "gelu":
        return graph.apply(_OPERATORS[activation], values)
    cube = graph.apply("Mul", values, graph.apply("Mul", values, values))
    bent = graph.apply("Add", values, graph.apply("Mul", cube, graph.constant("cubic", GELU_CUBIC)))
    gate = graph.apply("Tanh", graph.apply("Mul", bent, graph.constant("slope", math.sqrt(2 / math.pi))))
    half = graph.apply("Mul", values, graph.constant("half", 0.5))
    return graph.apply("Mul", half, graph.apply("Add", gate, graph.constant("one", 1.0)))
