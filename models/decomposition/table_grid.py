"""The functions of a decomposition on a table, where f* is unknown: f^ and f~ of every sample size, on test rows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Parameters
from models.decomposition.best_approximation import best_on_sample, least_squares_on_samples
from models.decomposition.reference_training import ReferenceBudget
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learned_model import LearnedModel
from models.learners.base import Advance, Learner
from models.problems import TabularProblem
from models.randomness import Randomness
from models.risks import predictions, squared_losses
from models.samples import Sample
from models.scaling import AffineScaling, standardisation


@dataclass(frozen=True)
class TableSetting:
    """What the cells of a grid on a table have in common; label units.

    `pool`: the training rows; the sample of a seed is the first n of them in the seed's order (stream
    `training_order`). Inputs and labels are standardised once, by the whole pool: a scaling learnt from each sample
    would change the space with the sample.
    """

    pool: Sample
    test: Sample
    sample_sizes: tuple[int, ...]
    seeds: tuple[Randomness, ...]
    budget: ReferenceBudget
    device: str = "cpu"

    @property
    def scalings(self) -> tuple[AffineScaling, AffineScaling]:
        """Of inputs and of labels."""
        return standardisation(self.pool.inputs), standardisation(self.pool.labels)


@dataclass(frozen=True)
class TableOutcome:
    """Squared losses in label units of f^ and f~ by seed, sample size and test row, and their empirical risks.

    `coefficients`: m where f~ is linear least squares, None otherwise.
    """

    sample_sizes: tuple[int, ...]
    trained: Float[Tensor, "s j i"]
    best_on_sample: Float[Tensor, "s j i"]
    trained_empirical: Float[Tensor, "s j"]
    best_on_sample_empirical: Float[Tensor, "s j"]
    coefficients: int | None


def table_width(
    space: HypothesisSpace,
    learner: Learner,
    setting: TableSetting,
    training: Advance,
    reference: Advance,
    unit_done: Callable[[], None],
) -> TableOutcome:
    """One width, every sample size in ascending order. Polls and errors as in a grid with a known target.

    Linear spaces are computed in float64, others in float32.

    Raises:
        TrainingDiverged: from the learner.
        Stopped: from a callback.
    """
    sizes = tuple(sorted(setting.sample_sizes))
    space = space.for_sample(sizes[-1], standardised=True)
    dtype = torch.float64 if space.linear else torch.float32
    shape = len(setting.seeds), len(sizes)
    losses = torch.empty(2, *shape, setting.test.size, dtype=torch.float64)
    empirical = torch.empty(2, *shape, dtype=torch.float64)
    coefficients = None
    for seed, randomness in enumerate(setting.seeds):
        inputs, labels = setting.scalings
        order = torch.randperm(setting.pool.size, generator=randomness.generator("training_order"))[: sizes[-1]]
        raw = Sample(setting.pool.inputs[order], setting.pool.labels[order])
        sample = Sample(inputs.apply(raw.inputs), labels.apply(raw.labels)).to(dtype, setting.device)

        def drawn(stream: str, randomness: Randomness = randomness, sample: Sample = sample) -> Parameters:
            draw = space.draw_on(sample.inputs, sample.labels.shape[1], randomness.child(stream), dtype)
            return {name: value.to(setting.device) for name, value in draw.items()}

        start = drawn("draw")
        minimisers: dict[int, Parameters] = {}
        if isinstance(space, LinearSpace):
            minimisers = least_squares_on_samples(space, start, sample, sizes)
            coefficients = start["coefficients"].shape[0]
        for place, size in enumerate(sizes):
            rows = sample.first(size)
            learned = learner.fit(space, rows, randomness.child("learning"), training, start).parameters
            if size not in minimisers:
                frozen = {name: value for name, value in start.items() if name not in space.trainable}
                starts = [{**drawn(f"restart_{index}"), **frozen} for index in range(setting.budget.restarts)]
                streams = randomness.child("best_on_sample")
                minimisers[size] = best_on_sample(space, rows, starts, learned, setting.budget, streams, reference)
            for kind, parameters in enumerate((learned, minimisers[size])):
                model = LearnedModel(space, parameters, inputs, labels)
                losses[kind, seed, place] = _losses(model, setting.test, setting.device)
                empirical[kind, seed, place] = _losses(model, raw.first(size), setting.device).mean()
            unit_done()
    return TableOutcome(sizes, losses[0], losses[1], empirical[0], empirical[1], coefficients)


def whole(problem: TabularProblem) -> Sample:
    """Training and test rows together."""
    parts = problem.training, problem.test
    return Sample(torch.cat([part.inputs for part in parts]), torch.cat([part.labels for part in parts]))


def _losses(model: LearnedModel, sample: Sample, device: str) -> Float[Tensor, " i"]:
    outputs = predictions(model, sample.inputs.to(device))
    return squared_losses(outputs, sample.labels.to(device)).to("cpu", torch.float64)
