"""The functions of a linear space at all its widths at once, where the features of small widths are the first ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.decomposition.closed_forms import descents, known_penalty
from models.decomposition.draws import draw, with_frozen
from models.decomposition.nested_features import NestedFeatures, nested_features
from models.decomposition.population_fits import PopulationFits, population_fits
from models.decomposition.seed_part import PopulationPart, SeedPart
from models.decomposition.setting import DecompositionSetting, Polls
from models.errors import NumericalFailure
from models.hypothesis_spaces.base import LinearSpace
from models.learners.base import Learner
from models.learning import learn
from models.linear_grid.grid import nested_grid_fits
from models.linear_grid.nested_factor import Stack
from models.linear_grid.products import tall_product
from models.linear_grid.rows import HeldRows, Rows
from models.randomness import Randomness
from models.risks import predictions
from models.samples import Sample


@dataclass(frozen=True)
class NestedGroup:
    """One linear space at ascending widths with its learner, all least-squares problems of a seed solved as one grid.

    f~ and, where the learner has a closed form, f^ come from the sample; f_m from fresh points, once for all seeds
    where the space is not random. The functions are those of `WidthGroup` to rounding.
    """

    spaces: tuple[LinearSpace, ...]
    learner: Learner

    @classmethod
    def of(cls, spaces: Sequence[LinearSpace], learner: Learner, setting: DecompositionSetting) -> "NestedGroup | None":
        """The group, or None where the first seed's draws show that the spaces are not nested."""
        group = cls(tuple(spaces), learner)
        return group if group._common(setting, setting.seeds[0]) is not None else None

    def find(self, setting: DecompositionSetting, randomness: Randomness, polls: Polls) -> SeedPart:
        """f~ and f^ of the seed at every width and sample size, and f_m where the space is random.

        Raises:
            As `WidthGroup.find`.
            NumericalFailure: this seed's features are not nested though the first's were.
        """
        common = self._common(setting, randomness)
        if common is None:
            raise NumericalFailure("The features of small widths are not the first ones of a large width.")
        found = self._found(common, setting, randomness, polls)
        sizes, widths = setting.sample_sizes, len(self.spaces)
        stacks = [found.best_on_sample, found.learned, *([found.longer] if found.longer else [])]
        kinds, pairs = len(stacks), [torch.cat([stack[size] for stack in stacks[:2]], dim=1) for size in sizes]
        columns = [stack[size] for size in sizes for stack in stacks]
        fits = None
        if self.spaces[0].random:
            streams = randomness.child("best_in_space")
            # Over several seeds, the points of each tell the error that they make.
            slopes = len(setting.seeds) == 1
            fits = population_fits(common, setting, streams, found.penalties_by_width(), polls.reference, slopes)
        on_sample = kinds * widths * len(sizes)
        probes = None if fits is None else fits.probes
        outputs, leverage = _outputs(common, torch.cat([*columns, *_columns(fits)], dim=1), setting, probes)
        on_samples = outputs[:on_sample].unflatten(0, (len(sizes), kinds, widths))
        empirical = [_empirical_risks(found.rows, size, pair) for size, pair in zip(sizes, pairs, strict=True)]
        penalties = [[found.penalties.get((i, size), math.nan) for size in sizes] for i in range(widths)]
        return SeedPart(
            best_on_sample=on_samples[:, 0].transpose(0, 1),
            trained=on_samples[:, 1].transpose(0, 1),
            # f~ comes first in a pair, f^ in what a part keeps.
            empirical=torch.stack(empirical).unflatten(1, (2, widths)).flip(1).permute(2, 0, 1),
            penalties=torch.tensor(penalties, dtype=torch.float64),
            population=None if fits is None else _part(fits, outputs[on_sample:], leverage),
            longer=on_samples[:, 2].transpose(0, 1) if found.longer else None,
        )

    def best(self, setting: DecompositionSetting, parts: Sequence[SeedPart], polls: Polls) -> PopulationPart:
        """f_m of every width where it belongs to no seed, and the minimisers under the penalties of all `parts`.

        Raises:
            Stopped: from a poll.
        """
        common = self._common(setting, setting.seeds[0])
        if common is None:
            raise NumericalFailure("The features of small widths are not the first ones of a large width.")
        by_width: dict[int, set[float]] = {}
        for part in parts:
            for width, penalties in part.penalties_by_width().items():
                by_width.setdefault(width, set()).update(penalties)
        streams = setting.shared.child("best_in_space")
        fits = population_fits(common, setting, streams, by_width, polls.reference, True)
        return _part(fits, *_outputs(common, torch.cat(_columns(fits), dim=1), setting, fits.probes))

    def _common(self, setting: DecompositionSetting, randomness: Randomness) -> NestedFeatures | None:
        drawn = [draw(space, setting, randomness.child("draw")) for space in self.spaces]
        return nested_features(self.spaces, drawn, setting.test_inputs)

    def _found(
        self, common: NestedFeatures, setting: DecompositionSetting, randomness: Randomness, polls: Polls
    ) -> "_Found":
        sizes = setting.sample_sizes
        sample = setting.population.training_sample(max(sizes), randomness)
        rows, penalty = common.rows(sample), known_penalty(self.learner)
        found = _Found(rows, {}, {}, {}, {})
        penalties = (0.0, *((penalty,) if penalty else ()))
        for index, fits in enumerate(nested_grid_fits(rows, common.counts, sizes, penalties, common.factors)):
            polls.training(index, len(sizes))
            found.best_on_sample[fits.sample_size] = fits.coefficients[:, 0]
            if penalty is not None:
                found.learned[fits.sample_size] = fits.coefficients[:, -1]
        if penalty:
            found.penalties.update({(i, size): penalty for i in range(len(self.spaces)) for size in sizes})
        known = descents(self.learner, common, rows, sizes) if isinstance(rows, HeldRows) else {}
        if len(known) == len(self.spaces) * len(sizes):
            found.longer.update({size: torch.zeros_like(stack) for size, stack in found.best_on_sample.items()})
            for (index, size), iterates in known.items():
                found.longer[size][: iterates.shape[1], index] = iterates[1]
        for size in sizes:
            if penalty is None:
                found.learned[size] = torch.zeros_like(found.best_on_sample[size])
            for index in range(len(self.spaces)):
                if penalty is None:
                    descent, named = known.get((index, size)), None
                    if descent is not None:
                        coefficients = descent[0]
                    else:
                        rows_of_size = sample.first(size)
                        coefficients, named = self._learned(common, index, rows_of_size, setting, randomness, polls)
                    if named:
                        found.penalties[index, size] = named
                    found.learned[size][: len(coefficients), index] = coefficients
                polls.unit_done()
        return found

    def _learned(
        self,
        common: NestedFeatures,
        index: int,
        sample: Sample,
        setting: DecompositionSetting,
        randomness: Randomness,
        polls: Polls,
    ) -> tuple[Tensor, float | None]:
        """The learner's own fit of width `index`, in common features, and the penalty on |a|^2 that it names."""
        space, drawn = self.spaces[index], common.drawn[index]
        model, fitted = learn(
            space,
            self.learner,
            sample,
            randomness.child("learning"),
            polls.training,
            scale_by_default=False,
            dtype=drawn["coefficients"].dtype,
            device=setting.device,
            start=drawn,
        )
        learned = {name: value.to(setting.device) for name, value in model.parameters.items()}
        coefficients = with_frozen(space, drawn, learned)["coefficients"]
        named = fitted.details.get("penalty")
        return common.factors[index] * coefficients, named if isinstance(named, float) else None


