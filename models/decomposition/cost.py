"""What a grid of decompositions will cost, before anything is drawn."""

from collections.abc import Sequence

from models.batched_training.stacking import StackableSpace
from models.decomposition.best_approximation import WARM_STARTS
from models.decomposition.closed_forms import has_closed_form
from models.decomposition.groups import NUMBERS_OF_A_CELL, widths_together
from models.decomposition.reference_training import ReferenceBudget
from models.fit_cost import activations_of_a_row, learning_seconds
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Learner
from models.plan import MemoryPart, Plan
from models.risks import EVALUATION_BLOCK

FLOPS_PER_SECOND = 5e9
"""One CPU core in the dense products of the reference functions and of the test points."""
SECONDS_PER_STEP = 5e-4
"""The fixed cost of one step of reference training, whatever the sizes."""


def decomposition_plan(
    rows: Sequence[tuple[Sequence[HypothesisSpace], Learner]],
    dimension: int,
    outputs: int,
    sample_sizes: Sequence[int],
    seeds: int,
    test_size: int,
    budget: ReferenceBudget,
    test_field: str = "/test_size",
) -> Plan:
    """The cost of `rows` (a space at all its widths, learner) times sample sizes times seeds, references included.

    Where features are nested the widest width pays for the rows of all. Memory is counted in float64: the test inputs,
    what the cells solved together keep at the test points, the largest sample with its features, one block of
    activations, and the functions of one width. `test_field` decides the number of test points.
    """
    flops, fitting, learning, steps, cells = 0.0, 0.0, 0.0, 0, len(sample_sizes)
    for spaces, learner in rows:
        nested = all(isinstance(space, LinearSpace) and space.nested for space in spaces)
        if nested:
            together = min(len(spaces), widths_together(test_size, len(sample_sizes)))
            cells = max(cells, together * len(sample_sizes))
            groups = -(-len(spaces) // together)
            flops += seeds * groups * _reading(spaces, dimension, outputs, max(sample_sizes), test_size, budget)
            for space in spaces:
                flops += seeds * len(sample_sizes) * space.feature_count(dimension) ** 3
            if has_closed_form(learner):
                continue
        for space in spaces:
            for size in sample_sizes:
                fitting += seeds * learner.flops(space, size, dimension, outputs)
                learning += seeds * learning_seconds(space, learner, size, dimension, outputs)
        if nested:
            continue
        for space in spaces:
            per_row = space.flops_per_row(dimension, outputs)
            if space.linear:
                flops += seeds * _reading([space], dimension, outputs, max(sample_sizes), test_size, budget)
                continue
            flops += seeds * test_size * per_row * (1 + 2 * len(sample_sizes))
            runs = budget.restarts + 1
            batches = sum(size if size <= 4 * budget.batch else budget.batch for size in sample_sizes)
            flops += 3 * per_row * budget.steps * seeds * runs * batches
            flops += 3 * per_row * budget.population_steps * (budget.restarts + WARM_STARTS) * budget.batch
            # Networks take their steps together.
            alone = not isinstance(space, StackableSpace)
            steps += budget.steps * seeds * (runs if alone else 1) * len(sample_sizes)
            steps += budget.population_steps * (budget.restarts + WARM_STARTS if alone else 1)
    every = [space for spaces, _ in rows for space in spaces]
    parameters = max(space.parameter_count(dimension, outputs) for space in every)
    activations = max(activations_of_a_row(space, dimension, outputs) for space in every)
    memory = (
        MemoryPart(
            holds="what the cells keep at the test points",
            field=test_field,
            remedy=f"lower {test_field[1:]}, or name fewer sample_sizes",
            size_bytes=int(8 * test_size * (dimension + outputs * (1 + NUMBERS_OF_A_CELL * cells))),
        ),
        MemoryPart(
            holds="the largest sample with its features",
            field="/sample_sizes",
            remedy="lower the largest of sample_sizes or of widths",
            size_bytes=int(8 * max(sample_sizes) * (dimension + outputs + activations)),
        ),
        MemoryPart(
            holds="features of a block of points at the largest width",
            field="/widths",
            remedy="lower the largest of widths",
            size_bytes=int(8 * EVALUATION_BLOCK * 3 * activations),
        ),
        MemoryPart(
            holds="the coefficients of all seeds and sample sizes at the largest width",
            field="/widths",
            remedy="lower the largest of widths, or seeds, or name fewer sample_sizes",
            size_bytes=8 * parameters * (2 * seeds * len(sample_sizes) + 8),
        ),
    )
    return Plan(
        parameters=parameters,
        parameters_field="/widths",
        peak_memory_bytes=sum(part.size_bytes for part in memory),
        memory=memory,
        floating_point_operations=fitting + flops,
        estimated_seconds=learning + flops / FLOPS_PER_SECOND + steps * SECONDS_PER_STEP,
    )


def _reading(
    spaces: Sequence[HypothesisSpace],
    dimension: int,
    outputs: int,
    sample_size: int,
    test_size: int,
    budget: ReferenceBudget,
) -> float:
    """Operations of one seed on the rows of the sample, of the projection and of the test, at the widest width."""
    width = max(space.feature_count(dimension) for space in spaces)
    per_row = max(space.flops_per_row(dimension, outputs) for space in spaces)
    seen = max(budget.projection_floor, budget.projection_rows * width) + sample_size
    # A triangularisation costs 2 m^2 a row, and a quarter more for carrying the triangle along.
    return seen * (per_row + 2.5 * width**2) + test_size * per_row
