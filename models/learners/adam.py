"""Adam with decoupled weight decay and early stopping: the practical learner for networks."""

import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Outputs, Parameters
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Advance, Fitted, Learner
from models.optimisation import (
    EarlyStopping,
    LearningCurve,
    empirical_risk,
    empirical_risk_in_blocks,
    prepared,
    starting_parameters,
)
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK
from models.samples import Sample

FEWEST_VALIDATION_ROWS = 20
"""A minimum over fewer rows than this is noise; the sample is then trained on to the last step."""


class Adam(Learner):
    """Adam (betas 0.9 and 0.999) on minibatches of the empirical risk, weight decay decoupled from the gradient.

    A pass takes the rows in a random order and leaves out the last incomplete batch. `cosine` lowers the learning rate
    to 0 at the last of `steps`. Parameters are kept in `precision` while training and returned in the sample's.

    Early stopping: a first run on a part of the sample finds the step with the smallest risk on the other part, a
    `validation_fraction` of the rows; a second run from the same start on the whole sample ends at that step. With
    fraction 0, or fewer than 20 rows to validate on, there is one run of all steps. `details` names the step.
    """

    kind: Literal["adam"]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="Most steps (minibatches) of one run.")] = 4000
    learning_rate: Annotated[float, Field(gt=0, le=10, description="Step size at the start.")] = 1e-2
    batch_size: Annotated[int | None, Field(ge=1, le=1_000_000, description="Rows a step; None: min(n, 128).")] = None
    schedule: Annotated[Literal["cosine", "constant"], Field(description="Learning rate over the steps.")] = "cosine"
    weight_decay: Annotated[float, Field(ge=0, le=10, description="Decoupled: theta shrinks by rate x this.")] = 0.0
    validation_fraction: Annotated[
        float, Field(ge=0, le=0.5, description="Part of the sample that chooses the step to stop at; 0: no stopping.")
    ] = 0.2
    precision: Annotated[Literal["float32", "float64"], Field(description="Arithmetic of training.")] = "float32"

    statement: ClassVar[str] = "θₖ₊₁ = θₖ − ηₖ (m̂ₖ / (√v̂ₖ + ε) + λ θₖ)"
    reference: ClassVar[str] = "kingma2015adam"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "adam", "steps": 200},
        {"kind": "adam", "steps": 100, "learning_rate": 1e-3, "batch_size": 32, "validation_fraction": 0.0},
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
        last_step, first_total = self.steps, 0
        held = round(self.validation_fraction * sample.size)
        if held >= FEWEST_VALIDATION_ROWS:
            order = torch.randperm(sample.size, generator=randomness.generator("validation_rows")).to(rows.device)
            training, validation = (
                Sample(data.inputs[part], data.labels[part]) for part in (order[held:], order[:held])
            )
            stopping = EarlyStopping(evaluate, validation, self.steps)
            self._run(space, training, start, evaluate, randomness, lambda k: advance(k, 2 * self.steps), stopping)
            last_step, first_total = max(1, stopping.best_step), stopping.last_seen_step
        learnt, curve = self._run(
            space, data, start, evaluate, randomness,
            lambda k: advance(first_total + k, first_total + last_step), last_step=last_step,
        )  # fmt: skip
        # Frozen parameters keep every bit of their draw.
        parameters = {**exact, **{name: learnt[name].to(sample.inputs) for name in space.trainable}}
        details: dict[str, float | int | str] = {"batch_size": self._batch_rows(sample.size), "steps": last_step}
        return Fitted(parameters, tuple(curve.points), details)

    def _run(
        self,
        space: HypothesisSpace,
        data: Sample,
        start: Parameters,
        evaluate: Callable[[Parameters, Tensor], Outputs],
        randomness: Randomness,
        report: Callable[[int], None],
        stopping: EarlyStopping | None = None,
        last_step: int | None = None,
    ) -> tuple[Parameters, LearningCurve]:
        last_step = self.steps if last_step is None else last_step
        parameters = {name: value.clone() for name, value in start.items()}
        moving = [parameters[name].requires_grad_() for name in space.trainable]
        optimizer = torch.optim.AdamW(moving, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)
        advice = f"The learning rate is {self.learning_rate:.3g}; try a tenth of it."
        curve = LearningCurve(last_step, data.labels, advice)
        batches = self._batches(data, randomness.generator("batches"))
        for step in range(last_step + 1):
            report(step)
            if curve.due(step):
                curve.record(step, empirical_risk_in_blocks(evaluate, parameters, data))
            if step == last_step or (stopping is not None and stopping.ends(step, parameters)):
                break
            for group in optimizer.param_groups:
                group["lr"] = self._rate(step)
            batch = next(batches)
            risk = empirical_risk(evaluate(parameters, batch.inputs), batch.labels)
            for value, gradient in zip(moving, torch.autograd.grad(risk, moving, materialize_grads=True), strict=True):
                value.grad = gradient
            optimizer.step()
        return {name: value.detach() for name, value in parameters.items()}, curve

    def _batch_rows(self, sample_size: int) -> int:
        return min(sample_size, 128 if self.batch_size is None else self.batch_size)

    def _rate(self, step: int) -> float:
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def _batches(self, data: Sample, generator: torch.Generator) -> Iterator[Sample]:
        size = self._batch_rows(data.size)
        while True:
            if size == data.size:
                yield data
                continue
            order = torch.randperm(data.size, generator=generator).to(data.inputs.device)
            for first in range(0, data.size - size + 1, size):
                chosen = order[first : first + size]
                yield Sample(data.inputs[chosen], data.labels[chosen])

    def rows_at_once(self, sample_size: int) -> int:
        """One batch, or one block of the learning curve."""
        return min(sample_size, max(self._batch_rows(sample_size), EVALUATION_BLOCK))

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the batch a step, and the learning curve; twice with early stopping."""
        rows = 3.0 * self.steps * self._batch_rows(sample_size) + 100.0 * sample_size
        runs = 2 if round(self.validation_fraction * sample_size) >= FEWEST_VALIDATION_ROWS else 1
        return runs * rows * space.flops_per_row(input_dimension, output_dimension)
