"""Runs on a part of the sample choose, by the other part, where the run on the whole sample ends, and what it uses."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from models.arrays import Parameters
from models.checkpoints import NO_CHECKPOINTS, Checkpoints, StageCheckpoints, State, named, number, part
from models.optimisation import (
    CURVE_POINTS,
    Advance,
    Evaluate,
    LearningCurve,
    Opening,
    curve_points,
    curve_state,
    empirical_risk_in_blocks,
)
from models.randomness import Randomness
from models.samples import Sample

FEWEST_VALIDATION_ROWS = 20
"""A minimum over fewer rows than this is noise; the sample is then trained on to the last step."""

FULL_LENGTH_ROWS = 10_000
"""From so many rows on, runs are planned to go to their last step."""

HOPELESS = 1.1
"""A candidate with this many times the smallest validation risk so far ends the search: the next ones lie beyond it."""

PATIENCE = 0.25
"""A run ends when this part of its steps brought no smaller validation risk."""


def held_for_validation(fraction: float, sample_size: int) -> int:
    """Rows that choose where to stop: round(fraction n), or 0 where those are fewer than FEWEST_VALIDATION_ROWS."""
    held = round(fraction * sample_size)
    return held if held >= FEWEST_VALIDATION_ROWS else 0


def likely_runs(fraction: float, sample_size: int, candidates: int = 1) -> float:
    """Runs of one fit for the plan, in units of a run of all steps: 1 without rows to validate on.

    The best step lies the later the more rows there are to learn from: at sqrt(n / FULL_LENGTH_ROWS) of all steps, as
    measured roughly on tables; a validated run goes on for the patience, and the last one ends there.
    """
    if not held_for_validation(fraction, sample_size):
        return 1.0
    best = min(1.0, math.sqrt(sample_size / FULL_LENGTH_ROWS))
    return candidates * min(1.0, best + PATIENCE) + best


def parted(data: Sample, held: int, randomness: Randomness) -> tuple[Sample, Sample]:
    """The rows to train on and `held` rows to validate on, by a random order from the stream `validation_rows`."""
    order = torch.randperm(data.size, generator=randomness.generator("validation_rows")).to(data.inputs.device)
    training, validation = (Sample(data.inputs[part], data.labels[part]) for part in (order[held:], order[:held]))
    return training, validation


class EarlyStopping:
    """Watches the risk on validation rows and remembers the step where it was smallest.

    `best_step` 0 is possible: nothing learnt carries over to the validation rows.
    """

    def __init__(self, evaluate: Evaluate, validation: Sample, total: int) -> None:
        """For `total` steps; the run ends when PATIENCE x `total` steps brought no smaller risk."""
        self._evaluate = evaluate
        self._validation = validation
        self._every = max(1, total // (4 * CURVE_POINTS))
        self._patience = max(4 * self._every, math.ceil(PATIENCE * total))
        self.smallest_risk = math.inf
        self.best_step = 0
        self.last_seen_step = 0

    def state(self) -> State:
        """What was seen so far."""
        return {
            "smallest_risk": number(self.smallest_risk),
            "best_step": number(self.best_step),
            "last_seen_step": number(self.last_seen_step),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state()`."""
        self.smallest_risk = float(state["smallest_risk"])
        self.best_step, self.last_seen_step = int(state["best_step"]), int(state["last_seen_step"])

    def ends(self, step: int, parameters: Parameters) -> bool:
        """Look at the parameters after `step` steps; whether it is time to stop."""
        self.last_seen_step = step
        if step % self._every:
            return False
        risk = empirical_risk_in_blocks(self._evaluate, parameters, self._validation)
        if risk < self.smallest_risk:
            self.smallest_risk, self.best_step = risk, step
        return step - self.best_step >= self._patience


