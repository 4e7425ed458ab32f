"""What is seen of a batch of networks while it trains: curves, divergence, and the best step by validation rows."""

import math

import torch

from models.batched_training.rows import StackedRows
from models.batched_training.steps import CompiledSteps, TorchSteps
from models.checkpoints import State, fill, named, part
from models.optimisation import CURVE_POINTS, DIVERGENCE_FACTOR, LearningCurvePoint, curve_points, curve_state


def _next(step: int, every: int) -> int:
    return step - step % every + every


class Record:
    """The curves, who diverged, and who still runs."""

    def __init__(
        self, moving: TorchSteps | CompiledSteps, end: int, points: int, watched: StackedRows | None, check_every: int
    ) -> None:
        """For `end` steps, about `points` points on the curve, and a check at least every `check_every` steps.

        Checks come first after 0, 1, 2, 4, 8, ... steps: too large a rate shows at once, and perhaps only then.
        `newest`: the smallest risk of a running network at the last look, on the rows watched or those of the step.
        """
        networks = moving.theta.networks
        self.curves: list[list[LearningCurvePoint]] = [[] for _ in range(networks)]
        self.diverged_at: list[int | None] = [None] * networks
        self.running = [True] * networks
        self._moving = moving
        self._watched = None if watched is None else moving.watcher(watched, averaged=True)
        self._end = end
        self._every = max(1, math.ceil(end / points))
        self._check_every = check_every
        self._limits: list[float] = []
        self.newest: float | None = None

    def state(self) -> State:
        """What was seen so far."""
        curves = [named(str(index), curve_state(curve)) for index, curve in enumerate(self.curves)]
        diverged = [-1 if step is None else step for step in self.diverged_at]
        return {
            **{name: values for curve in curves for name, values in curve.items()},
            "diverged_at": torch.tensor(diverged),
            "running": torch.tensor(self.running),
            "limits": torch.tensor(self._limits, dtype=torch.float64),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state()`."""
        self.curves = [curve_points(part(str(index), state)) for index in range(len(self.curves))]
        self.diverged_at = [None if step < 0 else step for step in state["diverged_at"].tolist()]
        self.running, self._limits = state["running"].tolist(), state["limits"].tolist()

    def due(self, step: int) -> bool:
        """Whether to look after `step` steps."""
        early = step < self._check_every and step & (step - 1) == 0
        return early or self._on_curve(step) or step % self._check_every == 0

    def next_after(self, step: int) -> int:
        """The next step that is due."""
        return min(
            self._end, 1 << step.bit_length(), *(_next(step, every) for every in (self._every, self._check_every))
        )

    def _on_curve(self, step: int) -> bool:
        return step % self._every == 0 or step == self._end

    def look(self, step: int, rows: StackedRows) -> None:
        """Mark the networks that diverged, and keep the risks of the others where they belong to the curve.

        `rows`: those of the step, on which the iterates themselves are looked at; an average may stay where they leave.
        """
        iterates = self._moving.watcher(rows, averaged=False)()
        risks = iterates
        kept = self._on_curve(step)
        if kept and self._watched is not None:
            risks = self._watched()
        elif kept and self._moving.seen is not self._moving.theta:
            risks = self._moving.watcher(rows, averaged=True)()
        if not self._limits:
            moments = rows.labels.square().sum(dim=2).mean(dim=1)
            scales = moments.repeat_interleave(len(risks) // rows.samples).tolist()
            self._limits = [DIVERGENCE_FACTOR * max(*pair, 1e-300) for pair in zip(risks, scales, strict=True)]
        for index, limit in enumerate(self._limits):
            if not self.running[index]:
                continue
            if all(math.isfinite(risk) and risk <= limit for risk in (risks[index], iterates[index])):
                if kept:
                    self.curves[index].append(LearningCurvePoint(step, risks[index]))
            else:
                self.diverged_at[index] = step
                self.running[index] = False
        self.newest = min((risk for risk, runs in zip(risks, self.running, strict=True) if runs), default=None)


class Choice:
    """The parameters of each network with the smallest risk on validation rows so far.

    With a `hopeless` factor, networks stand in an order along which the smallest risk has one valley: where one that
    ended has more than this factor times the smallest before it, those after it end too, their `smallest` infinite.
    """

    def __init__(
        self,
        moving: TorchSteps | CompiledSteps,
        rows: StackedRows,
        steps: int,
        patience: float,
        hopeless: float | None,
    ) -> None:
        self.best = moving.seen.clone()
        self.best_steps = [0] * self.best.networks
        self.smallest = [math.inf] * self.best.networks
        self._seen = moving.seen
        self._watched = moving.watcher(rows, averaged=True)
        self._every = max(1, steps // (4 * CURVE_POINTS))
        self._patience = max(4 * self._every, math.ceil(patience * steps))
        self._hopeless = hopeless

    def state(self) -> State:
        """What was seen so far."""
        return {
            **self._best(),
            "best_steps": torch.tensor(self.best_steps),
            "smallest": torch.tensor(self.smallest, dtype=torch.float64),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state()`."""
        fill(self._best(), state)
        self.best_steps, self.smallest = state["best_steps"].tolist(), state["smallest"].tolist()

    def _best(self) -> dict[str, torch.Tensor]:
        return dict(self.best.values)

    def due(self, step: int) -> bool:
        """Whether to look after `step` steps."""
        return step % self._every == 0

    def next_after(self, step: int) -> int:
        """The next step that is due."""
        return _next(step, self._every)

    def look(self, step: int, record: Record) -> None:
        """Keep what improved; a network without improvement for too long stops running."""
        running = record.running
        risks = self._watched()
        better = [index for index, risk in enumerate(risks) if running[index] and risk < self.smallest[index]]
        for index in better:
            self.smallest[index], self.best_steps[index] = risks[index], step
        for kept, current in zip(self.best.tensors, self._seen.tensors, strict=True):
            if len(better) == len(risks):
                kept.copy_(current)
            elif better:
                chosen = torch.tensor(better, device=kept.device)
                kept[chosen] = current[chosen]
        for index in range(len(running)):
            running[index] &= step - self.best_steps[index] < self._patience
        if self._hopeless is not None:
            self._leave_valley(record, self._hopeless)

    def _leave_valley(self, record: Record, hopeless: float) -> None:
        smallest = math.inf
        for index, risk in enumerate(self.smallest):
            if record.running[index]:
                return
            reached = math.inf if record.diverged_at[index] is not None else risk
            if reached > hopeless * smallest:
                for later in range(index + 1, len(self.smallest)):
                    record.running[later], self.smallest[later] = False, math.inf
                return
            smallest = min(smallest, reached)
