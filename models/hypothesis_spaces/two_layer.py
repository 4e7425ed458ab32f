"""Two-layer networks, all weights trained; in mean-field, NTK or standard scaling."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.activations import Activation, activated, activation_nodes
from models.arrays import Inputs, Outputs, Parameters
from models.complexities.path_norm_ball import PathWeights
from models.hypothesis_spaces.base import HypothesisSpace
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows

FACTORS = {"mean_field": -1.0, "ntk": -0.5, "standard": 0.0}
"""alpha as a power of m."""

SECOND_MOMENT_GAINS: dict[Activation, float] = {"relu": 2.0, "gelu": 2.0, "sigmoid": 1.0, "tanh": 1.0, "cosine": 1.0}


class TwoLayer(HypothesisSpace):
    """f(x) = alpha sum_j a_j sigma(w_j.x + c_j), alpha = 1/m (mean_field), m^{-1/2} (ntk) or 1 (standard).

    Path norm, for relu: alpha sum_j |a_j| (|w_j|_1 + |c_j|), the bias weight counted.

    Initialisation `random`: (w_j, c_j) ~ N(0, g I / (d + 1)), a_j ~ N(0, 1), or N(0, 1/m) in the standard scaling.
    The gain g is 2 for relu and gelu, which keeps the second moment of a preactivation through the ReLU when x is
    standardised, and 1 for the others. `zero_coefficients`: the same w_j, c_j and a = 0, so that f = 0 and a limit of
    wide networks starts at a kernel method. `lectures`: a = 0 and (w_j, c_j) ~ N(0, I / (d + 1)), which is N(0, I/d)
    of the lectures, where d counts the constant coordinate that carries the bias. Streams: `directions`,
    `coefficients`; neurons of a smaller m are the first of a larger one.

    `cosine` is sigma(t) = cos t; `gelu` the form by tanh (models/activations.py).
    """

    kind: Literal["two_layer"]
    width: Annotated[int, Field(ge=1, le=65_536, description="m, the number of neurons.")] = 50
    activation: Annotated[Activation, Field(description="sigma.")] = "relu"
    scaling: Annotated[Literal["mean_field", "ntk", "standard"], Field(description="alpha: 1/m, m^{-1/2} or 1.")] = (
        "standard"
    )
    initialisation: Annotated[
        Literal["random", "zero_coefficients", "lectures"],
        Field(description="Coefficients a at the start: drawn, or 0; lectures: 0, with inner weights N(0, I/(d+1))."),
    ] = "random"

    trainable: ClassVar[tuple[str, ...]] = ("weights", "biases", "coefficients")
    contains_narrower: ClassVar[bool] = True
    statement: ClassVar[str] = "f(x) = α Σⱼ aⱼ σ(wⱼ·x + cⱼ),  α = 1/m, m^{−1/2} or 1"
    formula: ClassVar[str] = (
        r"f(x) = \alpha \sum_{j=1}^m a_j\, \sigma(w_j \cdot x + c_j), \qquad \alpha = \frac{1}{m}, \; "
        r"\frac{1}{\sqrt{m}} \text{ or } 1"
    )
    reference: ClassVar[str] = "e2022mathematical"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "two_layer", "width": 50},
        {"kind": "two_layer", "width": 128, "scaling": "mean_field", "initialisation": "zero_coefficients"},
        {"kind": "two_layer", "width": 64, "activation": "gelu", "scaling": "ntk"},
        {"kind": "two_layer", "width": 64, "activation": "tanh", "initialisation": "lectures"},
    )

    @property
    def factor(self) -> float:
        """alpha."""
        return self.width ** FACTORS[self.scaling]

    def with_width(self, width: int) -> "TwoLayer":
        """The same architecture with `width` neurons."""
        return TwoLayer(**{**self.model_dump(), "width": width})

    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """`weights` (m, d), `biases` (m,), `coefficients` (m, k)."""
        gain = 1.0 if self.initialisation == "lectures" else SECOND_MOMENT_GAINS[self.activation]
        directions = normal_rows(randomness, "directions", self.width, input_dimension + 1)
        directions = directions * math.sqrt(gain / (input_dimension + 1))
        coefficients = normal_rows(randomness, "coefficients", self.width, output_dimension)
        if self.initialisation != "random":
            coefficients = torch.zeros_like(coefficients)
        elif self.scaling == "standard":
            coefficients = coefficients / math.sqrt(self.width)
        return {
            "weights": directions[:, :-1].to(dtype).contiguous(),
            "biases": directions[:, -1].to(dtype).contiguous(),
            "coefficients": coefficients.to(dtype).contiguous(),
        }

    def evaluate(self, parameters: Parameters, inputs: Inputs) -> Outputs:
        """alpha sum_j a_j sigma(w_j.x_i + c_j)."""
        preactivations = torch.addmm(parameters["biases"], inputs, parameters["weights"].T)
        return (activated(self.activation, preactivations) @ parameters["coefficients"]) * self.factor

    def path_norm_weights(self, parameters: Parameters) -> PathWeights | None:
        """alpha a_j, w_j and c_j for relu; None for the others, which are not homogeneous."""
        if self.activation != "relu":
            return None
        return PathWeights(parameters["coefficients"] * self.factor, parameters["weights"], parameters["biases"])

    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """MatMul, Add, activation, MatMul, Mul."""
        preactivations = graph.affine(inputs, parameters["weights"], parameters["biases"], "hidden")
        activations = activation_nodes(graph, self.activation, preactivations)
        sums = graph.apply("MatMul", activations, graph.constant("coefficients", parameters["coefficients"]))
        return graph.apply("Mul", sums, graph.constant("factor", self.factor))

    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """m (d + 1 + k)."""
        return self.width * (input_dimension + 1 + output_dimension)

    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """Two products and two operations a neuron."""
        return 2.0 * self.width * (input_dimension + output_dimension + 1)