class Watch:
    """What one run tells and asks after every number of steps, 0 included.

    A run that was interrupted goes on from `begun`, the state that it offered after `first_step` steps.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        data: Sample,
        curve: LearningCurve,
        last_step: int,
        report: Callable[[int, float | None], None],
        stopping: EarlyStopping | None,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> None:
        """For a run on `data`; `report` and `checkpoints` are told where it is."""
        self.data = data
        self.curve = curve
        self.first_step = 0
        self.begun: State | None = None
        self._evaluate = evaluate
        self._last_step = last_step
        self._report = report
        self._stopping = stopping
        self._checkpoints = checkpoints
        resumed = checkpoints.resumed()
        if resumed is not None:
            self.first_step, self.begun = int(resumed["step"]), part("run", resumed)
            curve.points = curve_points(resumed)
            if stopping is not None:
                stopping.restore(resumed)

    def ends(self, step: int, parameters: Parameters, state: Callable[[], State] = dict) -> bool:
        """Report, keep the point of the learning curve where it is due, and ask the validation rows.

        `state` gives everything from which the run could go on after `step` steps.

        Raises:
            Stopped: from `report`.
            TrainingDiverged: from the curve.
        """
        try:
            self._report(step, self.curve.newest)
        finally:
            self._checkpoints.offer(lambda: self._state(step, state))
        if self.curve.due(step):
            self.curve.record(step, empirical_risk_in_blocks(self._evaluate, parameters, self.data))
        return step == self._last_step or (self._stopping is not None and self._stopping.ends(step, parameters))

    def _state(self, step: int, run: Callable[[], State]) -> State:
        seen = {} if self._stopping is None else self._stopping.state()
        return {"step": number(step), **curve_state(self.curve.points), **seen, **named("run", run())}


C = TypeVar("C")


@dataclass(frozen=True)
class Trained(Generic[C]):
    """What the last run learnt, its curve and number of steps, and the candidate that it used."""

    parameters: Parameters
    curve: LearningCurve
    last_step: int
    candidate: C


@dataclass
class _Search:
    """Which run is at work, that of the candidate with this index or else the last one, and what those before found."""

    candidate: int
    last_step: int
    chosen: int = 0
    smallest: float = math.inf
    done: int = 0

    def state(self) -> State:
        """As a state holds it."""
        return {name: number(value) for name, value in vars(self).items()}

    @classmethod
    def restored(cls, state: State) -> "_Search":
        """From a `state()`."""
        candidate, last_step, chosen, done = (int(state[name]) for name in ("candidate", "last_step", "chosen", "done"))
        return cls(candidate, last_step, chosen, float(state["smallest"]), done)


def train(
    run: Callable[[C, Watch], Parameters],
    opening: Opening,
    candidates: Sequence[C],
    *,
    steps: int,
    validation_fraction: float,
    randomness: Randomness,
    advance: Advance,
    advice: str,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> Trained[C]:
    """Run once on the whole sample, or for each candidate on a part of it first and then on the whole.

    `run(candidate, watch)` goes from the opening's start, or from `watch.begun`, on `watch.data` until `watch.ends`;
    what it has learnt. With rows to validate on, the candidate and the step of smallest validation risk are what the
    last run uses; without, it uses the first candidate for all `steps`. Candidates stand in an order along which the
    risk has one valley: none is tried after a HOPELESS one. `advice` is what a TrainingDiverged says. Randomness:
    stream `validation_rows`.
    """
    data, begun, whole = opening.data, checkpoints.resumed(), len(candidates)
    held = held_for_validation(validation_fraction, data.size)
    search = _Search(0 if held else whole, steps) if begun is None else _Search.restored(begun)

    def watched(rows: Sample, last_step: int, most: int, stopping: EarlyStopping | None) -> Watch:
        nonlocal begun
        stage, begun = StageCheckpoints(checkpoints, begun, search.state), None
        curve = LearningCurve(last_step, rows.labels, advice)

        def report(step: int, empirical_risk: float | None) -> None:
            advance(search.done + step, most, empirical_risk)

        return Watch(opening.evaluate, rows, curve, last_step, report, stopping, stage)

    if search.candidate < whole:
        training, validation = parted(data, held, randomness)
        for index in range(search.candidate, whole):
            search.candidate, stopping = index, EarlyStopping(opening.evaluate, validation, steps)
            run(candidates[index], watched(training, steps, (1 + whole) * steps, stopping))
            search.done += stopping.last_seen_step
            if stopping.smallest_risk < search.smallest:
                search.smallest, search.chosen = stopping.smallest_risk, index
                search.last_step = max(1, stopping.best_step)
            elif stopping.smallest_risk > HOPELESS * search.smallest:
                break
        search.candidate = whole
    last = watched(data, search.last_step, search.done + search.last_step, None)
    chosen = candidates[search.chosen]
    return Trained(run(chosen, last), last.curve, search.last_step, chosen)
