"""Functions of a ball { phi.a : |a| <= Q } that agree with signs, or fit labels, as far as a closed form finds them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Inputs
from models.bounds._frozen_features import coefficients_of, features_of
from models.bounds.base import BoundSubject
from models.complexities.path_norm_ball import PathWeights, homogeneous, path_norm
from models.risks import EVALUATION_BLOCK

MOST_NEURONS = 128
MOST_FITTED = 1100
"""Features up to which labels are fitted: the decomposition of a larger matrix takes seconds."""
RIDGES = (1e-8, 1e-6, 1e-4, 1e-2)
"""Relative to the mean eigenvalue."""

Values = Float[Tensor, "draws n"]


@dataclass(frozen=True)
class FeatureBall:
    """`norm` of the model; `ball` in words; `features(rows)`: phi; `order` of the norm of a, 1 or 2.

    What the methods return are values of elements of the ball, whatever they are asked for.
    """

    norm: float
    ball: str
    features: Callable[[Inputs], Features]
    order: Literal[1, 2]

    def aligned(self, inputs: Inputs, weights: Values) -> Values:
        """The g of the unit ball with the largest sum_i v_i g(x_i), for each row v."""
        sums = self._sums(inputs, weights)
        if self.order == 1:
            best = sums.abs().argmax(dim=1, keepdim=True)
            unit = torch.zeros_like(sums).scatter(1, best, sums.gather(1, best).sign())
        else:
            unit = sums / sums.norm(dim=1, keepdim=True).clamp(min=1e-300)
        return self._values(inputs, unit)

    def fitted(self, inputs: Inputs, labels: Values, radius: float) -> list[Values]:
        """Ridge fits of each row of labels, shrunk into the ball of this radius; none where m is too large."""
        sums = self._sums(inputs, labels)
        if sums.shape[1] > MOST_FITTED:
            return []
        gram = torch.zeros(sums.shape[1], sums.shape[1], dtype=torch.float64)
        for block in inputs.split(EVALUATION_BLOCK):
            features = self.features(block)
            gram += features.T @ features
        basis = torch.linalg.eigh(gram)
        turned, values = sums @ basis.eigenvectors, basis.eigenvalues.clamp(min=0)
        damped = [turned / (values + ridge * values.mean()).clamp(min=1e-300) for ridge in RIDGES]
        fits = torch.cat(damped) @ basis.eigenvectors.T
        lengths = torch.linalg.vector_norm(fits, ord=self.order, dim=1, keepdim=True)
        shrunk = fits * (radius / lengths.clamp(min=1e-300)).clamp(max=1)
        return list(self._values(inputs, shrunk).split(len(labels)))

    def _sums(self, inputs: Inputs, weights: Values) -> Float[Tensor, "draws m"]:
        """sum_i v_i phi(x_i), in blocks of rows."""
        blocks = zip(weights.split(EVALUATION_BLOCK, dim=1), inputs.split(EVALUATION_BLOCK), strict=True)
        return torch.stack([part @ self.features(block) for part, block in blocks]).sum(dim=0)

    def _values(self, inputs: Inputs, coefficients: Float[Tensor, "draws m"]) -> Values:
        return torch.cat([coefficients @ self.features(block).T for block in inputs.split(EVALUATION_BLOCK)], dim=1)


def coefficient_ball(subject: BoundSubject) -> FeatureBall:
    """|a|_2 <= Q in frozen features."""

    def features(inputs: Inputs) -> Features:
        return features_of(subject.model, inputs).to(torch.float64)

    norm = float(torch.linalg.vector_norm(coefficients_of(subject.model)))
    return FeatureBall(norm, "|a|_2 <= Q in the frozen features.", features, 2)


def neuron_ball(subject: BoundSubject, weights: PathWeights) -> FeatureBall:
    """A part of the path-norm ball: sums of the neurons +-e_j and of the model's own, each scaled to norm 1."""
    model = subject.model
    inner = weights.inner.to(torch.float64)[:MOST_NEURONS] / model.input_scaling.scale
    biases = weights.biases.to(torch.float64)[:MOST_NEURONS] - inner @ model.input_scaling.shift
    own = torch.cat([inner, biases[:, None]], dim=1)
    lengths = own.abs().sum(dim=1)
    unit = torch.eye(own.shape[1], dtype=torch.float64)
    neurons = torch.cat([unit, -unit, own[lengths > 0] / lengths[lengths > 0, None]])

    def features(inputs: Inputs) -> Features:
        return torch.relu(homogeneous(inputs).to(torch.float64) @ neurons.T)

    norm = path_norm(weights, model.input_scaling, model.output_scaling)
    return FeatureBall(norm, "Path norm at most Q.", features, 1)
