"""What one fit will cost, before anything is drawn."""

from collections.abc import Sequence

from models.bounds import MOST_FITTED, Bound
from models.hypothesis_spaces.base import HypothesisSpace
from models.large_samples import block_rows, streamed_numbers
from models.learners.base import Learner
from models.plan import MemoryPart, Plan
from models.risks import EVALUATION_BLOCK

DENSE_FLOPS_PER_SECOND = 6e10
"""One CPU thread in products and factorisations of float64 matrices, by the counts of the plan."""
NETWORK_FLOPS_PER_SECOND = 1e10
"""One CPU thread in a network and its gradient: thin products, and activations that count as few operations."""
BATCH_FLOPS_PER_SECOND = 4e10
"""One CPU thread in models.batched_training."""
SECONDS_PER_UPDATE = 1.2e-4
"""The fixed cost of one small minibatch step: autograd, the optimiser and the progress report."""
OVERHEAD_SECONDS = 0.1
"""Drawing, exporting and storing, whatever the sizes, in a process that has not yet fitted anything."""
OPTIMISER_SECONDS = 0.5
"""What torch imports when a process makes its first optimiser."""
SECONDS_PER_SIGN = 4e-8
"""Drawing the random signs of the bounds, which share them and use them for both their deltas, and searching losses."""
NUMBER_BYTES = 8


def activations_of_a_row(space: HypothesisSpace, input_dimension: int, output_dimension: int) -> float:
    """Features of a linear space; elsewhere the operations over 2 d, since a neuron of d inputs costs 2 d of them."""
    if space.linear:
        return float(space.feature_count(input_dimension))
    return space.flops_per_row(input_dimension, output_dimension) / (2 * input_dimension)


def learning_seconds(
    space: HypothesisSpace, learner: Learner, sample_size: int, input_dimension: int, output_dimension: int
) -> float:
    """One fit on one CPU thread."""
    flops = learner.flops(space, sample_size, input_dimension, output_dimension)
    speed = DENSE_FLOPS_PER_SECOND if space.linear else NETWORK_FLOPS_PER_SECOND
    if learner.batched_runs(space, sample_size):
        speed = BATCH_FLOPS_PER_SECOND
    return flops / speed + learner.update_count(space, sample_size) * SECONDS_PER_UPDATE


def fit_plan(
    space: HypothesisSpace,
    learner: Learner,
    input_dimension: int,
    output_dimension: int,
    sample_size: int,
    test_size: int,
    bounds: Sequence[Bound] = (),
) -> Plan:
    """Training, measuring on both samples, and the `bounds`, of which those that draw random signs cost most.

    Memory is an upper estimate in float64: both samples and their scaled copies, four numbers a parameter (value,
    gradient, two moments) of every network that trains at the same time, the activations or features of the rows that
    the learner holds at once with their gradients, and the signed sums of the bounds.
    """
    parameters = space.parameter_count(input_dimension, output_dimension)
    per_row = space.flops_per_row(input_dimension, output_dimension)
    activations = activations_of_a_row(space, input_dimension, output_dimension)
    rows_at_once, solver, streams = learner.rows_at_once(sample_size), 0, False
    if space.linear:
        width = space.feature_count(input_dimension)
        streams = learner.streams(sample_size, width)
        rows_at_once = block_rows(width) if streams else sample_size
        solver = streamed_numbers(width, sample_size, output_dimension) if streams else 0
    columns, batched = input_dimension + output_dimension, learner.batched_runs(space, sample_size)
    draws = max((int(getattr(bound, "sign_draws", 0)) for bound in bounds), default=0)
    searched = max((bound.numbers_of_a_row for bound in bounds), default=0)
    memory = (
        MemoryPart(
            holds="the sample and the test points",
            field="/sample_size",
            remedy="lower sample_size or test_size",
            size_bytes=NUMBER_BYTES * 2 * columns * (sample_size + test_size),
        ),
        MemoryPart(
            holds="the parameters with their gradients and moments",
            field="/hypothesis_space",
            remedy="lower the width of the hypothesis space",
            size_bytes=NUMBER_BYTES * (4 * parameters * max(1, batched) + solver),
        ),
        MemoryPart(
            holds="the features of the rows that train together",
            field="/sample_size" if rows_at_once == sample_size else "/hypothesis_space",
            remedy=f"lower {'sample_size or ' if rows_at_once == sample_size else ''}the width of the hypothesis space",
            size_bytes=int(NUMBER_BYTES * 3 * activations * rows_at_once),
        ),
        MemoryPart(
            holds="the features of a block of rows, and the signed sums of the bounds",
            field="/hypothesis_space",
            remedy="lower the width of the hypothesis space",
            size_bytes=int(
                NUMBER_BYTES
                * (
                    3 * activations * min(EVALUATION_BLOCK, max(sample_size, test_size))
                    + draws * (activations + input_dimension + EVALUATION_BLOCK)
                )
            ),
        ),
        MemoryPart(
            holds="the random signs of all rows that a bound searches losses with",
            field="/bounds",
            remedy="lower sample_size or name the bounds that you want",
            size_bytes=NUMBER_BYTES * searched * sample_size,
        ),
    )
    flops = learner.flops(space, sample_size, input_dimension, output_dimension)
    learning = learning_seconds(space, learner, sample_size, input_dimension, output_dimension)
    learning += OPTIMISER_SECONDS if learner.uses_torch_optimiser and not batched else 0.0
    # The solver of a streamed fit knows the training outputs.
    readings = (0 if streams else 1) + (1 if bounds else 0)
    measuring = (readings * sample_size + 2 * test_size) * per_row
    measuring += 2.0 * draws * sample_size * (activations + input_dimension + 1)
    if searched and space.linear and not space.depends_on_sample and activations <= MOST_FITTED:
        # uniform_deviation_lower fits labels in these features.
        measuring += 2.0 * sample_size * activations**2
    return Plan(
        parameters=parameters,
        parameters_field="/hypothesis_space",
        peak_memory_bytes=sum(part.size_bytes for part in memory),
        memory=memory,
        floating_point_operations=flops + measuring,
        estimated_seconds=learning
        + measuring / DENSE_FLOPS_PER_SECOND
        + (draws + searched) * sample_size * SECONDS_PER_SIGN
        + OVERHEAD_SECONDS,
    )
