"""A grid of decompositions as parts that any process may compute: one for each seed of each group of widths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from models.decomposition.measured_cells import CellOutcome, measured_cells, non_increasing
from models.decomposition.nested_group import NestedGroup
from models.decomposition.seed_part import PopulationPart, SeedPart
from models.decomposition.sequential_stopping import SequentialStopping
from models.decomposition.setting import DecompositionSetting, Polls
from models.decomposition.terms import COLUMNS
from models.decomposition.width_group import WidthGroup
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Learner
from models.run_context import Part, Parts

Group = WidthGroup | NestedGroup

NUMBERS_AT_ONCE = 2**26
"""Numbers at the test points that the widths solved together may hold."""
NUMBERS_OF_A_CELL = 3 * COLUMNS + 5
"""At each test point: the sums of products, those of the penalised minimiser and of twice the steps, predictions."""


def groups(
    space: HypothesisSpace, learner: Learner, widths: Sequence[int], setting: DecompositionSetting
) -> list[Group]:
    """The space at all widths, ascending: as grids where its features are nested, otherwise width by width.

    A linear space at one width is a grid of its own, so that a penalty's minimiser of the risk is found for it, too.
    """
    together = widths_together(setting.test_inputs.shape[0], len(setting.sample_sizes))
    ascending, found = sorted(widths), list[Group]()
    for start in range(0, len(ascending), together):
        spaces = [space.with_width(width) for width in ascending[start : start + together]]
        linear = [one for one in spaces if isinstance(one, LinearSpace)]
        nested = NestedGroup.of(linear, learner, setting) if linear else None
        found += [nested] if nested is not None else [_alone(one, learner, setting) for one in spaces]
    return found


def _alone(space: HypothesisSpace, learner: Learner, setting: DecompositionSetting) -> Group:
    nested = NestedGroup.of([space], learner, setting) if isinstance(space, LinearSpace) else None
    return WidthGroup(space, learner) if nested is None else nested


def widths_together(test_points: int, sample_sizes: int) -> int:
    """How many widths are solved together: as many as NUMBERS_AT_ONCE allows, one at least."""
    return max(1, NUMBERS_AT_ONCE // (test_points * sample_sizes * NUMBERS_OF_A_CELL))


@dataclass(frozen=True)
class Decomposed:
    """`outcomes`: of each row (one space), of each width in ascending order, by sample size. `seeds`: how many ran."""

    outcomes: list[list[dict[int, CellOutcome]]]
    seeds: int


def decompose(
    rows: Sequence[Sequence[Group]],
    setting: DecompositionSetting,
    polls: Polls,
    parts: Parts,
    stopping: SequentialStopping | None = None,
) -> Decomposed:
    """Every cell, with all seeds of the setting, or with as many as `stopping` asks for.

    The parts are independent of each other given the setting, and are put together in the order of the seeds: who
    computed them changes nothing. `parts` is first asked for `training`, f~ and f^ of every group and seed (in rounds
    `training`, `training_2`, .. where seeds are added), and then for `reference`, f_m of the groups whose space no
    seed defines.

    Raises:
        TrainingDiverged: from a learner.
        AssumptionFailed: a learner changed a parameter that its space freezes.
        NumericalFailure: a prediction is not finite.
        Stopped: from a poll.
    """
    every = [group for row in rows for group in row]
    trained = _Trained(every, setting, polls, parts)
    trained.add_seeds(len(setting.seeds) if stopping is None else stopping.first)
    if stopping is not None:
        while trained.seeds < len(setting.seeds) and not stopping.precise(setting, map(trained.of, range(len(every)))):
            trained.add_seeds(min(2 * trained.seeds, len(setting.seeds)))
    setting = replace(setting, seeds=setting.seeds[: trained.seeds])
    shared = [index for index in range(len(every)) if next(trained.of(index)).population is None]

    def search(index: int) -> Part:
        return every[shared[index]].best(setting, tuple(trained.of(shared[index])), polls).tensors()

    searched = parts("reference", len(shared), search) if shared else ()
    found = {index: PopulationPart.of(searched[place]) for place, index in enumerate(shared)}
    return Decomposed(_measured(rows, setting, trained.of, found), trained.seeds)


class _Trained:
    """f~ and f^ of every group and of the first `seeds` seeds."""

    def __init__(self, groups: Sequence[Group], setting: DecompositionSetting, polls: Polls, parts: Parts) -> None:
        self.seeds = 0
        self._groups, self._setting, self._polls, self._parts = groups, setting, polls, parts
        self._rounds: list[tuple[int, Sequence[Part]]] = []

    def add_seeds(self, total: int) -> None:
        """Train with more seeds, `total` then."""
        first, count = self.seeds, total - self.seeds

        def train(index: int) -> Part:
            seed = self._setting.seeds[first + index % count]
            return self._groups[index // count].find(self._setting, seed, self._polls).tensors()

        name = f"training_{len(self._rounds) + 1}" if self._rounds else "training"
        self._rounds.append((count, self._parts(name, len(self._groups) * count, train)))
        self.seeds = total

    def of(self, group: int) -> Iterator[SeedPart]:
        """In the order of the seeds; each is read when it is asked for."""
        for count, parts in self._rounds:
            for place in range(group * count, (group + 1) * count):
                yield SeedPart.of(parts[place])


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
