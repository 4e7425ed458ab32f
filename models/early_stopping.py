"""Runs on a part of the sample choose, by the other part, where the run on the whole sample ends, and what it uses."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from models.arrays import Parameters
from models.optimisation import CURVE_POINTS, Evaluate, LearningCurve, Opening, empirical_risk_in_blocks
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

    def ends(self, step: int, parameters: Parameters) -> bool:
        """Look at the parameters after `step` steps; whether it is time to stop."""
        self.last_seen_step = step
        if step % self._every:
            return False
        risk = empirical_risk_in_blocks(self._evaluate, parameters, self._validation)
        if risk < self.smallest_risk:
            self.smallest_risk, self.best_step = risk, step
        return step - self.best_step >= self._patience


@dataclass(frozen=True)
class Watch:
    """What one run tells and asks after every number of steps, 0 included."""

    evaluate: Evaluate
    data: Sample
    curve: LearningCurve
    last_step: int
    report: Callable[[int], None]
    stopping: EarlyStopping | None

    def ends(self, step: int, parameters: Parameters) -> bool:
        """Report, keep the point of the learning curve where it is due, and ask the validation rows.

        Raises:
            Stopped: from `report`.
            TrainingDiverged: from the curve.
        """
        self.report(step)
        if self.curve.due(step):
            self.curve.record(step, empirical_risk_in_blocks(self.evaluate, parameters, self.data))
        return step == self.last_step or (self.stopping is not None and self.stopping.ends(step, parameters))


C = TypeVar("C")


@dataclass(frozen=True)
class Trained(Generic[C]):
    """What the last run learnt, its curve and number of steps, and the candidate that it used."""

    parameters: Parameters
    curve: LearningCurve
    last_step: int
    candidate: C


def train(
    run: Callable[[C, Watch], Parameters],
    opening: Opening,
    candidates: Sequence[C],
    *,
    steps: int,
    validation_fraction: float,
    randomness: Randomness,
    advance: Callable[[int, int], None],
    advice: str,
) -> Trained[C]:
    """Run once on the whole sample, or for each candidate on a part of it first and then on the whole.

    `run(candidate, watch)` goes from the opening's start on `watch.data` until `watch.ends`; what it has learnt. With
    rows to validate on, the candidate and the step of smallest validation risk are what the last run uses; without, it
    uses the first candidate for all `steps`. Candidates stand in an order along which the risk has one valley: none is
    tried after a HOPELESS one. `advice` is what a TrainingDiverged says. Randomness: stream `validation_rows`.
    """
    data = opening.data

    def watched(rows: Sample, last_step: int, report: Callable[[int], None], stopping: EarlyStopping | None) -> Watch:
        curve = LearningCurve(last_step, rows.labels, advice)
        return Watch(opening.evaluate, rows, curve, last_step, report, stopping)

    chosen, last_step, done = candidates[0], steps, 0
    if held := held_for_validation(validation_fraction, data.size):
        training, validation = parted(data, held, randomness)
        most, smallest = (1 + len(candidates)) * steps, math.inf
        for candidate in candidates:
            stopping, before = EarlyStopping(opening.evaluate, validation, steps), done

            def report(step: int, before: int = before) -> None:
                advance(before + step, most)

            run(candidate, watched(training, steps, report, stopping))
            done += stopping.last_seen_step
            if stopping.smallest_risk < smallest:
                smallest, chosen, last_step = stopping.smallest_risk, candidate, max(1, stopping.best_step)
            elif stopping.smallest_risk > HOPELESS * smallest:
                break
    last = watched(data, last_step, lambda step: advance(done + step, done + last_step), None)
    return Trained(run(chosen, last), last.curve, last_step, chosen)
