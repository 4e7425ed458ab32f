"""Decompositions of x ~ N(0, I), f*(x) = x . beta, whose terms are known exactly (Belkin, Hsu and Xu, 2020)."""

from dataclasses import dataclass

import torch
from parts_here import parts_here

from models.decomposition.groups import decompose
from models.decomposition.nested_group import NestedGroup
from models.decomposition.reference_training import ReferenceBudget
from models.decomposition.setting import DecompositionSetting, Polls
from models.decomposition.terms import cell_estimates
from models.randomness import Randomness, normal_rows
from models.samples import Sample

BUDGET = ReferenceBudget(
    restarts=1, steps=1, population_steps=1, batch=1, selection_size=1, projection_rows=100, projection_floor=40_000
)


@dataclass(frozen=True)
class LinearGaussian:
    """x ~ N(0, I_D), f*(x) = x . beta, y = f*(x) + sigma e."""

    beta: torch.Tensor
    sigma: float

    @property
    def noise_variance(self):
        """sigma^2."""
        return self.sigma**2

    @property
    def target(self):
        """Itself."""
        return self

    def evaluate(self, inputs):
        """f*(x)."""
        return inputs @ self.beta[:, None]

    def inputs(self, size, randomness, stream):
        """x_1 .. x_n."""
        return normal_rows(randomness, f"{stream}_inputs", size, len(self.beta))

    def training_sample(self, sample_size, randomness):
        """A sample with noise."""
        inputs = self.inputs(sample_size, randomness, "training")
        noise = self.sigma * normal_rows(randomness, "training_noise", sample_size, 1)
        return Sample(inputs, self.evaluate(inputs) + noise)


def fields_of(problem, space, widths, sizes, seeds, learner, dimension, test_size, seed=0):
    """The estimated fields of every cell by width and sample size."""
    setting = DecompositionSetting(
        population=problem,
        dimension=dimension,
        output_dimension=1,
        sample_sizes=tuple(sizes),
        seeds=tuple(Randomness(seed + index) for index in range(seeds)),
        test_inputs=problem.inputs(test_size, Randomness(10**6), "test"),
        budget=BUDGET,
        shared=Randomness(10**6 + 1),
    )
    spaces = [space.with_width(width) for width in widths]
    (outcomes,) = decompose([[NestedGroup.of(spaces, learner, setting)]], setting, Polls(), parts_here).outcomes
    return {
        (width, size): cell_estimates(outcome.moments, outcome.trained_empirical, problem.noise_variance, 1.0, True)
        | {"regularization_bias": outcome.regularization_bias}
        for width, by_size in zip(widths, outcomes, strict=True)
        for size, outcome in by_size.items()
    }
