"""Decompositions of a linear space at all its widths at once, where the features of small widths are the first ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.decomposition.closed_forms import descents, known_penalty
from models.decomposition.grid import CellOutcome, DecompositionSetting, draw, with_frozen
from models.decomposition.nested_features import NestedFeatures, nested_features
from models.decomposition.population_fits import PopulationFits, population_fits
from models.decomposition.terms import AA, SAMPLE, CellMoments, error_products
from models.hypothesis_spaces.base import LinearSpace
from models.learners.base import Advance, Learner
from models.learning import learn
from models.linear_grid.grid import nested_grid_fits
from models.linear_grid.nested_factor import Stack
from models.linear_grid.products import tall_product
from models.linear_grid.rows import HeldRows, Rows
from models.randomness import Randomness
from models.risks import predictions
from models.samples import Sample


@dataclass(frozen=True)
class _Found:
    """What one seed found, in common features: coefficients of f~ and f^ by sample size, and the penalties behind f^.

    `penalties[i, n]`: that of width i on n rows, where the learner named one above 0.
    """

    common: NestedFeatures
    rows: Rows
    best_on_sample: dict[int, Stack]
    learned: dict[int, Stack]
    penalties: dict[tuple[int, int], float] = field(default_factory=dict)


def decompose_nested(
    spaces: Sequence[LinearSpace],
    learner: Learner,
    setting: DecompositionSetting,
    training: Advance,
    reference: Advance,
    unit_done: Callable[[], None],
) -> list[dict[int, CellOutcome]] | None:
    """The outcomes of each space by sample size, as `decompose_width` gives them to rounding; None: not nested.

    `spaces` are one space at ascending widths. All least-squares problems of a seed are solved as one grid: f~ and,
    where the learner has a closed form, f^ from the sample, f_m from fresh points, once for all seeds where the space
    is not random. `training` is polled at each sample size and at the learner's steps.

    Raises:
        As `decompose_width`.
    """
    collected = _Collected(len(spaces), setting)
    kept: list[_Found] = []
    for randomness in setting.seeds:
        drawn = [draw(space, setting, randomness.child("draw")) for space in spaces]
        common = nested_features(spaces, drawn, setting.test_inputs)
        if common is None:
            return None
        found = _find(spaces, common, learner, setting, randomness, training, unit_done)
        if spaces[0].random:
            streams = randomness.child("best_in_space")
            fits = population_fits(common, setting, streams, _penalties([found]), reference)
            collected.add_seed(found, fits)
        else:
            kept.append(found)
    if kept:
        streams = setting.shared.child("best_in_space")
        fits = population_fits(kept[0].common, setting, streams, _penalties(kept), reference)
        for found in kept:
            collected.add_seed(found, fits)
    return collected.outcomes()


def _penalties(found: Sequence[_Found]) -> Mapping[int, tuple[float, ...]]:
    """The distinct penalties of each width over seeds and sample sizes, in ascending order."""
    by_width: dict[int, set[float]] = {}
    for one in found:
        for (index, _), penalty in one.penalties.items():
            by_width.setdefault(index, set()).add(penalty)
    return {index: tuple(sorted(values)) for index, values in by_width.items()}


def _find(
    spaces: Sequence[LinearSpace],
    common: NestedFeatures,
    learner: Learner,
    setting: DecompositionSetting,
    randomness: Randomness,
    training: Advance,
    unit_done: Callable[[], None],
) -> _Found:
    sample = setting.population.training_sample(max(setting.sample_sizes), randomness)
    rows = common.rows(sample)
    penalty = known_penalty(learner)
    found = _Found(common, rows, {}, {})
    grid = nested_grid_fits(
        rows, common.counts, setting.sample_sizes, (0.0, *((penalty,) if penalty else ())), common.factors
    )
    for index, fits in enumerate(grid):
        training(index, len(setting.sample_sizes))
        found.best_on_sample[fits.sample_size] = fits.coefficients[:, 0]
        if penalty is not None:
            found.learned[fits.sample_size] = fits.coefficients[:, -1]
    if penalty:
        found.penalties.update({(i, size): penalty for i in range(len(spaces)) for size in setting.sample_sizes})
    known = descents(learner, common, rows, setting.sample_sizes) if isinstance(rows, HeldRows) else {}
    for size in setting.sample_sizes:
        if penalty is None:
            found.learned[size] = torch.zeros_like(found.best_on_sample[size])
        for index, space in enumerate(spaces):
            if penalty is None:
                if (index, size) in known:
                    coefficients = known[index, size]
                else:
                    coefficients, named = _learned(
                        space, learner, sample.first(size), common, index, setting, randomness, training
                    )
                    if named:
                        found.penalties[index, size] = named
                found.learned[size][: len(coefficients), index] = coefficients
            unit_done()
    return found


def _learned(
    space: LinearSpace,
    learner: Learner,
    sample: Sample,
    common: NestedFeatures,
    index: int,
    setting: DecompositionSetting,
    randomness: Randomness,
    training: Advance,
) -> tuple[Tensor, float | None]:
    """The learner's own fit of width `index`, in common features, and the penalty on |a|^2 that it names."""
    drawn = common.drawn[index]
    model, fitted = learn(
        space,
        learner,
        sample,
        randomness.child("learning"),
        training,
        scale_by_default=False,
        dtype=drawn["coefficients"].dtype,
        device=setting.device,
        start=drawn,
    )
    learned = with_frozen(space, drawn, {name: value.to(setting.device) for name, value in model.parameters.items()})
    named = fitted.details.get("penalty")
    return common.factors[index] * learned["coefficients"], named if isinstance(named, float) else None


