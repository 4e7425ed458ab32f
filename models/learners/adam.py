"""Adam with decoupled weight decay: the practical learner for networks."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Parameters
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Advance, Fitted, Learner
from models.optimisation import LearningCurve, empirical_risk, prepared, starting_parameters
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK
from models.samples import Sample


class Adam(Learner):
    """Adam (betas 0.9 and 0.999) on minibatches of the empirical risk, weight decay decoupled from the gradient.

    A pass takes the rows in a random order and leaves out the last incomplete batch. `cosine` lowers the learning rate
    to 0 at the end. Parameters are kept in `precision` while training and returned in the sample's precision.
    """

    kind: Literal["adam"]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="Number of steps (minibatches).")] = 4000
    learning_rate: Annotated[float, Field(gt=0, le=10, description="Step size at the start.")] = 1e-2
    batch_size: Annotated[int | None, Field(ge=1, le=1_000_000, description="Rows a step; None: min(n, 128).")] = None
    schedule: Annotated[Literal["cosine", "constant"], Field(description="Learning rate over the steps.")] = "cosine"
    weight_decay: Annotated[float, Field(ge=0, le=10, description="Decoupled: theta shrinks by rate x this.")] = 0.0
    precision: Annotated[Literal["float32", "float64"], Field(description="Arithmetic of training.")] = "float32"

    statement: ClassVar[str] = "θₖ₊₁ = θₖ − ηₖ (m̂ₖ / (√v̂ₖ + ε) + λ θₖ)"
    reference: ClassVar[str] = "kingma2015adam"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "adam", "steps": 200},
        {"kind": "adam", "steps": 100, "learning_rate": 1e-3, "batch_size": 32, "schedule": "constant"},
    )

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
    ) -> Fitted:
        """Train. Randomness: the draw of the space; stream `batches` for the order of the rows."""
        device, dtype = sample.inputs.device, getattr(torch, self.precision)
        parameters = {
            name: value.to(dtype) for name, value in starting_parameters(space, sample, randomness, start).items()
        }
        data = sample.to(dtype, device)
        rows, evaluate = prepared(space, parameters, data.inputs)
        moving = [parameters[name].requires_grad_() for name in space.trainable]
        optimizer = torch.optim.AdamW(moving, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)
        curve = LearningCurve(
            self.steps, data.labels, f"The learning rate is {self.learning_rate:.3g}; try a tenth of it."
        )
        batches = self._batches(rows, data.labels, randomness.generator("batches"))
        for step in range(self.steps + 1):
            advance(step, self.steps)
            if curve.due(step):
                curve.record(step, _risk_in_blocks(evaluate, parameters, rows, data.labels))
            if step == self.steps:
                break
            for group in optimizer.param_groups:
                group["lr"] = self._rate(step)
            inputs, labels = next(batches)
            for value, gradient in zip(
                moving,
                torch.autograd.grad(empirical_risk(evaluate(parameters, inputs), labels), moving),
                strict=True,
            ):
                value.grad = gradient
            optimizer.step()
        like = sample.inputs
        learnt = {name: value.detach().to(like) for name, value in parameters.items()}
        return Fitted(learnt, tuple(curve.points), {"batch_size": self._batch_rows(sample.size)})

    def _batch_rows(self, sample_size: int) -> int:
        return min(sample_size, 128 if self.batch_size is None else self.batch_size)

    def _rate(self, step: int) -> float:
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def _batches(self, rows: Tensor, labels: Tensor, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        size, n = self._batch_rows(len(rows)), len(rows)
        while True:
            if size == n:
                yield rows, labels
                continue
            order = torch.randperm(n, generator=generator).to(rows.device)
            for first in range(0, n - size + 1, size):
                chosen = order[first : first + size]
                yield rows[chosen], labels[chosen]

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the batch a step, and the learning curve."""
        rows = 3.0 * self.steps * self._batch_rows(sample_size) + 100.0 * sample_size
        return rows * space.flops_per_row(input_dimension, output_dimension)


def _risk_in_blocks(evaluate, parameters: Parameters, rows: Tensor, labels: Tensor) -> float:  # type: ignore[no-untyped-def]
    with torch.no_grad():
        total = sum(
            float(empirical_risk(evaluate(parameters, block), block_labels)) * len(block)
            for block, block_labels in zip(rows.split(EVALUATION_BLOCK), labels.split(EVALUATION_BLOCK), strict=True)
        )
    return total / len(rows)
