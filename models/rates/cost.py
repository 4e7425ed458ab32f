"""What the measurement of approximation rates will cost, before anything is drawn."""

from collections.abc import Sequence

from models.batched_training.stacking import StackableSpace
from models.decomposition.cost import FLOPS_PER_SECOND, SECONDS_PER_STEP
from models.decomposition.reference_training import ReferenceBudget
from models.fit_cost import activations_of_a_row
from models.hypothesis_spaces.base import HypothesisSpace
from models.plan import MemoryPart, Plan
from models.rates.best_errors import runs
from models.risks import EVALUATION_BLOCK


def rate_plan(
    rows: Sequence[Sequence[HypothesisSpace]], dimension: int, seeds: int, test_size: int, budget: ReferenceBudget
) -> Plan:
    """The cost of `rows`, each a space at all its widths.

    A projection triangularises its rows at 2.5 m^2 each; a search takes its steps on fresh batches. Memory is counted
    in float64: test inputs, a block of activations, the triangle, and the errors of every run.
    """
    flops, steps, triangle = 0.0, 0, 0.0
    every = [space for row in rows for space in row]
    for space in every:
        per_row, count = space.flops_per_row(dimension, 1), runs(space, seeds)
        flops += count * test_size * per_row
        if space.linear:
            m = space.feature_count(dimension)
            flops += count * max(budget.projection_floor, budget.projection_rows * m) * (per_row + 2.5 * m**2)
            triangle = max(triangle, 3.0 * m**2)
            continue
        flops += 3 * per_row * budget.population_steps * budget.restarts * budget.batch
        # Networks take their steps together.
        steps += budget.population_steps * (1 if isinstance(space, StackableSpace) else budget.restarts)
    activations = max(activations_of_a_row(space, dimension, 1) for space in every)
    parameters = max(space.parameter_count(dimension, 1) for space in every)
    points = test_size * (dimension + 1 + sum(runs(space, seeds) for space in every))
    memory = (
        MemoryPart(
            holds="the errors at the test points, of every width and seed",
            field="/test_size",
            remedy="lower test_size or seeds, or name fewer widths",
            size_bytes=8 * points,
        ),
        MemoryPart(
            holds="features of a block of points at the largest width, and their products",
            field="/widths",
            remedy="lower the largest of widths",
            size_bytes=int(8 * (triangle + 3 * EVALUATION_BLOCK * activations + 8 * parameters)),
        ),
    )
    return Plan(
        parameters=parameters,
        parameters_field="/widths",
        peak_memory_bytes=sum(part.size_bytes for part in memory),
        memory=memory,
        floating_point_operations=flops,
        estimated_seconds=flops / FLOPS_PER_SECOND + steps * SECONDS_PER_STEP,
    )
