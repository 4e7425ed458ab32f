"""Subjects that bounds are evaluated on: models that were fitted in closed form, or drawn, and clipped."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from models.bounds import BoundSubject
from models.hypothesis_spaces import HypothesisSpace
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel, OutputRange
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.risks import range_loss_cap
from models.samples import Sample
from models.scaling import identity_scaling, standardisation


def uniform(size: int, dimension: int, seed: int = 0, lower: float = 0.0) -> torch.Tensor:
    """Rows of U[lower, 1]^d."""
    draw = torch.Generator().manual_seed(seed)
    return lower + (1 - lower) * torch.rand(size, dimension, generator=draw, dtype=torch.float64)


def _subject(
    space: HypothesisSpace,
    parameters: dict[str, torch.Tensor],
    training: Sample,
    held_out: Sample,
    scaled: bool,
    limits: tuple[float, float] | None,
    seed: int,
    problem: SyntheticProblem | None = None,
) -> BoundSubject:
    outputs = training.labels.shape[1]
    ends = OutputRange(training.labels.amin(dim=0), training.labels.amax(dim=0))
    if limits is not None:
        ends = OutputRange(*(torch.full((outputs,), end, dtype=torch.float64) for end in limits))
    input_scaling = standardisation(training.inputs) if scaled else identity_scaling(training.inputs.shape[1])
    output_scaling = standardisation(training.labels) if scaled else identity_scaling(outputs)
    model = LearnedModel(space, parameters, input_scaling, output_scaling, ends)
    cap = range_loss_cap(ends.lower, ends.upper)
    return BoundSubject(model, training, held_out, cap, scaled, 1.0, Randomness(seed), problem)


@pytest.fixture
def linear_subject() -> Callable[..., BoundSubject]:
    """Nearly unpenalised least squares on random features of y = sin(3 x_1) + noise on [0,1]^2."""

    def build(
        size: int = 400,
        *,
        held_out: int | None = None,
        width: int = 20,
        outputs: int = 1,
        noise: float = 0.1,
        seed: int = 0,
        scaled: bool = False,
        penalty: float = 0.01,
        limits: tuple[float, float] | None = None,
        feature_seed: int | None = None,
        **space_fields: Any,
    ) -> BoundSubject:
        total = size + (size if held_out is None else held_out)
        inputs = uniform(total, 2, seed)
        draw = torch.Generator().manual_seed(seed + 1_000_003)
        errors = noise * torch.randn(total, outputs, generator=draw, dtype=torch.float64)
        labels = torch.sin(3 * inputs[:, :1]).expand(-1, outputs) + errors
        training, test = Sample(inputs[:size], labels[:size]), Sample(inputs[size:], labels[size:])
        space = RandomFeatures(kind="random_features", width=width, **space_fields)
        features_of = Randomness(seed if feature_seed is None else feature_seed)
        parameters = space.draw(2, outputs, features_of, torch.float64)
        features = space.features(parameters, training.inputs)
        gram = features.T @ features + penalty * torch.eye(width, dtype=torch.float64)
        parameters["coefficients"] = torch.linalg.solve(gram, features.T @ training.labels)
        return _subject(space, parameters, training, test, scaled, limits, seed)

    return build


@pytest.fixture
def drawn_subject() -> Callable[..., BoundSubject]:
    """A space as drawn, not trained, on y = |x_1 - 1/2| over [0,1]^d."""

    def build(
        space: HypothesisSpace | None = None,
        size: int = 300,
        dimension: int = 3,
        *,
        scaled: bool = False,
        outputs: int = 1,
        seed: int = 0,
        limits: tuple[float, float] | None = None,
    ) -> BoundSubject:
        inputs = uniform(2 * size, dimension, seed)
        labels = (inputs[:, :1] - 0.5).abs().expand(-1, outputs).contiguous()
        training, test = Sample(inputs[:size], labels[:size]), Sample(inputs[size:], labels[size:])
        space = space or TwoLayer(kind="two_layer", width=4)
        parameters = space.draw(dimension, outputs, Randomness(seed), torch.float64)
        return _subject(space, parameters, training, test, scaled, limits, seed)

    return build


@pytest.fixture
def miss_allowance() -> Callable[[float, int], float]:
    """delta + 3 standard errors of a miss rate over so many repeats."""
    return lambda delta, repeats: delta + 3 * math.sqrt(delta * (1 - delta) / repeats)
