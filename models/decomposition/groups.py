"""A grid of decompositions as parts that any process may compute: one for each seed of each group of widths."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor

from models.decomposition.measured_cells import CellOutcome, measured_cells, non_increasing
from models.decomposition.nested_group import NestedGroup
from models.decomposition.seed_part import PopulationPart, SeedPart
from models.decomposition.setting import DecompositionSetting, Polls
from models.decomposition.terms import COLUMNS
from models.decomposition.width_group import WidthGroup
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Learner
from models.run_context import Parts

Group = WidthGroup | NestedGroup

NUMBERS_AT_ONCE = 2**26
"""Numbers at the test points that the widths solved together may hold."""
NUMBERS_OF_A_CELL = 2 * COLUMNS + 4
"""At each test point: the sums of products, those of the penalised minimiser, and predictions."""


def groups(
    space: HypothesisSpace, learner: Learner, widths: Sequence[int], setting: DecompositionSetting
) -> list[Group]:
    """The space at all widths, ascending: as grids where its features are nested, otherwise width by width."""
    together = widths_together(setting.test_inputs.shape[0], len(setting.sample_sizes))
    ascending, found = sorted(widths), list[Group]()
    for start in range(0, len(ascending), together):
        spaces = [space.with_width(width) for width in ascending[start : start + together]]
        linear = [one for one in spaces if isinstance(one, LinearSpace)]
        nested = NestedGroup.of(linear, learner, setting) if linear else None
        found += [nested] if nested is not None else [WidthGroup(one, learner) for one in spaces]
    return found


def widths_together(test_points: int, sample_sizes: int) -> int:
    """How many widths are solved together: as many as NUMBERS_AT_ONCE allows, one at least."""
    return max(1, NUMBERS_AT_ONCE // (test_points * sample_sizes * NUMBERS_OF_A_CELL))


def decompose(
    rows: Sequence[Sequence[Group]], setting: DecompositionSetting, polls: Polls, parts: Parts
) -> list[list[dict[int, CellOutcome]]]:
    """Of each row (one space), of each width in ascending order, the outcomes by sample size.

    The parts are independent of each other given the setting, and are put together in the order of the seeds: who
    computed them changes nothing. `parts` is first asked for `training`, f~ and f^ of every group and seed, and then
    for `reference`, f_m of the groups whose space no seed defines.

    Raises:
        TrainingDiverged: from a learner.
        AssumptionFailed: a learner changed a parameter that its space freezes.
        NumericalFailure: a prediction is not finite.
        Stopped: from a poll.
    """
    every = [group for row in rows for group in row]
    seeds = len(setting.seeds)

    def train(index: int) -> Mapping[str, Tensor]:
        return every[index // seeds].find(setting, setting.seeds[index % seeds], polls).tensors()

    trained = parts("training", len(every) * seeds, train)

    def seed_parts(group: int) -> Iterator[SeedPart]:
        return (SeedPart.of(trained[group * seeds + seed]) for seed in range(seeds))

    shared = [index for index in range(len(every)) if next(seed_parts(index)).population is None]

    def search(index: int) -> Mapping[str, Tensor]:
        found = every[shared[index]].best(setting, tuple(seed_parts(shared[index])), polls)
        return found.tensors()

    searched = parts("reference", len(shared), search) if shared else ()
    found = {index: PopulationPart.of(searched[place]) for place, index in enumerate(shared)}
    return _measured(rows, setting, seed_parts, found)


def _measured(
    rows: Sequence[Sequence[Group]],
    setting: DecompositionSetting,
    seed_parts: Callable[[int], Iterator[SeedPart]],
    found: Mapping[int, PopulationPart],
) -> list[list[dict[int, CellOutcome]]]:
    outcomes: list[list[dict[int, CellOutcome]]] = []
    first = 0
    for row in rows:
        places = range(first, first + len(row))
        shared: list[PopulationPart | None] = [found.get(place) for place in places]
        if all(group.spaces[0].contains_narrower for group in row):
            shared = [*non_increasing([found[place] for place in places])]
        outcomes.append([])
        for place, group, population in zip(places, row, shared, strict=True):
            outcomes[-1] += measured_cells(setting, len(group.spaces), _paired(seed_parts(place), population))
        first += len(row)
    return outcomes


def _paired(parts: Iterator[SeedPart], shared: PopulationPart | None) -> Iterator[tuple[SeedPart, PopulationPart]]:
    for part in parts:
        population = shared or part.population
        if population is None:
            raise ValueError("f_m was not sought")
        yield part, population
