"""What every iterative learner shares: where it starts, what it evaluates, and when it has diverged."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.arrays import Outputs, Parameters, Scalar
from models.errors import TrainingDiverged
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK, squared_losses
from models.samples import Sample

CURVE_POINTS = 100

DIVERGENCE_FACTOR = 1e6
"""A risk this many times the larger of the first risk and the labels' second moment has left every bound."""

FEWEST_VALIDATION_ROWS = 20
"""A minimum over fewer rows than this is noise; the sample is then trained on to the last step."""

KEPT_FEATURES = 2**27
"""Features of a linear space are computed once while n m is at most this; beyond it at every step."""


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


def prepared(
    space: HypothesisSpace, parameters: Parameters, inputs: Tensor
) -> tuple[Tensor, Callable[[Parameters, Tensor], Outputs]]:
    """Rows to train on and the map from them to outputs: the features of a linear space, once; otherwise the inputs."""
    if isinstance(space, LinearSpace) and inputs.shape[0] * len(parameters["coefficients"]) <= KEPT_FEATURES:
        with torch.no_grad():
            return space.features(parameters, inputs), lambda theta, rows: rows @ theta["coefficients"]
    return inputs, space.evaluate


def empirical_risk(outputs: Outputs, labels: Tensor) -> Scalar:
    """R_n, differentiable."""
    return squared_losses(outputs, labels).mean()


def empirical_risk_in_blocks(
    evaluate: Callable[[Parameters, Tensor], Outputs], parameters: Parameters, data: Sample
) -> float:
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


class LearningCurve:
    """Collects at most about CURVE_POINTS risks and notices divergence.

    `advice` is the sentence that a TrainingDiverged carries after the step's number.
    """

    def __init__(self, total: int, labels: Tensor, advice: str) -> None:
        """For `total` steps on `labels`."""
        self.points: list[LearningCurvePoint] = []
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


def held_for_validation(fraction: float, sample_size: int) -> int:
    """Rows that choose where to stop: round(fraction n), or 0 where those are fewer than FEWEST_VALIDATION_ROWS."""
    held = round(fraction * sample_size)
    return held if held >= FEWEST_VALIDATION_ROWS else 0


def parted(data: Sample, held: int, randomness: Randomness) -> tuple[Sample, Sample]:
    """The rows to train on and `held` rows to validate on, by a random order from the stream `validation_rows`."""
    order = torch.randperm(data.size, generator=randomness.generator("validation_rows")).to(data.inputs.device)
    training, validation = (Sample(data.inputs[part], data.labels[part]) for part in (order[held:], order[:held]))
    return training, validation


class EarlyStopping:
    """Watches the risk on validation rows and remembers the step where it was smallest.

    `best_step` 0 is possible: nothing learnt carries over to the validation rows.
    """

    def __init__(
        self, evaluate: Callable[[Parameters, Tensor], Outputs], validation: Sample, total: int, patience: float = 0.25
    ) -> None:
        """For `total` steps; the run ends when `patience` x `total` steps brought no smaller risk."""
        self._evaluate = evaluate
        self._validation = validation
        self._every = max(1, total // (4 * CURVE_POINTS))
        self._patience = max(4 * self._every, math.ceil(patience * total))
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
