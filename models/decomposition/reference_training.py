"""Long training that stands in for an exact minimiser in spaces where none can be computed."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from models.arrays import Parameters
from models.batched_training.rows import StackedRows, stacked_rows
from models.batched_training.stacking import StackableSpace
from models.batched_training.training import train_networks
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Advance
from models.randomness import Randomness
from models.risks import predictions, squared_losses
from models.samples import Sample

Effort = Literal["quick", "standard", "thorough"]

STEP_SIZES = (1e-2, 3e-3, 3e-2)
"""Adam's first step size, cycled over restarts: no single one serves every scaling of a space."""
WARM_STEP_SIZE = 1e-3
"""A warm start is near a minimum already; a large step would only leave it."""


class ReferenceSearch(BaseModel):
    """How hard to look for the two reference functions f_m and f~."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effort: Annotated[Effort, Field(description="Restarts, steps and fresh rows spent on f_m and f~.")] = "standard"


@dataclass(frozen=True)
class ReferenceBudget:
    """What the reference functions may cost.

    `restarts` draws of `steps` Adam steps for f~, and of `population_steps` steps on `batch` fresh rows for f_m, which
    is found once for many samples; `selection_size` fresh rows choose among the candidates for f_m. A projection in
    a linear space of width m uses N = max(`projection_floor`, `projection_rows` * m) fresh rows, which inflates
    R(f_m) - R(f*) by a relative m/N or so; `CellMoments.add_seed` takes it back.
    """

    restarts: int
    steps: int
    population_steps: int
    batch: int
    selection_size: int
    projection_rows: int
    projection_floor: int


BUDGETS: dict[Effort, ReferenceBudget] = {
    "quick": ReferenceBudget(2, 600, 1_800, 256, 8_192, 100, 8_192),
    "standard": ReferenceBudget(4, 3_000, 8_000, 512, 16_384, 200, 32_768),
    "thorough": ReferenceBudget(8, 12_000, 30_000, 1_024, 65_536, 400, 131_072),
}

Batches = Callable[[int], Sample]
"""The rows of step t, on the parameters' device and in their precision."""


def descend(
    space: HypothesisSpace, start: Parameters, batches: Batches, steps: int, step_size: float, advance: Advance
) -> Parameters:
    """Adam on the trainable parameters, step size `step_size` * (1 + cos(pi t/T))/2; the last iterate.

    Deterministic in its arguments. The caller compares the outcome with others: it may have diverged.

    Raises:
        Stopped: from `advance`, called at every step.
    """
    moved = {name: start[name].detach().clone().requires_grad_(True) for name in space.trainable}
    parameters = {**{name: value.detach() for name, value in start.items()}, **moved}
    optimizer = torch.optim.Adam(list(moved.values()), lr=step_size)
    for step in range(steps):
        advance(step, steps)
        optimizer.param_groups[0]["lr"] = step_size * (1 + math.cos(math.pi * step / steps)) / 2
        rows = batches(step)
        optimizer.zero_grad(set_to_none=True)
        squared_losses(space.evaluate(parameters, rows.inputs), rows.labels).mean().backward()
        optimizer.step()
    return {name: value.detach() for name, value in parameters.items()}


def train_runs(
    space: HypothesisSpace,
    runs: Sequence[tuple[Parameters, float]],
    batches: Callable[[], Batches],
    steps: int,
    advance: Advance,
) -> list[Parameters]:
    """`descend` from each start at its step size, all on the same rows: `batches()` begins their stream anew.

    Networks advance together (models.batched_training), functions of other spaces one after another. Which runs are in
    one call changes rounding, so a call holds the runs of one seed, whatever else the job does.

    Raises:
        Stopped: from `advance`, called at every step.
    """
    if not isinstance(space, StackableSpace):
        return [descend(space, start, batches(), steps, step_size, advance) for start, step_size in runs]
    precision = next(iter(runs[0][0].values()))
    rows = batches()
    held: list[tuple[Sample, StackedRows]] = []

    def stacked(step: int) -> StackedRows:
        sample = rows(step)
        # Full batches are one sample at every step.
        if not held or held[0][0] is not sample:
            held[:] = [(sample, stacked_rows([sample], precision.dtype, precision.device))]
        return held[0][1]

    starts, step_sizes = zip(*runs, strict=True)
    trained = train_networks(
        space, stacked, starts, step_sizes, steps, schedule="cosine", curve_points=1, advance=advance
    )
    return [network.parameters for network in trained]


def mean_squared_error(space: HypothesisSpace, parameters: Parameters, sample: Sample) -> float:
    """(1/n) sum |f(x_i) - y_i|^2, evaluated in the parameters' precision, summed in float64; inf where not finite."""
    precision = next(iter(parameters.values()))
    outputs = predictions(lambda block: space.evaluate(parameters, block), sample.inputs.to(precision))
    losses = squared_losses(outputs.to(torch.float64), sample.labels.to(outputs.device, torch.float64))
    value = float(losses.mean())
    return value if math.isfinite(value) else math.inf


def best_of(space: HypothesisSpace, candidates: Iterable[Parameters], sample: Sample) -> Parameters:
    """The candidate of least mean squared error over `sample`; the first of equals."""
    return min(candidates, key=lambda parameters: mean_squared_error(space, parameters, sample))


def restart_step_size(index: int) -> float:
    """Step size of restart `index`."""
    return STEP_SIZES[index % len(STEP_SIZES)]


def row_batches(sample: Sample, batch: int, randomness: Randomness) -> Batches:
    """The whole sample at every step where n <= 4 * batch, otherwise `batch` random rows (stream `batches`)."""
    if sample.size <= 4 * batch:
        return lambda step: sample
    generator = randomness.generator("batches")

    def draw(step: int) -> Sample:
        rows = torch.randint(sample.size, (batch,), generator=generator).to(sample.inputs.device)
        return Sample(sample.inputs[rows], sample.labels[rows])

    return draw
