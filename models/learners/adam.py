"""Adam with decoupled weight decay, averaged iterates and early stopping: the practical learner for networks."""

import math
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Outputs, Parameters
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Advance, Fitted, Learner
from models.minibatch_descent import Schedule, adam_updater, descend, minibatches, scheduled
from models.optimisation import (
    EarlyStopping,
    LearningCurve,
    empirical_risk,
    empirical_risk_in_blocks,
    held_for_validation,
    parted,
    prepared,
    starting_parameters,
)
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK
from models.samples import Sample

DECAY_CANDIDATES = (0.0, 0.03, 0.3)
"""What the validation rows choose from without a `weight_decay`: none, and two that differ tenfold."""

Evaluate = Callable[[Parameters, Tensor], Outputs]


class Adam(Learner):
    """Adam (betas 0.9 and 0.999) on minibatches of the empirical risk, weight decay decoupled from the gradient.

    A pass takes the rows in a random order and leaves out the last incomplete batch. `schedule` lowers the learning
    rate over `steps`. What is returned is a running average of the iterates, a member of the same space whose risk
    does not jump with the last minibatches. Training runs in `precision`; parameters come back in the sample's.

    Early stopping: runs on a part of the sample, one for each weight decay that is tried, find the decay and the step
    with the smallest risk on the other part, a `validation_fraction` of the rows; a last run from the same start on
    the whole sample ends at that step. With fraction 0, or fewer than 20 rows to validate on, there is one run of all
    steps, without decay where none is given. `details` names what was used.
    """

    kind: Literal["adam"]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="Most steps (minibatches) of one run.")] = 8000
    learning_rate: Annotated[
        float | None,
        Field(
            gt=0, le=10, description="Step size at the start; None: 0.2 / sqrt(longest side of a parameter), <= 0.03."
        ),
    ] = None
    batch_size: Annotated[int | None, Field(ge=1, le=1_000_000, description="Rows a step; None: min(n, 128).")] = None
    schedule: Annotated[Schedule, Field(description="Learning rate over the steps.")] = "cosine"
    weight_decay: Annotated[
        float | None,
        Field(ge=0, le=10, description="Decoupled: theta shrinks by rate x this; None: 0, 0.03 or 0.3 by validation."),
    ] = None
    averaging: Annotated[
        float, Field(ge=0, lt=1, description="Weight of the past in the average of iterates; 0: the last iterate.")
    ] = 0.998
    gradient_clip: Annotated[float | None, Field(gt=0, le=1e12, description="Largest gradient norm; None: any.")] = None
    validation_fraction: Annotated[
        float, Field(ge=0, le=0.5, description="Part of the sample that chooses decay and step; 0: no choice.")
    ] = 0.2
    precision: Annotated[Literal["float32", "float64"], Field(description="Arithmetic of training.")] = "float32"

    statement: ClassVar[str] = "θₖ₊₁ = θₖ − ηₖ (m̂ₖ / (√v̂ₖ + ε) + λ θₖ)"
    reference: ClassVar[str] = "kingma2015adam"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "adam", "steps": 200},
        {"kind": "adam", "steps": 100, "learning_rate": 1e-3, "batch_size": 32, "validation_fraction": 0.0},
        {"kind": "adam", "steps": 100, "weight_decay": 0.01, "averaging": 0.0, "gradient_clip": 10.0},
    )

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
    ) -> Fitted:
        """Train. Randomness: the draw of the space; streams `batches` and `validation_rows`."""
        dtype = getattr(torch, self.precision)
        exact = starting_parameters(space, sample, randomness, start)
        start = {name: value.to(dtype) for name, value in exact.items()}
        rows, evaluate = prepared(space, start, sample.inputs.to(dtype))
        data = Sample(rows, sample.labels.to(dtype))
        rate = self._first_rate(space, start)
        decay, last_step, done = self._decays(sample.size)[0], self.steps, 0
        if held := held_for_validation(self.validation_fraction, sample.size):
            training, validation = parted(data, held, randomness)
            most = (1 + len(self._decays(sample.size))) * self.steps
            smallest = math.inf
            for candidate in self._decays(sample.size):
                stopping, before = EarlyStopping(evaluate, validation, self.steps), done

                def report(step: int, before: int = before) -> None:
                    advance(before + step, most)

                self._run(space, training, start, evaluate, randomness, rate, candidate, report, stopping)
                done += stopping.last_seen_step
                if stopping.smallest_risk < smallest:
                    smallest, decay, last_step = stopping.smallest_risk, candidate, max(1, stopping.best_step)
        learnt, curve = self._run(
            space, data, start, evaluate, randomness, rate, decay,
            lambda step: advance(done + step, done + last_step), last_step=last_step,
        )  # fmt: skip
        # Frozen parameters keep every bit of their draw.
        parameters = {**exact, **{name: learnt[name].to(sample.inputs) for name in space.trainable}}
        details: dict[str, float | int | str] = {
            "batch_size": self._batch_rows(sample.size),
            "learning_rate": rate,
            "weight_decay": decay,
            "steps": last_step,
        }
        return Fitted(parameters, tuple(curve.points), details)

    def _run(
        self,
        space: HypothesisSpace,
        data: Sample,
        start: Parameters,
        evaluate: Evaluate,
        randomness: Randomness,
        rate: float,
        decay: float,
        report: Callable[[int], None],
        stopping: EarlyStopping | None = None,
        last_step: int | None = None,
    ) -> tuple[Parameters, LearningCurve]:
        last_step = self.steps if last_step is None else last_step
        curve = LearningCurve(last_step, data.labels, f"The learning rate is {rate:.3g}; try a tenth of it.")

        def ends(step: int, parameters: Parameters) -> bool:
            report(step)
            if curve.due(step):
                curve.record(step, empirical_risk_in_blocks(evaluate, parameters, data))
            return step < last_step and stopping is not None and stopping.ends(step, parameters)

        learnt = descend(
            start,
            space.trainable,
            lambda step, theta, batch: empirical_risk(evaluate(theta, batch.inputs), batch.labels),
            minibatches(data, self._batch_rows(data.size), randomness.generator("batches")),
            adam_updater(lambda step: rate * scheduled(self.schedule, step, self.steps), decay),
            last_step,
            ends,
            averaging=self.averaging,
            gradient_clip=self.gradient_clip,
        )
        return learnt, curve

    def _first_rate(self, space: HypothesisSpace, start: Parameters) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        # A step moves each of m coefficients by about the rate, so that wider sums move further.
        longest = max(max(start[name].shape, default=1) for name in space.trainable)
        return min(0.03, 0.2 / math.sqrt(max(longest, 1)))

    def _decays(self, sample_size: int) -> tuple[float, ...]:
        """What is tried; the first is what holds without validation."""
        if self.weight_decay is not None:
            return (self.weight_decay,)
        return DECAY_CANDIDATES if held_for_validation(self.validation_fraction, sample_size) else (0.0,)

    def _batch_rows(self, sample_size: int) -> int:
        return min(sample_size, 128 if self.batch_size is None else self.batch_size)

    def rows_at_once(self, sample_size: int) -> int:
        """One batch, or one block of the learning curve."""
        return min(sample_size, max(self._batch_rows(sample_size), EVALUATION_BLOCK))

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the batch a step, and the learning curve; one run more for each weight decay tried."""
        rows = 3.0 * self.steps * self._batch_rows(sample_size) + 100.0 * sample_size
        validated = held_for_validation(self.validation_fraction, sample_size) > 0
        runs = 1 + (len(self._decays(sample_size)) if validated else 0)
        return runs * rows * space.flops_per_row(input_dimension, output_dimension)
