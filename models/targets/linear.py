"""An affine function: what every learner should find."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._kernel_norms import norms_of_affine
from models.targets._neurons import Weights, too_many, weights_in
from models.targets.base import KnownFacts, Target


class Linear(Target):
    """f*(x) = w.x + c. `weights` are the leading entries of w; null: w is uniform on |w|_2 = 1, drawn by `seed`."""

    kind: Literal["linear"]
    weights: Weights | None = None
    bias: Annotated[float, Field(ge=-1000, le=1000, description="c.")] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63, description="Draws w where it is not given.")] = 0

    statement: ClassVar[str] = "f*(x) = w·x + c,  ‖f*‖_B ≤ ‖w‖₁ + |c| on [0,1]^d"
    formula: ClassVar[str] = r"f^*(x) = w \cdot x + c, \qquad \|f^*\|_B \le \|w\|_1 + |c| \text{ on } [0, 1]^d"
    reference: ClassVar[str] = "hastie2022surprises"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "linear"},
        {"kind": "linear", "weights": [1.0, -2.0], "bias": 0.5},
    )

    def evaluate(self, inputs: Inputs) -> Labels:
        """w.x_i + c."""
        weights = weights_in(inputs.shape[1], self.weights, self.seed, self.kind).to(inputs)
        return (inputs @ weights + self.bias).unsqueeze(1)

    def check_dimension(self, dimension: int) -> str | None:
        """w must fit."""
        return too_many(self.weights, dimension)

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """Moments, and the norm of w.x: one neuron relu(x_j) a coordinate on the cube, else relu(w.x) - relu(-w.x).

        C_f = 0 on a bounded domain: w.x is the limit of sin(e w.x) / e, whose C_f is e |w|_1^2, and a constant has
        frequency 0.
        """
        weights = weights_in(dimension, self.weights, self.seed, self.kind)
        length_squared = float(weights @ weights)
        variance = length_squared / {"uniform": 12, "gaussian": 1, "sphere": dimension}[measure]
        mean = self.bias + (float(weights.sum()) / 2 if measure == "uniform" else 0.0)
        return KnownFacts(
            barron_norm_bound=float(weights.abs().sum()) * (1 if measure == "uniform" else 2) + abs(self.bias),
            spectral_bound=None if measure == "gaussian" else 0.0,
            mean=mean,
            l2_norm_squared=variance + mean**2,
            in_barron_space=True,
            rkhs_norms=norms_of_affine(weights, self.bias, measure),
        )
