"""Networks that the a priori estimate compares with: neurons drawn from a known representation of f*."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs
from models.complexities.path_norm_ball import PathWeights, path_norm
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.scaling import identity_scaling
from models.targets.cosine_ridge import CosineRidge
from models.targets.planted_two_layer import PlantedTwoLayer
from models.targets.single_neuron import SingleNeuron


@dataclass(frozen=True)
class ComparisonNetwork:
    """A network of at most m neurons that does not depend on the sample.

    `weights`: f~ = sum_j outer_j max(0, inner_j.x + biases_j). `exact`: f~ is the whole representation, no draw.
    `representation_error`: sup of |f* - representation|, 0 where the representation is a finite sum.
    """

    weights: PathWeights
    exact: bool
    representation_error: float

    @property
    def norm(self) -> float:
        """||theta~||_P."""
        columns = self.weights.inner.shape[1]
        return path_norm(self.weights, identity_scaling(columns), identity_scaling(1))

    def __call__(self, inputs: Inputs) -> Float[Tensor, " n"]:
        """f~(x_i)."""
        hidden = torch.relu(inputs @ self.weights.inner.T + self.weights.biases)
        return (hidden @ self.weights.outer)[:, 0]


def comparison_network(problem: SyntheticProblem, width: int, randomness: Randomness) -> ComparisonNetwork | None:
    """m neurons of f*'s representation, all of them where m suffices, else drawn from it; None where it is not known.

    f* = E_rho a max(0, w.x~) with |a| ||w||_1 = gamma almost surely (rescaled), so the mean of m i.i.d. draws has path
    norm gamma and E||f~ - f*||^2 = (E a^2 max(0, w.x~)^2 - ||f*||^2)/m <= gamma^2 C^2 / m. Stream: `neurons`.
    """
    neurons = _representation(problem)
    if neurons is None:
        return None
    rows, shares, signs, error = neurons
    gamma = float(shares.sum())
    if len(rows) <= width:
        return ComparisonNetwork(_path_weights(rows, signs * shares), True, error)
    generator = randomness.generator("neurons")
    drawn = torch.multinomial(shares, width, replacement=True, generator=generator)
    return ComparisonNetwork(_path_weights(rows[drawn], signs[drawn] * gamma / width), False, error)


def _path_weights(rows: Float[Tensor, "m D"], outer: Float[Tensor, " m"]) -> PathWeights:
    return PathWeights(outer=outer[:, None], inner=rows[:, :-1].contiguous(), biases=rows[:, -1].contiguous())


Neurons = tuple[Float[Tensor, "k D"], Float[Tensor, " k"], Float[Tensor, " k"], float]
"""Rows (w, c) of l1 norm 1, shares |a|, signs of a, and the sup of |f* - sum_k sign_k share_k max(0, w_k.x + c_k)|."""


def _representation(problem: SyntheticProblem) -> Neurons | None:
    target, dimension = problem.target, problem.dimension
    if isinstance(target, PlantedTwoLayer):
        rows, outer = target.neuron_weights(dimension)
        return rows, outer.abs() / target.neurons, outer.sign(), 0.0
    if isinstance(target, SingleNeuron):
        weights, bias = target.neuron(dimension)
        row = torch.cat([weights, weights.new_tensor([bias])])
        return (row / row.abs().sum())[None], row.abs().sum()[None], torch.ones(1, dtype=torch.float64), 0.0
    if isinstance(target, CosineRidge) and problem.measure != "gaussian":
        return _cosine_neurons(target, problem)
    return None


CELLS = 20_000


def _cosine_neurons(target: CosineRidge, problem: SyntheticProblem) -> Neurons | None:
    """cos t = 1 - int_0^{B+} cos(u) relu(t - u) du - int_0^{B-} cos(u) relu(-t - u) du for t = w.x in [-B-, B+].

    The integrals become sums over CELLS midpoints. On a cell of length h the midpoint rule errs by at most h^3/24 times
    the second derivative of the integrand, here at most end + 2, and by h^2/2 on the one cell where relu turns.
    """
    dimension = problem.dimension
    frequencies = [*target.frequencies, *[0.0] * (dimension - len(target.frequencies))]
    weights = 2 * math.pi * torch.tensor(frequencies, dtype=torch.float64)
    total = float(weights.abs().sum())
    if total == 0:
        return None
    ends = (float(weights.clamp(min=0).sum()), float(-weights.clamp(max=0).sum()))
    if problem.measure == "sphere":
        ends = (total, total)
    constant = torch.zeros(1, dimension + 1, dtype=torch.float64)
    constant[0, -1] = 1.0
    error = 0.0
    rows, shares, signs = [constant], [torch.ones(1, dtype=torch.float64)], [torch.ones(1, dtype=torch.float64)]
    for side, end in zip((1.0, -1.0), ends, strict=True):
        if end == 0:
            continue
        turns = (torch.arange(CELLS, dtype=torch.float64) + 0.5) * end / CELLS
        lengths = total + turns
        error += (end / CELLS) ** 2 * (end * (end + 2) / 24 + 0.5)
        rows.append(torch.cat([side * weights.expand(CELLS, -1), -turns[:, None]], dim=1) / lengths[:, None])
        shares.append(torch.cos(turns).abs() * lengths * end / CELLS)
        signs.append(-torch.cos(turns).sign())
    return torch.cat(rows), torch.cat(shares), torch.cat(signs), error
