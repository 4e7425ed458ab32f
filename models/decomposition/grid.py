"""Decompositions of one space at one width, over sample sizes and seeds, with common features and test inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs, Outputs, Parameters
from models.decomposition.best_approximation import (
    Population,
    best_in_space,
    best_on_sample,
    least_squares_on_samples,
    projection,
)
from models.decomposition.reference_training import ReferenceBudget, mean_squared_error
from models.decomposition.terms import CellMoments, error_products
from models.errors import AssumptionFailed
from models.estimates import Estimate
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Advance, Learner
from models.learning import learn
from models.randomness import Randomness
from models.risks import predictions
from models.samples import Sample


@dataclass(frozen=True)
class CellOutcome:
    """What one cell leaves: the moments on test points, and of each seed R_n(f^) and R_n(f~), noise included.

    `regularization_bias`: R(f_{m,penalty}) - R(f_m) of a penalised learner, where it was found.
    """

    moments: CellMoments
    trained_empirical: Float[Tensor, " s"]
    best_on_sample_empirical: Float[Tensor, " s"]
    regularization_bias: Estimate | None = None


@dataclass(frozen=True)
class DecompositionSetting:
    """What the cells of a grid have in common.

    `seeds`: one random tree for each seed; its training sample, draw and learner streams serve every space, width and
    sample size, so that differences between cells are paired. `test_inputs` are common to everything, and so is
    `shared`, the randomness of what belongs to no seed: a job split over workers gives each all of it.
    """

    population: Population
    dimension: int
    output_dimension: int
    sample_sizes: tuple[int, ...]
    seeds: tuple[Randomness, ...]
    test_inputs: Inputs
    budget: ReferenceBudget
    shared: Randomness
    device: str = "cpu"


@dataclass(frozen=True)
class _Found:
    """The functions of one seed: the draw, and by sample size f~ and f^ with their rows."""

    drawn: Parameters
    sample: Sample
    best_on_sample: dict[int, Parameters]
    learned: dict[int, Parameters]


def decompose_width(
    space: HypothesisSpace,
    learner: Learner,
    setting: DecompositionSetting,
    training: Advance,
    reference: Advance,
    unit_done: Callable[[], None],
) -> dict[int, CellOutcome]:
    """The outcome of each sample size. `training` and `reference` are polled at every step of either phase.

    Where the space freezes parameters at a random draw, all three functions of a seed share them and f_m belongs to
    the seed; otherwise the space is one and f_m is found once. `unit_done` is called after each (seed, sample size).

    Raises:
        TrainingDiverged: from the learner.
        AssumptionFailed: the learner changed a parameter that the space freezes.
        NumericalFailure: a prediction is not finite.
        Stopped: from a callback.
    """
    found = [_find(space, learner, setting, randomness, training, reference, unit_done) for randomness in setting.seeds]
    frozen = [name for name in found[0].drawn if name not in space.trainable]
    if frozen and space.random:
        bests = [
            _best_in_space(space, setting, [functions], randomness, reference)
            for functions, randomness in zip(found, setting.seeds, strict=True)
        ]
    else:
        bests = [_best_in_space(space, setting, found, setting.shared, reference)] * len(found)
    return _measure(space, setting, found, bests)


def _find(
    space: HypothesisSpace,
    learner: Learner,
    setting: DecompositionSetting,
    randomness: Randomness,
    training: Advance,
    reference: Advance,
    unit_done: Callable[[], None],
) -> _Found:
    sample = setting.population.training_sample(max(setting.sample_sizes), randomness)
    drawn = draw(space, setting, randomness.child("draw"))
    precision = next(iter(drawn.values())).dtype
    minimisers: dict[int, Parameters] = {}
    if isinstance(space, LinearSpace):
        minimisers = least_squares_on_samples(space, drawn, sample, setting.sample_sizes)
    learned: dict[int, Parameters] = {}
    for size in setting.sample_sizes:
        rows = sample.first(size)
        model, _ = learn(
            space,
            learner,
            rows,
            randomness.child("learning"),
            training,
            scale_by_default=False,
            dtype=precision,
            device=setting.device,
            start=drawn,
        )
        learned[size] = with_frozen(space, drawn, {n: v.to(setting.device) for n, v in model.parameters.items()})
        if size not in minimisers:
            starts = _restarts(space, setting, drawn, randomness)
            minimisers[size] = best_on_sample(
                space, rows, starts, learned[size], setting.budget, randomness.child("best_on_sample"), reference
            )
        unit_done()
    return _Found(drawn, sample, minimisers, learned)


def _best_in_space(
    space: HypothesisSpace,
    setting: DecompositionSetting,
    found: Sequence[_Found],
    randomness: Randomness,
    reference: Advance,
) -> Parameters:
    drawn = found[0].drawn
    streams = randomness.child("best_in_space")
    if isinstance(space, LinearSpace):
        features = drawn["coefficients"].shape[0]
        rows = max(setting.budget.projection_floor, setting.budget.projection_rows * features)
        return projection(space, drawn, setting.population, rows, streams, reference)
    starts = _restarts(space, setting, drawn, streams)
    functions = [
        parameters
        for one in found
        for size in setting.sample_sizes
        for parameters in (one.best_on_sample[size], one.learned[size])
    ]
    return best_in_space(space, setting.population, starts, functions, setting.budget, streams, reference)


def _measure(
    space: HypothesisSpace, setting: DecompositionSetting, found: Sequence[_Found], bests: Sequence[Parameters]
) -> dict[int, CellOutcome]:
    points = setting.test_inputs.shape[0]
    truth = setting.population.target.evaluate(setting.test_inputs)
    moments = {size: CellMoments(points) for size in setting.sample_sizes}
    for functions, best in zip(found, bests, strict=True):
        pairs = [(functions.best_on_sample[size], functions.learned[size]) for size in setting.sample_sizes]
        outputs = _outputs(space, [best, *(function for pair in pairs for function in pair)], setting)
        for index, size in enumerate(setting.sample_sizes):
            on_sample, trained = outputs[1 + 2 * index], outputs[2 + 2 * index]
            moments[size].add_seed(error_products(truth, outputs[0], on_sample, trained))
    return {
        size: CellOutcome(
            moments[size],
            _empirical(space, [(one.learned[size], one.sample.first(size)) for one in found]),
            _empirical(space, [(one.best_on_sample[size], one.sample.first(size)) for one in found]),
        )
        for size in setting.sample_sizes
    }


def _outputs(
    space: HypothesisSpace, functions: Sequence[Parameters], setting: DecompositionSetting
) -> Sequence[Outputs]:
    """f(x_i) of each function at the test inputs, float64 on the CPU; a linear space's features are computed once."""
    precision = next(iter(functions[0].values()))

    def evaluate(inputs: Inputs) -> Outputs:
        placed = inputs.to(precision)
        if isinstance(space, LinearSpace):
            coefficients = torch.cat([parameters["coefficients"] for parameters in functions], dim=1)
            return (space.features(functions[0], placed) @ coefficients).double().cpu()
        return torch.cat([space.evaluate(parameters, placed) for parameters in functions], dim=1).double().cpu()

    return predictions(evaluate, setting.test_inputs).split(setting.output_dimension, dim=1)


