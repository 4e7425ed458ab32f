"""The random feature model: a two-layer network whose inner weights stay where they were drawn."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from models.activations import Activation, activated, activation_nodes
from models.arrays import Features, Inputs, Parameters
from models.complexities.path_norm_ball import PathWeights
from models.errors import refuse
from models.hypothesis_spaces.base import LinearSpace
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows, uniform_rows

WAVES = ("cosine", "fourier")


class RandomFeatures(LinearSpace):
    """f(x) = m^{-1/2} sum_j a_j phi(x; w_j, c_j), with (w_j, c_j) drawn once and a trained.

    relu, sigmoid, tanh: phi = sigma(w.x + c). `sphere` (their default): (w, c) uniform on the unit sphere of R^D,
    D = d + 1; `gaussian`: (w, c) ~ N(0, I/s^2), s the bandwidth, sqrt(D) unless given. Without bias c = 0 and D = d.

    cosine: phi = sqrt(2) cos(w.x + c), c ~ U[0, 2 pi), or 0 without bias. `gaussian` (the default): w ~ N(0, I/s^2),
    s = sqrt(d) unless given; k_m tends to exp(-|x - x'|^2 / (2 s^2)). `sphere`: w uniform on the unit sphere of R^d.

    fourier: the complex exponential exp(i w.x) as its real pair, features sqrt(2) cos(w.x), sqrt(2) sin(w.x) in turn:
    m features are m/2 frequencies, and an odd m leaves the last one its cosine. Same laws and limit as cosine. There
    is no bias, because a phase only rotates a pair within its span.

    With k_m(x, x') = (1/m) sum_j phi_j(x) phi_j(x'), |a|_2 is at least the norm of f in the kernel's space, with
    equality for the smallest such a. Features of a smaller m are the first of a larger one. Streams: `directions`,
    `phases`.
    """

    kind: Literal["random_features"]
    width: Annotated[int, Field(ge=1, le=65_536, description="m, the number of features.")] = 500
    feature: Annotated[Literal["relu", "sigmoid", "tanh", "cosine", "fourier"], Field(description="phi.")] = "relu"
    law: Annotated[
        Literal["sphere", "gaussian"] | None,
        Field(description="Law of the inner weights; None: gaussian for cosine and fourier, sphere for the others."),
    ] = None
    bandwidth: Annotated[
        float | None, Field(gt=0, le=1e6, description="s of the gaussian law; None: the root of the dimension.")
    ] = None
    bias: Annotated[bool | None, Field(description="Whether c is drawn; None: yes, except for fourier.")] = None

    statement: ClassVar[str] = "f(x) = m^{−1/2} Σⱼ aⱼ φ(x; wⱼ),  wⱼ i.i.d. and frozen"
    formula: ClassVar[str] = (
        r"\begin{split} f(x) &= \frac{1}{\sqrt{m}} \sum_{j=1}^m a_j\, \varphi(x; w_j, c_j), \quad (w_j, c_j) \text{ "
        r"drawn once}, \\ \|f\|_{k_m} &\le \|a\|_2, \quad k_m(x, x') = \frac{1}{m} \sum_{j=1}^m \varphi(x; w_j, "
        r"c_j)\, \varphi(x'; w_j, c_j) \end{split}"
    )
    reference: ClassVar[str] = "rahimi2008random"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "random_features", "width": 100},
        {"kind": "random_features", "width": 100, "feature": "cosine", "bandwidth": 2.0},
        {"kind": "random_features", "width": 101, "feature": "fourier"},
        {"kind": "random_features", "width": 100, "feature": "tanh", "law": "gaussian", "bias": False},
        {"kind": "random_features", "width": 100, "feature": "sigmoid"},
    )

    @model_validator(mode="after")
    def _parameters_belong_to_the_law(self) -> "RandomFeatures":
        if self.bandwidth is not None and self.weight_law != "gaussian":
            refuse(
                "/bandwidth", f"Only the gaussian law has a bandwidth; {self.feature} features here are on the sphere."
            )
        if self.bias and self.feature == "fourier":
            refuse(
                "/bias", "A phase leaves the span of a cosine and sine pair as it is: fourier features have no bias."
            )
        return self

    @property
    def weight_law(self) -> Literal["sphere", "gaussian"]:
        """The law in force."""
        return self.law or ("gaussian" if self.feature in WAVES else "sphere")

    @property
    def has_bias(self) -> bool:
        """Whether c is drawn."""
        return self.feature != "fourier" if self.bias is None else self.bias

    @property
    def features_vanish(self) -> bool:
        """Those of relu do."""
        return self.feature == "relu"

    def with_width(self, width: int) -> "RandomFeatures":
        """The same features, more or fewer of them."""
        return RandomFeatures(**{**self.model_dump(), "width": width})

    @property
    def _directions(self) -> int:
        return -(-self.width // 2) if self.feature == "fourier" else self.width

    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """`weights` (m, d) and, with bias, `biases` (m,), frozen; `coefficients` (m, k) = 0.

        For fourier `weights` has one row for each frequency, (ceil(m/2), d).
        """
        homogeneous = self.has_bias and self.feature not in WAVES
        columns = input_dimension + 1 if homogeneous else input_dimension
        directions = normal_rows(randomness, "directions", self._directions, columns)
        if self.weight_law == "sphere":
            directions = directions / directions.norm(dim=1, keepdim=True)
        else:
            directions = directions / (math.sqrt(columns) if self.bandwidth is None else self.bandwidth)
        drawn = {"weights": directions[:, :input_dimension]}
        if homogeneous:
            drawn["biases"] = directions[:, -1]
        elif self.has_bias:
            drawn["biases"] = 2 * math.pi * uniform_rows(randomness, "phases", self.width, 1)[:, 0]
        drawn["coefficients"] = torch.zeros(self.width, output_dimension)
        return {name: value.to(dtype).contiguous() for name, value in drawn.items()}

    def features(self, parameters: Parameters, inputs: Inputs) -> Features:
        """m^{-1/2} phi(x_i; w_j, c_j)."""
        weights = parameters["weights"]
        products = torch.addmm(parameters["biases"], inputs, weights.T) if self.has_bias else inputs @ weights.T
        activations = self._activations(products)
        return activations * self._factor if activations.requires_grad else activations.mul_(self._factor)

    def _activations(self, products: Tensor) -> Tensor:
        if self.feature == "fourier":
            pairs = torch.stack([torch.cos(products), torch.sin(products)], dim=2).flatten(start_dim=1)
            return pairs[:, : self.width]
        return activated(self.feature, products)

    @property
    def _factor(self) -> float:
        return math.sqrt((2 if self.feature in WAVES else 1) / self.width)

    def path_norm_weights(self, parameters: Parameters) -> PathWeights | None:
        """m^{-1/2} a_j, w_j and c_j of ReLU features, which are a two-layer network; None for the others."""
        if self.feature != "relu":
            return None
        weights = parameters["weights"]
        biases = parameters["biases"] if self.has_bias else torch.zeros_like(weights[:, 0])
        return PathWeights(parameters["coefficients"] * self._factor, weights, biases)

    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """MatMul, Add, activation, MatMul, Mul; fourier multiplies cosines and sines by their own coefficients."""
        biases = parameters["biases"] if self.has_bias else None
        products = graph.affine(inputs, parameters["weights"], biases, "features")
        coefficients = parameters["coefficients"] * self._factor
        if self.feature != "fourier":
            activation: Activation = self.feature
            features = activation_nodes(graph, activation, products)
            return graph.apply("MatMul", features, graph.constant("coefficients", coefficients))
        sines = torch.zeros_like(coefficients[0::2])
        sines[: self.width // 2] = coefficients[1::2]
        even = graph.apply("MatMul", graph.apply("Cos", products), graph.constant("cosines", coefficients[0::2]))
        odd = graph.apply("MatMul", graph.apply("Sin", products), graph.constant("sines", sines))
        return graph.apply("Add", even, odd)

    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """m (d + 1 + k), of which m k are trained; m less without bias, half of the weights for fourier."""
        biases = self.width if self.has_bias else 0
        return self._directions * input_dimension + biases + self.width * output_dimension

    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """Two products and about four operations a feature."""
        return 2.0 * self.width * (input_dimension + output_dimension + 2)
