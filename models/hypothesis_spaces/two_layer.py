"""Two-layer ReLU networks, all weights trained; in mean-field or standard scaling."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs, Outputs, Parameters
from models.complexities.path_norm_ball import PathWeights
from models.hypothesis_spaces.base import HypothesisSpace
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows


class TwoLayer(HypothesisSpace):
    """f(x) = alpha sum_j a_j relu(w_j.x + c_j), with alpha = 1/m (mean_field) or 1 (standard).

    Path norm: alpha sum_j |a_j| (|w_j|_1 + |c_j|), the bias weight counted.

    Initialisation `random`: (w_j, c_j) ~ N(0, 2 I / (d + 1)), which keeps the second moment of a preactivation through
    the ReLU when x is standardised, and a_j ~ N(0, 1) (mean_field) or N(0, 1/m) (standard). `zero_coefficients`: the
    same w_j, c_j and a = 0, so that f = 0 and a limit of wide networks starts at a kernel method. Streams:
    `directions`, `coefficients`; neurons of a smaller m are the first of a larger one.
    """

    kind: Literal["two_layer"]
    width: Annotated[int, Field(ge=1, le=65_536, description="m, the number of neurons.")] = 50
    activation: Annotated[Literal["relu"], Field(description="sigma.")] = "relu"
    scaling: Annotated[Literal["mean_field", "standard"], Field(description="alpha: 1/m or 1.")] = "standard"
    initialisation: Annotated[
        Literal["random", "zero_coefficients"], Field(description="Coefficients a at the start: drawn, or 0.")
    ] = "random"

    trainable: ClassVar[tuple[str, ...]] = ("weights", "biases", "coefficients")
    statement: ClassVar[str] = "f(x) = α Σⱼ aⱼ σ(wⱼ·x + cⱼ),  σ = max(0, ·), α = 1/m or 1"
    reference: ClassVar[str] = "e2022mathematical"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "two_layer", "width": 50},
        {"kind": "two_layer", "width": 128, "scaling": "mean_field", "initialisation": "zero_coefficients"},
    )

    @property
    def factor(self) -> float:
        """alpha."""
        return 1.0 / self.width if self.scaling == "mean_field" else 1.0

    def with_width(self, width: int) -> "TwoLayer":
        """The same architecture with `width` neurons."""
        return TwoLayer(
            kind="two_layer",
            width=width,
            activation=self.activation,
            scaling=self.scaling,
            initialisation=self.initialisation,
        )

    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """`weights` (m, d), `biases` (m,), `coefficients` (m, k)."""
        directions = normal_rows(randomness, "directions", self.width, input_dimension + 1)
        directions = directions * math.sqrt(2 / (input_dimension + 1))
        coefficients = normal_rows(randomness, "coefficients", self.width, output_dimension)
        if self.initialisation == "zero_coefficients":
            coefficients = torch.zeros_like(coefficients)
        elif self.scaling == "standard":
            coefficients = coefficients / math.sqrt(self.width)
        return {
            "weights": directions[:, :-1].to(dtype).contiguous(),
            "biases": directions[:, -1].to(dtype).contiguous(),
            "coefficients": coefficients.to(dtype).contiguous(),
        }

    def evaluate(self, parameters: Parameters, inputs: Inputs) -> Outputs:
        """alpha sum_j a_j relu(w_j.x_i + c_j)."""
        activations = torch.relu(torch.addmm(parameters["biases"], inputs, parameters["weights"].T))
        return (activations @ parameters["coefficients"]) * self.factor

    def path_norm_weights(self, parameters: Parameters) -> PathWeights:
        """alpha a_j, w_j and c_j."""
        return PathWeights(parameters["coefficients"] * self.factor, parameters["weights"], parameters["biases"])

    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """MatMul, Add, Relu, MatMul, Mul."""
        activations = graph.apply("Relu", graph.affine(inputs, parameters["weights"], parameters["biases"], "hidden"))
        sums = graph.apply("MatMul", activations, graph.constant("coefficients", parameters["coefficients"]))
        return graph.apply("Mul", sums, graph.constant("factor", self.factor))

    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """m (d + 1 + k)."""
        return self.width * (input_dimension + 1 + output_dimension)

    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """Two products and two operations a neuron."""
        return 2.0 * self.width * (input_dimension + output_dimension + 1)
