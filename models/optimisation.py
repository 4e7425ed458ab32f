"""What every iterative learner shares: where it starts, what it evaluates, and when it has diverged."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from models.arrays import Outputs, Parameters, Scalar
from models.checkpoints import State
from models.errors import TrainingDiverged
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK, squared_losses
from models.samples import Sample

CURVE_POINTS = 100

DIVERGENCE_FACTOR = 1e6
"""A risk this many times the larger of the first risk and the labels' second moment has left every bound."""

KEPT_FEATURES = 2**27
"""Features of a linear space are computed once while n m is at most this; beyond it at every step."""

Precision = Literal["float32", "float64"]


@runtime_checkable
class Advance(Protocol):
    """What an optimisation calls every few steps."""

    def __call__(self, step: int, total: int, empirical_risk: float | None = None, /) -> None:
        """`step` of `total` are done; `empirical_risk`: the newest that is known, if any is, over the sample
        or the minibatch.

        Raises:
            Stopped: the run should end here.
        """


def unwatched(step: int, total: int, empirical_risk: float | None = None) -> None:
    """An Advance for whom nobody waits."""


Evaluate = Callable[[Parameters, Tensor], Outputs]
"""From parameters and rows (inputs, or the features that were kept) to outputs."""


def starting_parameters(
    space: HypothesisSpace, sample: Sample, randomness: Randomness, start: Parameters | None
) -> Parameters:
    """A copy of `start`, or the space's draw from `randomness` itself, in the sample's precision and place.

    The draw is `space.draw_on(inputs, k, randomness, dtype)`, so that whoever holds the same randomness holds
    the same frozen features.
    """
    like = sample.inputs
    if start is None:
        start = space.draw_on(like, sample.labels.shape[1], randomness, like.dtype)
    return {name: value.detach().to(like.device, like.dtype).clone() for name, value in start.items()}


@dataclass(frozen=True)
class Opening:
    """Where a run begins, in the precision of training.

    `data`: rows that `evaluate` takes beside their labels: the features of a linear space where they were `kept`, else
    the inputs. `exact`: the start in the sample's precision.
    """

    space: HypothesisSpace
    exact: Parameters
    start: Parameters
    data: Sample
    evaluate: Evaluate
    kept: bool

    def with_features(self) -> "Opening":
        """The same on the features of a linear space, however many."""
        if self.kept or not isinstance(self.space, LinearSpace):
            return self
        with torch.no_grad():
            data = Sample(self.space.features(self.start, self.data.inputs), self.data.labels)
        return replace(self, data=data, evaluate=lambda theta, rows: rows @ theta["coefficients"], kept=True)

    def closed(self, learnt: Parameters) -> Parameters:
        """What was learnt in the sample's precision; frozen parameters keep every bit of their draw."""
        like = self.exact[self.space.trainable[0]]
        return {**self.exact, **{name: learnt[name].to(like) for name in self.space.trainable}}


def opened(
    space: HypothesisSpace, sample: Sample, randomness: Randomness, start: Parameters | None, precision: Precision
) -> Opening:
    """The opening of an iterative learner. Randomness: the draw of the space, where there is no `start`."""
    dtype = getattr(torch, precision)
    exact = starting_parameters(space, sample, randomness, start)
    begun, inputs = {name: value.to(dtype) for name, value in exact.items()}, sample.inputs.to(dtype)
    labels = sample.labels.to(dtype)
    opening = Opening(space, exact, begun, Sample(inputs, labels), space.evaluate, kept=False)
    if space.linear and sample.size * len(exact["coefficients"]) <= KEPT_FEATURES:
        return opening.with_features()
    return opening


def empirical_risk(outputs: Outputs, labels: Tensor) -> Scalar:
    """R_n, differentiable."""
    return squared_losses(outputs, labels).mean()


def empirical_risk_in_blocks(evaluate: Evaluate, parameters: Parameters, data: Sample) -> float:
    """R_n without gradients, in blocks of rows; `data.inputs` are the rows that `evaluate` takes."""
    with torch.no_grad():
        blocks = zip(data.inputs.split(EVALUATION_BLOCK), data.labels.split(EVALUATION_BLOCK), strict=True)
        total = sum(float(empirical_risk(evaluate(parameters, rows), labels)) * len(rows) for rows, labels in blocks)
    return total / data.size


@dataclass(frozen=True)
class LearningCurvePoint:
    """Empirical risk after `step` steps, in the sample's units squared."""

    step: int
    empirical_risk: float


def curve_state(points: Sequence[LearningCurvePoint]) -> State:
    """A learning curve as a part of a state."""
    return {
        "curve_steps": torch.tensor([point.step for point in points], dtype=torch.int64),
        "curve_risks": torch.tensor([point.empirical_risk for point in points], dtype=torch.float64),
    }


def curve_points(state: State) -> list[LearningCurvePoint]:
    """What `curve_state` was given."""
    pairs = zip(state["curve_steps"].tolist(), state["curve_risks"].tolist(), strict=True)
    return [LearningCurvePoint(step, risk) for step, risk in pairs]


class LearningCurve:
    """Collects at most about CURVE_POINTS risks and notices divergence.

    `advice` is the sentence that a TrainingDiverged carries after the step's number. `newest`: the last risk seen, of
    the whole sample or of a minibatch.
    """

    def __init__(self, total: int, labels: Tensor, advice: str) -> None:
        """For `total` steps on `labels`."""
        self.points: list[LearningCurvePoint] = []
        self.newest: float | None = None
        self._every = max(1, math.ceil(total / CURVE_POINTS))
        self._total = total
        self._advice = advice
        self._scale = float((labels.double() ** 2).sum(dim=1).mean())

    def due(self, step: int) -> bool:
        """Whether the risk after `step` steps is wanted."""
        return step % self._every == 0 or step == self._total

    def record(self, step: int, risk: float) -> None:
        """Keep a point.

        Raises:
            TrainingDiverged: the risk is not finite, or DIVERGENCE_FACTOR times where it began.
        """
        self.check(step, risk)
        self.points.append(LearningCurvePoint(step, risk))

    def check(self, step: int, risk: float) -> None:
        """Raise TrainingDiverged as `record` does, for a risk that is not kept: one of a minibatch, say."""
        first = self.points[0].empirical_risk if self.points else risk
        if not math.isfinite(risk) or risk > DIVERGENCE_FACTOR * max(first, self._scale, 1e-300):
            raise TrainingDiverged(f"The empirical risk is {risk:.3g} at step {step}. {self._advice}", "/learner")
        self.newest = risk
