"""Residual networks as discretised flows: the flow-induced space."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.arrays import Inputs, Outputs, Parameters
from models.hypothesis_spaces.base import HypothesisSpace
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness, normal_rows


class Residual(HypothesisSpace):
    """z_0 = V x~, z_{l+1} = z_l + (1/L) U_l relu(W_l z_l) for l = 0..L-1, f(x) = A^T z_L, with x~ = (x, 1), z in R^D.

    As L grows this is a step 1/L of Euler's method for dz/dt = U_t relu(W_t z) on [0, 1]. L = 0 is linear.

    Parameters: `input_weights` (D, d) and `input_biases` (D,), together V; `inner_weights` (L, m, D) = W,
    `outer_weights` (L, D, m) = U, `coefficients` (D, k) = A.

    Initialisation: V embeds x~ in the first d + 1 coordinates (zeros elsewhere); rows of W_l ~ N(0, 2 I / D), U_l ~
    N(0, 1/m), A ~ N(0, I/D), so that a step moves z by O(1/L) of its size. Streams: `inner_1`.., `outer_1`..,
    `coefficients`.
    """

    kind: Literal["residual"]
    width: Annotated[int, Field(ge=1, le=65_536, description="m, the neurons of a layer.")] = 16
    depth: Annotated[int, Field(ge=0, le=1_000, description="L, the number of layers.")] = 8
    state_dimension: Annotated[int | None, Field(ge=2, le=16_384, description="D, at least d + 1; None: d + 2.")] = None

    trainable: ClassVar[tuple[str, ...]] = (
        "input_weights",
        "input_biases",
        "inner_weights",
        "outer_weights",
        "coefficients",
    )
    contains_narrower: ClassVar[bool] = True
    statement: ClassVar[str] = "z₀ = Vx̃,  z_{l+1} = z_l + (1/L) U_l σ(W_l z_l),  f(x) = α·z_L,  σ = max(0, ·)"
    formula: ClassVar[str] = (
        r"\begin{split} z_0 &= V \tilde{x}, \quad z_{l+1} = z_l + \frac{1}{L} U_l\, \sigma(W_l z_l), \quad l = 0, "
        r"\dots, L - 1, \\ f(x) &= A^\top z_L, \quad \tilde{x} = (x, 1), \quad \sigma(t) = \max(0, t) \end{split}"
    )
    reference: ClassVar[str] = "e2022barron"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "residual", "width": 16, "depth": 2},
        {"kind": "residual", "width": 8, "depth": 4, "state_dimension": 10},
    )

    def with_width(self, width: int) -> "Residual":
        """The same depth and state dimension at another width."""
        return Residual(**{**self.model_dump(), "width": width})

    def _states(self, input_dimension: int) -> int:
        return input_dimension + 2 if self.state_dimension is None else self.state_dimension

    def check_dimension(self, input_dimension: int) -> str | None:
        """x~ must fit into z."""
        states = self._states(input_dimension)
        if states > input_dimension:
            return None
        return f"The state has {states} dimensions; the input with its constant needs {input_dimension + 1}."

    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """See the class. Where x~ does not fit into z its last coordinates are lost; plans refuse that."""
        states = self._states(input_dimension)
        embedding = torch.eye(states, input_dimension + 1, dtype=torch.float64)
        inner = torch.empty(self.depth, self.width, states, dtype=torch.float64)
        outer = torch.empty(self.depth, states, self.width, dtype=torch.float64)
        for layer in range(self.depth):
            inner[layer] = normal_rows(randomness, f"inner_{layer + 1}", self.width, states) * math.sqrt(2 / states)
            # Rows are neurons, so that those of a smaller width are the first of a larger one.
            outer[layer] = normal_rows(randomness, f"outer_{layer + 1}", self.width, states).T / math.sqrt(self.width)
        coefficients = normal_rows(randomness, "coefficients", states, output_dimension) / math.sqrt(states)
        drawn = {
            "input_weights": embedding[:, :-1],
            "input_biases": embedding[:, -1],
            "inner_weights": inner,
            "outer_weights": outer,
            "coefficients": coefficients,
        }
        return {name: value.to(dtype).contiguous() for name, value in drawn.items()}

    def evaluate(self, parameters: Parameters, inputs: Inputs) -> Outputs:
        """A^T z_L(x_i)."""
        state = torch.addmm(parameters["input_biases"], inputs, parameters["input_weights"].T)
        for inner, outer in zip(parameters["inner_weights"], parameters["outer_weights"], strict=True):
            state = torch.addmm(state, torch.relu(state @ inner.T), outer.T, alpha=1 / self.depth)
        return state @ parameters["coefficients"]

    def weighted_path_norm(self, parameters: Parameters) -> Float[Tensor, " k"]:
        """|| |alpha|^T prod_l (I + (3/L) |U_l| |W_l|) |V| ||_1 of each output, the last layer leftmost.

        A path picks at each layer the skip (weight 1) or one neuron (weight U W / L); a path through p neurons counts
        3^p times. 1/L stands with U, which it multiplies in f, so the norm is that of the network written with U/L.
        Source: E, Ma and Wang, arXiv:1903.02154, where 1/L is inside U. Vectors only: O(number of parameters).
        """
        weights = parameters["coefficients"].abs()
        for layer in reversed(range(self.depth)):
            through = parameters["outer_weights"][layer].abs().T @ weights
            weights = weights + (3 / self.depth) * (parameters["inner_weights"][layer].abs().T @ through)
        lengths = parameters["input_weights"].abs().sum(dim=1) + parameters["input_biases"].abs()
        return lengths @ weights

    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """MatMul, Add; then MatMul, Relu, MatMul, Add for each layer, with U/L as one constant; MatMul."""
        state = graph.affine(inputs, parameters["input_weights"], parameters["input_biases"], "state")
        layers = zip(parameters["inner_weights"], parameters["outer_weights"], strict=True)
        for index, (inner, outer) in enumerate(layers, start=1):
            hidden = graph.apply("Relu", graph.affine(state, inner, None, f"inner_{index}"))
            state = graph.apply("Add", state, graph.affine(hidden, outer / self.depth, None, f"outer_{index}"))
        return graph.apply("MatMul", state, graph.constant("coefficients", parameters["coefficients"]))

    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """D (d + 1) + 2 L m D + D k."""
        states = self._states(input_dimension)
        return states * (input_dimension + 1 + 2 * self.depth * self.width + output_dimension)

    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """Two for each parameter."""
        return 2.0 * self.parameter_count(input_dimension, output_dimension)
