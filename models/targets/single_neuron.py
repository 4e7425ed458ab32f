"""One ReLU neuron: the smallest function that a linear space in fixed features finds hard in high dimension."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._neurons import Weights, relu_moments, too_many, weights_in
from models.targets.base import KnownFacts, Target


class SingleNeuron(Target):
    """f*(x) = relu(w.x + c). `weights` are the leading entries of w; null: w is uniform on |w|_2 = 1, drawn by `seed`.

    `bias` null: c = -sum_j w_j / 2, so that the neuron turns in the middle of the cube and is never dead there.
    """

    kind: Literal["single_neuron"]
    weights: Weights | None = None
    bias: Annotated[float, Field(ge=-1000, le=1000, description="c; null: -sum_j w_j / 2.")] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63, description="Draws w where it is not given.")] = 0

    statement: ClassVar[str] = "f*(x) = σ(w·x + c),  ‖f*‖_B ≤ ‖w‖₁ + |c|"
    formula: ClassVar[str] = (
        r"f^*(x) = \sigma(w \cdot x + c), \quad \sigma(t) = \max(0, t), \qquad \|f^*\|_B \le \|w\|_1 + |c|"
    )
    reference: ClassVar[str] = "yehudai2019power"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "single_neuron"},
        {"kind": "single_neuron", "weights": [1.0, -0.5], "bias": 0.25},
    )

    def neuron(self, dimension: int) -> tuple[Float[Tensor, " d"], float]:
        """w, float64, and c."""
        weights = weights_in(dimension, self.weights, self.seed, self.kind)
        return weights, -float(weights.sum()) / 2 if self.bias is None else self.bias

    def evaluate(self, inputs: Inputs) -> Labels:
        """relu(w.x_i + c)."""
        weights, bias = self.neuron(inputs.shape[1])
        return torch.relu(inputs @ weights.to(inputs) + bias).unsqueeze(1)

    def check_dimension(self, dimension: int) -> str | None:
        """w must fit."""
        return too_many(self.weights, dimension)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """The neuron's own norm, on R^d; moments: normal, zonal, or over the cube's vertices for up to 10 weights.

        C_f is infinite where the neuron turns inside the domain (f* is not C^2 there) and 0 where it is affine.
        """
        weights, bias = self.neuron(dimension)
        mean, squared = relu_moments(weights.tolist(), bias, measure)
        length = float(weights.norm())
        lowest = bias + float(weights.clamp(max=0).sum())
        highest = bias + float(weights.clamp(min=0).sum())
        turns = {"uniform": lowest < 0 < highest, "gaussian": length > 0, "sphere": abs(bias) < length}[measure]
        on_points = measure == "sphere" and dimension == 1
        return KnownFacts(
            barron_norm_bound=float(weights.abs().sum()) + abs(bias),
            spectral_bound=None if on_points else math.inf if turns else None if measure == "gaussian" else 0.0,
            mean=mean,
            l2_norm_squared=squared,
            in_barron_space=True,
        )
