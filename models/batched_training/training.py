"""Adam for many two-layer networks of one shape at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.arrays import Parameters
from models.batched_training.fused_adam import FusedAdam
from models.batched_training.gradients import TwoLayerGradients
from models.batched_training.rows import Batches, StackedRows
from models.batched_training.stacking import StackedParameters, stacked_parameters
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.base import Advance
from models.minibatch_descent import Schedule, scheduled
from models.optimisation import CURVE_POINTS, DIVERGENCE_FACTOR, LearningCurvePoint


@dataclass(frozen=True)
class TrainedNetwork:
    """Where one network ended.

    `diverged_at`: the first step seen at which its risk was not finite or out of bounds; None: never. Its parameters
    are then those of its best step where there was a validation, and otherwise of no use. `best_step`: where the risk
    on the validation rows was smallest, None without these.
    """

    parameters: Parameters
    curve: tuple[LearningCurvePoint, ...]
    diverged_at: int | None
    best_step: int | None


def train_networks(
    space: TwoLayer,
    batches: Batches,
    starts: Sequence[Parameters],
    rates: Sequence[float],
    steps: int,
    *,
    weight_decays: Sequence[float] | None = None,
    schedule: Schedule = "constant",
    averaging: float = 0.0,
    watched: StackedRows | None = None,
    curve_points: int = CURVE_POINTS,
    validation: StackedRows | None = None,
    patience: float = 0.25,
    advance: Advance = lambda step, total: None,
    compiled: bool = True,
) -> list[TrainedNetwork]:
    """Adam (betas 0.9 and 0.999, epsilon 1e-8) for each of B networks, as if it were alone.

    `starts`: parameters of `space`, all in the precision and place of the rows; network b trains at `rates[b]` (times
    the schedule's factor) with decoupled `weight_decays[b]` (None: 0). Of G samples in the rows of a step, each is
    seen by B/G networks in turn: the first B/G see the first sample. `averaging` b > 0: what is watched, validated
    and returned is the running average A_{k+1} = b_k A_k + (1 - b_k) theta_{k+1}, b_k = min(b, (1 + k)/(10 + k)).

    The curve is the risk on `watched` rows (None: the rows of the step) at about `curve_points` steps, which is where
    divergence is noticed: the network is marked, and the others do not depend on it. With `validation`, a network
    ends, and returns its best step, when `patience` * `steps` steps brought no smaller risk on these rows; the batch
    ends with its last network.

    Deterministic but for the draws of `batches`. Rounding depends on which networks train together, and on whether the
    compiled kernel is there; without `compiled` results are those of an installation that lacks it.

    Raises:
        ValueError: B is no multiple of G, or a sequence has not B entries.
        Stopped: from `advance`, called before every step.
    """
    theta = stacked_parameters(starts)
    decays = [0.0] * len(starts) if weight_decays is None else weight_decays
    adam = FusedAdam(theta.tensors, rates, decays)
    gradients = StackedParameters(*adam.gradients)
    engine = TwoLayerGradients(space, theta, compiled)
    seen = theta.clone() if averaging else theta
    record = _Record(engine, len(starts), steps, curve_points, watched)
    choice = _Choice(engine, seen, validation, steps, patience) if validation is not None else None
    for step in range(steps + 1):
        last = step == steps
        if not last:
            advance(step, steps)
            rows = batches(step)
        if record.due(step):
            record.look(step, seen, rows)
        if choice is not None and choice.due(step):
            choice.look(step, seen, record.running)
        if last or not bool(record.running.any()):
            break
        engine.write(theta, rows, gradients)
        adam.step(scheduled(schedule, step, steps))
        if averaging:
            torch._foreach_lerp_(seen.tensors, theta.tensors, 1 - min(averaging, (1 + step) / (10 + step)))
    ends = seen if choice is None else choice.best
    return [
        TrainedNetwork(parameters, tuple(curve), diverged, best)
        for parameters, curve, diverged, best in zip(
            ends.unstacked(),
            record.curves,
            record.diverged_at,
            [None] * len(starts) if choice is None else choice.best_steps.tolist(),
            strict=True,
        )
    ]


class _Record:
    """The curves, who diverged, and who still runs; on the CPU."""

    def __init__(
        self, engine: TwoLayerGradients, networks: int, steps: int, points: int, watched: StackedRows | None
    ) -> None:
        self.curves: list[list[LearningCurvePoint]] = [[] for _ in range(networks)]
        self.diverged_at: list[int | None] = [None] * networks
        self.running: Bool[Tensor, " b"] = torch.ones(networks, dtype=torch.bool)
        self._engine = engine
        self._watched = watched
        self._steps = steps
        self._every = max(1, math.ceil(steps / points))
        self._limits: list[float] = []

    def due(self, step: int) -> bool:
        """Whether the risk after `step` steps is wanted."""
        return step % self._every == 0 or step == self._steps

    def look(self, step: int, theta: StackedParameters, rows: StackedRows) -> None:
        """Keep the risks of the networks that run, and mark those that diverged."""
        rows = rows if self._watched is None else self._watched
        risks = self._engine.risks(theta, rows).tolist()
        if not self._limits:
            moments = rows.labels.square().sum(dim=2).mean(dim=1)
            scales = moments.repeat_interleave(len(risks) // rows.samples).tolist()
            self._limits = [DIVERGENCE_FACTOR * max(*pair, 1e-300) for pair in zip(risks, scales, strict=True)]
        for index, (risk, limit) in enumerate(zip(risks, self._limits, strict=True)):
            if not self.running[index]:
                continue
            if math.isfinite(risk) and not risk > limit:
                self.curves[index].append(LearningCurvePoint(step, risk))
            else:
                self.diverged_at[index] = step
                self.running[index] = False


class _Choice:
    """The parameters of each network with the smallest risk on validation rows so far."""

    def __init__(
        self, engine: TwoLayerGradients, start: StackedParameters, rows: StackedRows, steps: int, patience: float
    ) -> None:
        self.best = start.clone()
        self.best_steps = torch.zeros(start.networks, dtype=torch.int64)
        self._smallest: Float[Tensor, " b"] = start.weights.new_full((start.networks,), math.inf).cpu()
        self._engine = engine
        self._rows = rows
        self._every = max(1, steps // (4 * CURVE_POINTS))
        self._patience = max(4 * self._every, math.ceil(patience * steps))

    def due(self, step: int) -> bool:
        """Whether to look after `step` steps."""
        return step % self._every == 0

    def look(self, step: int, theta: StackedParameters, running: Bool[Tensor, " b"]) -> None:
        """Keep what improved; a network without improvement for too long stops running."""
        risks = self._engine.risks(theta, self._rows).cpu()
        better = (risks < self._smallest) & running
        self._smallest[better], self.best_steps[better] = risks[better], step
        chosen = better.nonzero()[:, 0].to(theta.weights.device)
        for kept, current in zip(self.best.tensors, theta.tensors, strict=True):
            kept[chosen] = current[chosen]
        running &= step - self.best_steps < self._patience