def _empirical(space: HypothesisSpace, pairs: Sequence[tuple[Parameters, Sample]]) -> Float[Tensor, " s"]:
    values = [mean_squared_error(space, parameters, sample) for parameters, sample in pairs]
    return torch.tensor(values, dtype=torch.float64)


def draw(space: HypothesisSpace, setting: DecompositionSetting, randomness: Randomness) -> Parameters:
    """The space's draw on the device: float64 for least squares, float32 where training is stochastic."""
    # Least squares needs the digits; stochastic training of the other spaces does not, and is faster without.
    dtype = torch.float64 if space.linear else torch.float32
    drawn = space.draw(setting.dimension, setting.output_dimension, randomness, dtype)
    return {name: value.to(setting.device) for name, value in drawn.items()}


def _restarts(
    space: HypothesisSpace, setting: DecompositionSetting, drawn: Parameters, randomness: Randomness
) -> list[Parameters]:
    """Draws of their own for the trainable parameters; the frozen ones are those of `drawn`."""
    frozen = {name: value for name, value in drawn.items() if name not in space.trainable}
    return [
        {**draw(space, setting, randomness.child(f"restart_{index}")), **frozen}
        for index in range(setting.budget.restarts)
    ]


def with_frozen(space: HypothesisSpace, drawn: Parameters, learned: Parameters) -> Parameters:
    """The learned parameters with the frozen tensors of `drawn` itself, of which one copy is then enough.

    Raises:
        AssumptionFailed: the learner changed a parameter that the space freezes.
    """
    frozen = {name: value for name, value in drawn.items() if name not in space.trainable}
    moved = [name for name, value in frozen.items() if not torch.equal(value, learned[name])]
    if moved:
        raise AssumptionFailed(f"The learner changed {moved[0]!r}, which the space freezes at the draw.", "/learner")
    return {**learned, **frozen}
