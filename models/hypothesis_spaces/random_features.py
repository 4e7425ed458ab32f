"""The random feature model: a two-layer network whose inner weights stay where they were drawn."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator

from models.arrays import Features, Inputs, Parameters
from models.complexities.path_norm_ball import PathWeights
from models.errors import refuse
from models.hypothesis_spaces.base import LinearSpace
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows, uniform_rows


class RandomFeatures(LinearSpace):
    """f(x) = m^{-1/2} sum_j a_j phi(x; w_j, c_j), with (w_j, c_j) drawn once and a trained.

    relu: phi = relu(w.x + c), (w, c) uniform on the unit sphere of R^{d+1}.
    cosine: phi = sqrt(2) cos(w.x + c), w ~ N(0, I/s^2), c ~ U[0, 2 pi); k_m tends to exp(-|x - x'|^2 / (2 s^2)), s
    the bandwidth.

    With k_m(x, x') = (1/m) sum_j phi_j(x) phi_j(x'), |a|_2 is at least the norm of f in the kernel's space, with
    equality for the smallest such a. Features of a smaller m are the first of a larger one. Streams: `directions`,
    `phases`.
    """

    kind: Literal["random_features"]
    width: Annotated[int, Field(ge=1, le=65_536, description="m, the number of features.")] = 500
    feature: Annotated[Literal["relu", "cosine"], Field(description="phi.")] = "relu"
    bandwidth: Annotated[float | None, Field(gt=0, le=1e6, description="s of the cosine features; None: sqrt(d).")] = (
        None
    )

    statement: ClassVar[str] = "f(x) = m^{−1/2} Σⱼ aⱼ φ(x; wⱼ),  wⱼ i.i.d. and frozen"
    reference: ClassVar[str] = "rahimi2008random"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "random_features", "width": 100},
        {"kind": "random_features", "width": 100, "feature": "cosine", "bandwidth": 2.0},
    )

    @model_validator(mode="after")
    def _bandwidth_belongs_to_cosine(self) -> "RandomFeatures":
        if self.feature != "cosine" and self.bandwidth is not None:
            refuse("/bandwidth", "Only cosine features have a bandwidth.")
        return self

    def with_width(self, width: int) -> "RandomFeatures":
        """The same features, more or fewer of them."""
        return RandomFeatures(kind="random_features", width=width, feature=self.feature, bandwidth=self.bandwidth)

    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """`weights` (m, d) and `biases` (m,), frozen; `coefficients` (m, k) = 0."""
        if self.feature == "relu":
            directions = normal_rows(randomness, "directions", self.width, input_dimension + 1)
            directions = directions / directions.norm(dim=1, keepdim=True)
            weights, biases = directions[:, :-1], directions[:, -1]
        else:
            bandwidth = math.sqrt(input_dimension) if self.bandwidth is None else self.bandwidth
            weights = normal_rows(randomness, "directions", self.width, input_dimension) / bandwidth
            biases = 2 * math.pi * uniform_rows(randomness, "phases", self.width, 1)[:, 0]
        return {
            "weights": weights.to(dtype).contiguous(),
            "biases": biases.to(dtype).contiguous(),
            "coefficients": torch.zeros(self.width, output_dimension, dtype=dtype),
        }

    def features(self, parameters: Parameters, inputs: Inputs) -> Features:
        """m^{-1/2} phi(x_i; w_j, c_j)."""
        preactivations = torch.addmm(parameters["biases"], inputs, parameters["weights"].T)
        activations = torch.relu(preactivations) if self.feature == "relu" else torch.cos(preactivations)
        return activations * self._factor

    @property
    def _factor(self) -> float:
        return math.sqrt((1 if self.feature == "relu" else 2) / self.width)

    def path_norm_weights(self, parameters: Parameters) -> PathWeights | None:
        """m^{-1/2} a_j, w_j and c_j of ReLU features, which are a two-layer network; None for cosines."""
        if self.feature != "relu":
            return None
        return PathWeights(parameters["coefficients"] * self._factor, parameters["weights"], parameters["biases"])

    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """MatMul, Add, Relu or Cos, Mul, MatMul."""
        preactivations = graph.affine(inputs, parameters["weights"], parameters["biases"], "features")
        activations = graph.apply("Relu" if self.feature == "relu" else "Cos", preactivations)
        features = graph.apply("Mul", activations, graph.constant("factor", self._factor))
        return graph.apply("MatMul", features, graph.constant("coefficients", parameters["coefficients"]))

    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """m (d + 1 + k), of which m k are trained."""
        return self.width * (input_dimension + 1 + output_dimension)

    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """Two products and about four operations a feature."""
        return 2.0 * self.width * (input_dimension + output_dimension + 2)
