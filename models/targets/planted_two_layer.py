"""A planted two-layer network: realisable at its own width, of known path norm."""

from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.randomness import Randomness, normal_rows
from models.targets._neurons import normal_relu_moments
from models.targets.base import KnownFacts, Target


class PlantedTwoLayer(Target):
    """f*(x) = (Q/m) sum_j s_j relu(w_j.x + c_j) with |w_j|_1 + |c_j| = 1 and signs s_j, so that the path norm is Q.

    (w_j, c_j) is a standard normal vector divided by its l1 norm, s_j a fair sign. A smaller m keeps the first neurons
    of a larger one; the draw depends on `seed` and the dimension only.
    """

    kind: Literal["planted_two_layer"]
    neurons: Annotated[int, Field(ge=1, le=65_536, description="m, the number of planted neurons.")] = 8
    path_norm: Annotated[float, Field(gt=0, le=1e6, description="Q = (1/m) sum |a_j| (|w_j|_1 + |c_j|).")] = 10.0
    seed: Annotated[int, Field(ge=0, lt=2**63, description="Draws the planted neurons.")] = 0

    statement: ClassVar[str] = "f*(x) = (Q/m) Σⱼ sⱼ σ(wⱼ·x + cⱼ),  ‖wⱼ‖₁+|cⱼ| = 1, sⱼ = ±1,  ‖f*‖_B ≤ Q"
    formula: ClassVar[str] = (
        r"\begin{split} f^*(x) &= \frac{Q}{m} \sum_{j=1}^m s_j\, \sigma(w_j \cdot x + c_j), \qquad \sigma(t) = "
        r"\max(0, t), \\ \|w_j\|_1 + |c_j| &= 1, \quad s_j = \pm 1, \quad \|f^*\|_B \le Q \end{split}"
    )
    reference: ClassVar[str] = "e2022mathematical"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "planted_two_layer"},
        {"kind": "planted_two_layer", "neurons": 3, "path_norm": 4.0, "seed": 7},
    )

    def neuron_weights(self, dimension: int) -> tuple[Float[Tensor, "m columns"], Float[Tensor, " m"]]:
        """(w_j, c_j) row by row in d + 1 columns, and a_j = Q s_j; float64."""
        randomness = Randomness(self.seed).child("planted_two_layer")
        directions = normal_rows(randomness, "directions", self.neurons, dimension + 1)
        signs = torch.where(normal_rows(randomness, "signs", self.neurons, 1)[:, 0] < 0, -1.0, 1.0).to(torch.float64)
        return directions / directions.abs().sum(dim=1, keepdim=True), self.path_norm * signs

    def evaluate(self, inputs: Inputs) -> Labels:
        """f*(x_i)."""
        directions, coefficients = (value.to(inputs) for value in self.neuron_weights(inputs.shape[1]))
        activations = torch.relu(inputs @ directions[:, :-1].T + directions[:, -1])
        return (activations @ coefficients).unsqueeze(1) / self.neurons

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """||f*||_B <= Q on R^d: the network itself is a representation of that norm.

        Under N(0, I) each neuron's mean is closed; the mean over the cube is not given.
        """
        directions, coefficients = self.neuron_weights(dimension)
        mean = None
        if measure == "gaussian":
            neurons = [normal_relu_moments(float(row[-1]), float(row[:-1].norm()))[0] for row in directions]
            mean = float(coefficients @ torch.tensor(neurons, dtype=torch.float64)) / self.neurons
        return KnownFacts(barron_norm_bound=self.path_norm, mean=mean, in_barron_space=True)