@dataclass(frozen=True)
class _Found:
    """What one seed found, in common features: coefficients of f~ and f^ by sample size, and the penalties behind f^.

    `longer`: what twice the steps of f^ reach, empty where no formula gives all of it. `penalties[i, n]`: that of
    width i on n rows, where the learner named one above 0.
    """

    rows: Rows
    best_on_sample: dict[int, Stack]
    learned: dict[int, Stack]
    longer: dict[int, Stack]
    penalties: dict[tuple[int, int], float]

    def penalties_by_width(self) -> dict[int, set[float]]:
        """Over the sample sizes."""
        found: dict[int, set[float]] = {}
        for (width, _), penalty in self.penalties.items():
            found.setdefault(width, set()).add(penalty)
        return found


def _columns(fits: PopulationFits | None) -> list[Stack]:
    if fits is None:
        return []
    return [fits.best, *(column[:, None] for column in (*fits.penalised.values(), *fits.slopes.values()))]


def _part(fits: PopulationFits, outputs: Float[Tensor, "f i k"], leverage: Float[Tensor, "w i"]) -> PopulationPart:
    """From the outputs of `_columns`."""
    best, penalised, slopes = outputs.split([fits.best.shape[1], len(fits.penalised), len(fits.slopes)])
    return PopulationPart(
        best,
        dict(zip(fits.penalised, penalised, strict=True)),
        torch.full((len(best),), math.nan, dtype=torch.float64),
        torch.tensor(fits.rows, dtype=torch.float64),
        leverage,
        dict(zip(fits.slopes, slopes, strict=True)),
    )


def _outputs(
    common: NestedFeatures, stack: Stack, setting: DecompositionSetting, probes: Float[Tensor, "m g q"] | None
) -> tuple[Float[Tensor, "f i k"], Float[Tensor, "g i"]]:
    """Each function at the test inputs, and of each width the mean square of its probes; float64 on the CPU."""

    def evaluate(inputs: Tensor) -> Tensor:
        features = common.features(inputs)
        columns = [tall_product(features, stack.flatten(start_dim=1))]
        if probes is not None:
            signs = tall_product(features, probes.flatten(start_dim=1)).unflatten(1, probes.shape[1:])
            columns.append((signs**2).mean(dim=2))
        return torch.cat(columns, dim=1).double().cpu()

    found = predictions(evaluate, setting.test_inputs)
    functions = stack.shape[1] * stack.shape[2]
    outputs = found[:, :functions].unflatten(1, stack.shape[1:]).permute(1, 0, 2)
    return outputs, found[:, functions:].T


def _empirical_risks(rows: Rows, size: int, stack: Stack) -> Float[Tensor, " f"]:
    total = torch.zeros(stack.shape[1], dtype=torch.float64)
    for features, labels in rows.blocks(0, size):
        fitted = tall_product(features[:, : len(stack)], stack.flatten(start_dim=1)).unflatten(1, stack.shape[1:])
        total += ((fitted - labels[:, None]) ** 2).sum(dim=(0, 2)).double().cpu()
    return total / size
