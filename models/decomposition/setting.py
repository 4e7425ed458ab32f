"""What the cells of a decomposition's grid have in common, and how far the work on them is."""

from collections.abc import Callable
from dataclasses import dataclass

from models.arrays import Inputs
from models.decomposition.best_approximation import Population
from models.decomposition.reference_training import ReferenceBudget
from models.optimisation import Advance, unwatched
from models.randomness import Randomness


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


def _nothing() -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Polls:
    """Called at every step of training and of the search for references, and after each (seed, sample size) of a width.

    Each may raise Stopped.
    """

    training: Advance = unwatched
    reference: Advance = unwatched
    unit_done: Callable[[], None] = _nothing