class _Collected:
    """Moments at the test points and empirical risks, seed by seed."""

    def __init__(self, widths: int, setting: DecompositionSetting) -> None:
        self._setting = setting
        self._widths = range(widths)
        self._truth = setting.population.target.evaluate(setting.test_inputs)
        cells = [(index, size) for index in self._widths for size in setting.sample_sizes]
        points = setting.test_inputs.shape[0]
        self._moments = {cell: CellMoments(points) for cell in cells}
        self._penalised: dict[tuple[int, int], CellMoments] = {}
        self._empirical: dict[tuple[int, int], list[tuple[float, float]]] = {cell: [] for cell in cells}

    def add_seed(self, found: _Found, fits: PopulationFits) -> None:
        """Measure the functions of one seed."""
        widths, sizes = len(self._widths), self._setting.sample_sizes
        pairs = [torch.cat([found.best_on_sample[size], found.learned[size]], dim=1) for size in sizes]
        shifted = list(fits.penalised)
        stack = torch.cat([fits.best, *pairs, *(fits.penalised[key][:, None] for key in shifted)], dim=1)
        best, *measured, penalised = self._outputs(found.common, stack).split(
            [widths, *[2 * widths] * len(sizes), len(shifted)], dim=1
        )
        for size, pair, outputs in zip(sizes, pairs, measured, strict=True):
            empirical = _empirical_risks(found.rows, size, pair)
            for index in self._widths:
                on_sample, trained = outputs[:, index], outputs[:, widths + index]
                self._moments[index, size].add_seed(error_products(self._truth, best[:, index], on_sample, trained))
                self._empirical[index, size].append((empirical[widths + index], empirical[index]))
        for (index, size), penalty in found.penalties.items():
            # With the penalised minimiser in place of f~, the sample's column is its squared distance from f*.
            other = penalised[:, shifted.index((index, penalty))]
            moments = self._penalised.setdefault((index, size), CellMoments(len(other)))
            moments.add_seed(error_products(self._truth, best[:, index], other, other))

    def _outputs(self, common: NestedFeatures, stack: Stack) -> Tensor:
        """f(x_i) at the test inputs, shape (points, functions, outputs), float64 on the CPU."""

        def evaluate(inputs: Tensor) -> Tensor:
            return tall_product(common.features(inputs), stack.flatten(start_dim=1)).double().cpu()

        return predictions(evaluate, self._setting.test_inputs).unflatten(1, stack.shape[1:])

    def outcomes(self) -> list[dict[int, CellOutcome]]:
        """Of each width, by sample size."""
        return [{size: self._outcome(index, size) for size in self._setting.sample_sizes} for index in self._widths]

    def _outcome(self, index: int, size: int) -> CellOutcome:
        trained, best = torch.tensor(self._empirical[index, size], dtype=torch.float64).T
        moments, penalised = self._moments[index, size], self._penalised.get((index, size))
        bias = None
        if penalised is not None and penalised.seeds == moments.seeds:
            bias = penalised.estimate({SAMPLE: 1.0, AA: -1.0}, "monte_carlo")
        return CellOutcome(moments, trained, best, bias)


def _empirical_risks(rows: Rows, size: int, stack: Stack) -> list[float]:
    total = torch.zeros(stack.shape[1], dtype=torch.float64)
    for features, labels in rows.blocks(0, size):
        fitted = tall_product(features[:, : len(stack)], stack.flatten(start_dim=1)).unflatten(1, stack.shape[1:])
        total += ((fitted - labels[:, None]) ** 2).sum(dim=(0, 2)).double().cpu()
    return (total / size).tolist()
