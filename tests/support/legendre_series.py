"""A target whose decomposition in polynomials is known in closed form."""

from dataclasses import dataclass

import torch

from models.hypothesis_spaces.polynomial import Polynomial
from models.randomness import Randomness, normal_rows, uniform_rows
from models.samples import Sample


@dataclass(frozen=True)
class LegendreSeries:
    """x ~ U[0, 1], f* = sum_q c_q P~_q, orthonormal; noise sigma."""

    coefficients: torch.Tensor
    sigma: float = 0.0

    @property
    def noise_variance(self):
        return self.sigma**2

    @property
    def target(self):
        return self

    def evaluate(self, inputs):
        space = Polynomial(kind="polynomial", degree=len(self.coefficients) - 1)
        drawn = space.draw(1, 1, Randomness(0), torch.float64)
        return space.features(drawn, inputs) @ self.coefficients[:, None]

    def inputs(self, size, randomness, stream):
        return uniform_rows(randomness, f"{stream}_inputs", size, 1)

    def training_sample(self, sample_size, randomness):
        inputs = self.inputs(sample_size, randomness, "training")
        noise = self.sigma * normal_rows(randomness, "training_noise", sample_size, 1)
        return Sample(inputs, self.evaluate(inputs) + noise)
