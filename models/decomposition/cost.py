"""What a grid of decompositions will cost, before anything is drawn."""

from collections.abc import Sequence

from models.decomposition.best_approximation import WARM_STARTS
from models.decomposition.reference_training import ReferenceBudget
from models.fit_cost import activations_of_a_row
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Learner
from models.plan import Plan
from models.risks import EVALUATION_BLOCK

FLOPS_PER_SECOND = 5e9
"""One CPU core in the dense products of these sizes."""
SECONDS_PER_STEP = 5e-4
"""The fixed cost of one step of reference training, whatever the sizes."""
PRODUCT_COLUMNS = 8


def decomposition_plan(
    rows: Sequence[tuple[HypothesisSpace, Learner]],
    dimension: int,
    outputs: int,
    sample_sizes: Sequence[int],
    seeds: int,
    test_size: int,
    budget: ReferenceBudget,
) -> Plan:
    """The cost of `rows` (space at its width, learner) times sample sizes times seeds, f_m, f~ and test included.

    Memory is counted in float64: the test inputs, the products of every sample size at the test points, the largest
    sample with its features, one block of activations, and the functions of one width.
    """
    flops, steps = 0.0, 0
    for space, learner in rows:
        per_row = space.flops_per_row(dimension, outputs)
        fits = sum(learner.flops(space, size, dimension, outputs) for size in sample_sizes)
        measuring = test_size * per_row * (1 if space.linear else 1 + 2 * len(sample_sizes))
        flops += seeds * (fits + measuring)
        if space.linear:
            width = space.feature_count(dimension)
            rows_seen = max(budget.projection_floor, budget.projection_rows * width) + max(sample_sizes)
            # A triangularisation costs 2 m^2 a row, and a quarter more for carrying the triangle along.
            flops += seeds * rows_seen * (per_row + 2.5 * width**2)
        else:
            runs = budget.restarts + 1
            batches = sum(size if size <= 4 * budget.batch else budget.batch for size in sample_sizes)
            flops += 3 * per_row * budget.steps * seeds * runs * batches
            flops += 3 * per_row * budget.population_steps * (budget.restarts + WARM_STARTS) * budget.batch
            steps += budget.steps * seeds * runs * len(sample_sizes)
            steps += budget.population_steps * (budget.restarts + WARM_STARTS)
    parameters = max(space.parameter_count(dimension, outputs) for space, _ in rows)
    activations = max(activations_of_a_row(space, dimension, outputs) for space, _ in rows)
    numbers = (
        test_size * (dimension + outputs + PRODUCT_COLUMNS * (len(sample_sizes) + 3))
        + max(sample_sizes) * (dimension + outputs + activations)
        + EVALUATION_BLOCK * 3 * activations
        + parameters * (2 * seeds * len(sample_sizes) + 8)
    )
    return Plan(
        parameters=parameters,
        peak_memory_bytes=int(8 * numbers),
        floating_point_operations=flops,
        estimated_seconds=flops / FLOPS_PER_SECOND + steps * SECONDS_PER_STEP,
    )
