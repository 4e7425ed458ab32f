"""Fully connected ReLU networks with several hidden layers."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs, Outputs, Parameters
from models.hypothesis_spaces.base import HypothesisSpace
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows


class Deep(HypothesisSpace):
    """h_0 = x, h_l = relu(W_l h_{l-1} + c_l) for l = 1..L, f(x) = A^T h_L; every hidden layer has width m.

    Parameters: `input_weights` (m, d) = W_1, `input_biases` (m,), `hidden_weights` (L-1, m, m) = W_2..W_L,
    `hidden_biases` (L-1, m), `coefficients` (m, k) = A. There is no output bias: h_L represents constants.

    He initialisation: rows of [W_l, c_l] ~ N(0, 2 I / (fan-in + 1)), A ~ N(0, I/m). Streams: `layer_1` .. `layer_L`,
    `coefficients`.
    """

    kind: Literal["deep"]
    width: Annotated[int, Field(ge=1, le=65_536, description="m, the width of every hidden layer.")] = 64
    depth: Annotated[int, Field(ge=1, le=64, description="L, the number of hidden layers.")] = 3

    trainable: ClassVar[tuple[str, ...]] = (
        "input_weights",
        "input_biases",
        "hidden_weights",
        "hidden_biases",
        "coefficients",
    )
    contains_narrower: ClassVar[bool] = True
    statement: ClassVar[str] = "f(x) = Aᵀ σ(W_L σ(⋯ σ(W₁x + c₁) ⋯) + c_L),  σ = max(0, ·)"
    formula: ClassVar[str] = (
        r"\begin{split} h_0 &= x, \quad h_l = \sigma(W_l h_{l-1} + c_l), \quad l = 1, \dots, L, \\ f(x) &= A^\top "
        r"h_L, \quad \sigma(t) = \max(0, t) \end{split}"
    )
    reference: ClassVar[str] = "he2015delving"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "deep", "width": 32, "depth": 2},
        {"kind": "deep", "width": 16, "depth": 1},
    )

    def with_width(self, width: int) -> "Deep":
        """The same depth at another width."""
        return Deep(kind="deep", width=width, depth=self.depth)

    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """He initialisation."""

        def layer(index: int, fan_in: int) -> torch.Tensor:
            rows = normal_rows(randomness, f"layer_{index}", self.width, fan_in + 1)
            return (rows * math.sqrt(2 / (fan_in + 1))).to(dtype)

        first = layer(1, input_dimension)
        hidden = torch.empty(self.depth - 1, self.width, self.width + 1, dtype=dtype)
        for index in range(self.depth - 1):
            hidden[index] = layer(index + 2, self.width)
        coefficients = normal_rows(randomness, "coefficients", self.width, output_dimension) / math.sqrt(self.width)
        return {
            "input_weights": first[:, :-1].contiguous(),
            "input_biases": first[:, -1].contiguous(),
            "hidden_weights": hidden[:, :, :-1].contiguous(),
            "hidden_biases": hidden[:, :, -1].contiguous(),
            "coefficients": coefficients.to(dtype).contiguous(),
        }

    def evaluate(self, parameters: Parameters, inputs: Inputs) -> Outputs:
        """A^T h_L(x_i)."""
        layer = torch.relu(torch.addmm(parameters["input_biases"], inputs, parameters["input_weights"].T))
        for weights, biases in zip(parameters["hidden_weights"], parameters["hidden_biases"], strict=True):
            layer = torch.relu(torch.addmm(biases, layer, weights.T))
        return layer @ parameters["coefficients"]

    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """MatMul, Add and Relu for each layer, then MatMul."""
        layer = graph.affine(inputs, parameters["input_weights"], parameters["input_biases"], "layer_1")
        layer = graph.apply("Relu", layer)
        for index in range(self.depth - 1):
            weights, biases = parameters["hidden_weights"][index], parameters["hidden_biases"][index]
            layer = graph.apply("Relu", graph.affine(layer, weights, biases, f"layer_{index + 2}"))
        return graph.apply("MatMul", layer, graph.constant("coefficients", parameters["coefficients"]))

    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """m (d + 1) + (L - 1) m (m + 1) + m k."""
        m = self.width
        return m * (input_dimension + 1) + (self.depth - 1) * m * (m + 1) + m * output_dimension

    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """One product a layer."""
        return 2.0 * self.parameter_count(input_dimension, output_dimension)
