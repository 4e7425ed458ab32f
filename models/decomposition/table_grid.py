"""Grids on a table: the learner and the best on the sample at every width and sample size, measured on rows unseen.

f~ minimises the empirical risk over the space: minimum-norm least squares where the space is linear, elsewhere the
best of restarts and of f^ itself, so that R_n(f~) <= R_n(f^). The samples of a seed and fold are nested in n.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.arrays import Parameters
from models.decomposition.best_approximation import best_on_sample, least_squares_on_samples
from models.decomposition.reference_training import ReferenceBudget
from models.decomposition.rotation import Rotation
from models.decomposition.setting import Polls
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learned_model import LearnedModel
from models.learners.base import Learner
from models.randomness import Randomness
from models.risks import predictions, squared_losses
from models.run_context import Part, Parts
from models.samples import Sample
from models.scaling import standardisation
from models.table_splits import TableSplits


@dataclass(frozen=True)
class TableSetting:
    """What the cells of a grid on a table have in common; label units.

    The sample of a seed and fold is the first n of the split's training rows. Inputs and labels are standardised by
    all training rows of the split: a scaling learnt from each sample would change the space with the sample.
    """

    splits: TableSplits
    sample_sizes: tuple[int, ...]
    seeds: tuple[Randomness, ...]
    budget: ReferenceBudget
    device: str = "cpu"

    @property
    def ascending(self) -> tuple[int, ...]:
        """The sample sizes in order."""
        return tuple(sorted(self.sample_sizes))


@dataclass(frozen=True)
class FoldOutcome:
    """One seed and fold of a width: squared losses in label units of f^ and of f~ (first index) and empirical risks.

    `places`: which of the scored rows the columns of `losses` are. `coefficients`: m where f~ is linear least squares.
    """

    places: Int[Tensor, " i"]
    losses: Float[Tensor, "2 j i"]
    empirical: Float[Tensor, "2 j"]
    coefficients: int | None

    def tensors(self) -> dict[str, Tensor]:
        """For a file."""
        count = torch.tensor(-1 if self.coefficients is None else self.coefficients)
        return {"places": self.places, "losses": self.losses, "empirical": self.empirical, "coefficients": count}

    @classmethod
    def of(cls, stored: Part) -> "FoldOutcome":
        """From `tensors`."""
        count = int(stored["coefficients"])
        return cls(stored["places"], stored["losses"], stored["empirical"], None if count < 0 else count)


@dataclass(frozen=True)
class TableOutcome:
    """Squared losses in label units of f^ and f~ by seed, sample size and scored row, and empirical risks by fold.

    `coefficients`: m where f~ is linear least squares, None otherwise.
    """

    rotation: Rotation
    trained: Float[Tensor, "s j i"]
    best_on_sample: Float[Tensor, "s j i"]
    trained_empirical: Float[Tensor, "s j v"]
    best_on_sample_empirical: Float[Tensor, "s j v"]
    coefficients: int | None

    @property
    def sample_sizes(self) -> tuple[int, ...]:
        """Ascending."""
        return self.rotation.sample_sizes


def table_outcomes(
    rows: Sequence[tuple[HypothesisSpace, Learner]], setting: TableSetting, polls: Polls, parts: Parts
) -> Iterator[TableOutcome]:
    """Of each space, at its width, with its learner; in order, each put together when it is asked for.

    `parts` is asked for one round, `training`: a part is one fold of one seed of one row. Who computes them changes
    nothing.

    Raises:
        TrainingDiverged: from a learner.
        Stopped: from a poll.
    """
    splits = [*product(setting.seeds, range(setting.splits.folds))]

    def train(index: int) -> Part:
        (space, learner), (randomness, fold) = rows[index // len(splits)], splits[index % len(splits)]
        return fold_outcome(space, learner, setting, randomness, fold, polls).tensors()

    trained = parts("training", len(rows) * len(splits), train)
    return (
        merged((FoldOutcome.of(trained[first + place]) for place in range(len(splits))), setting)
        for first in range(0, len(trained), len(splits))
    )


def fold_outcome(
    space: HypothesisSpace, learner: Learner, setting: TableSetting, randomness: Randomness, fold: int, polls: Polls
) -> FoldOutcome:
    """One seed and fold of one width: a function of these alone. Draws and restarts are those of the seed.

    Linear spaces are computed in float64, others in float32. Errors as in `table_outcomes`.
    """
    sizes, split = setting.ascending, setting.splits.split(randomness, fold)
    inputs, labels = standardisation(split.training.inputs), standardisation(split.training.labels)
    space = space.for_sample(sizes[-1], standardised=True)
    dtype = torch.float64 if space.linear else torch.float32
    raw = split.training.first(sizes[-1])
    sample = Sample(inputs.apply(raw.inputs), labels.apply(raw.labels)).to(dtype, setting.device)

    def drawn(stream: str) -> Parameters:
        draw = space.draw_on(sample.inputs, sample.labels.shape[1], randomness.child(stream), dtype)
        return {name: value.to(setting.device) for name, value in draw.items()}

    start = drawn("draw")
    minimisers: dict[int, Parameters] = {}
    coefficients = None
    if isinstance(space, LinearSpace):
        minimisers = least_squares_on_samples(space, start, sample, sizes)
        coefficients = start["coefficients"].shape[0]
    losses = torch.empty(2, len(sizes), split.test.size, dtype=torch.float64)
    empirical = torch.empty(2, len(sizes), dtype=torch.float64)
    for place, size in enumerate(sizes):
        rows = sample.first(size)
        learned = learner.fit(space, rows, randomness.child("learning"), polls.training, start).parameters
        if size not in minimisers:
            frozen = {name: value for name, value in start.items() if name not in space.trainable}
            starts = [{**drawn(f"restart_{index}"), **frozen} for index in range(setting.budget.restarts)]
            streams = randomness.child("best_on_sample")
            minimisers[size] = best_on_sample(space, rows, starts, learned, setting.budget, streams, polls.reference)
        for kind, parameters in enumerate((learned, minimisers[size])):
            model = LearnedModel(space, parameters, inputs, labels)
            losses[kind, place] = _losses(model, split.test, setting.device)
            empirical[kind, place] = _losses(model, raw.first(size), setting.device).mean()
        polls.unit_done()
    return FoldOutcome(split.places, losses, empirical, coefficients)


def merged(outcomes: Iterable[FoldOutcome], setting: TableSetting) -> TableOutcome:
    """The outcomes of every seed and, within each, of every fold, put together."""
    folds, sizes = setting.splits.folds, setting.ascending
    seeds = len(setting.seeds)
    losses = torch.empty(2, seeds, len(sizes), setting.splits.scored_rows, dtype=torch.float64)
    tested = torch.empty(seeds, setting.splits.scored_rows, dtype=torch.int64)
    empirical = torch.empty(2, seeds, len(sizes), folds, dtype=torch.float64)
    # A fold that misses a level has fewer inputs, and may have fewer coefficients.
    coefficients: int | None = None
    for (seed, fold), outcome in zip(product(range(seeds), range(folds)), outcomes, strict=True):
        losses[:, seed, :, outcome.places] = outcome.losses
        tested[seed, outcome.places] = fold
        empirical[:, seed, :, fold] = outcome.empirical
        if outcome.coefficients is not None:
            coefficients = max(coefficients or 0, outcome.coefficients)
    return TableOutcome(
        rotation=Rotation(folds, tested, sizes),
        trained=losses[0],
        best_on_sample=losses[1],
        trained_empirical=empirical[0],
        best_on_sample_empirical=empirical[1],
        coefficients=coefficients,
    )


def _losses(model: LearnedModel, sample: Sample, device: str) -> Float[Tensor, " i"]:
    outputs = predictions(model, sample.inputs.to(device))
    return squared_losses(outputs, sample.labels.to(device)).to("cpu", torch.float64)
