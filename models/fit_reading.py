"""What one fit says: its risks with error bars, a baseline, and a hint where the rest of the error may come from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Labels, Outputs
from models.decomposition.advice import ARITHMETIC_FLOOR, NOISE_FLOOR, SIGNIFICANT, Advice
from models.errors import NumericalFailure
from models.estimates import Estimate, closed_form, mean_estimate
from models.learned_model import LearnedModel
from models.learners.base import LearningCurvePoint
from models.problems import Problem
from models.risks import predictions, squared_losses
from models.samples import Sample, one_hot

STILL_FALLING = 0.9
"""The last fifth of the steps took the empirical risk below this fraction of what it was."""


SHOWN_ROWS, SHOWN_OUTPUTS = 200, 10
"""What a figure of predictions against labels can show."""


@dataclass(frozen=True)
class FitRisks:
    """Squared-loss risks in label units squared.

    `trained`: population risk, from the held-out rows. `trained_empirical`: risk on the training sample, a number.
    `generalization_gap`: their difference; its error is that of `trained`. `baseline`: population risk of the mean
    training label. `noise`: E|y - f*(x)|^2, None where unknown. `rmse`: root mean squared error by output name.
    `accuracy`, `accuracy_empirical`: how often the largest output is the class, where labels are one-hot, on the
    held-out rows and on the training sample.
    """

    trained: Estimate
    trained_empirical: Estimate
    generalization_gap: Estimate
    baseline: Estimate
    noise: Estimate | None
    rmse: dict[str, Estimate]
    accuracy: Estimate | None = None
    accuracy_empirical: Estimate | None = None

    def record(self) -> dict[str, Any]:
        """JSON of the risks; noise and accuracies only where known, `explained_variance` = 1 - trained/baseline."""
        estimates = {
            "trained": self.trained,
            "trained_empirical": self.trained_empirical,
            "generalization_gap": self.generalization_gap,
            "baseline": self.baseline,
        }
        estimates |= {
            name: value
            for name, value in (
                ("noise", self.noise),
                ("accuracy", self.accuracy),
                ("accuracy_empirical", self.accuracy_empirical),
            )
            if value is not None
        }
        record: dict[str, Any] = {name: value.model_dump(mode="json") for name, value in estimates.items()}
        record["rmse"] = {name: value.model_dump(mode="json") for name, value in self.rmse.items()}
        if self.baseline.value > 0:
            record["explained_variance"] = 1 - self.trained.value / self.baseline.value
        return record


def fit_risks(
    model: LearnedModel,
    problem: Problem,
    training: Sample,
    held_out: Sample,
    device: str,
    fitted: Outputs | None = None,
) -> FitRisks:
    """Measure on `device`; every number is of the clipped model in label units.

    `fitted`: the model's predictions on the training rows, where they are known.

    Raises:
        NumericalFailure: a prediction is not finite.
    """
    placed = replace(model, parameters={name: value.to(device) for name, value in model.parameters.items()})
    outputs = predictions(placed, held_out.inputs.to(device)).cpu()
    if fitted is None:
        fitted = predictions(placed, training.inputs.to(device)).cpu()
    empirical = squared_losses(fitted, training.labels)
    losses = squared_losses(outputs, held_out.labels)
    if not bool(torch.isfinite(losses).all() and torch.isfinite(empirical).all()):
        raise NumericalFailure("A prediction is not finite.")
    trained, trained_empirical = mean_estimate(losses), closed_form(float(empirical.mean()))
    mean_label = training.labels.mean(dim=0, keepdim=True).expand_as(held_out.labels)
    columns = ((outputs - held_out.labels) ** 2).unbind(dim=1)
    classified = one_hot(training.labels)
    return FitRisks(
        trained=trained,
        trained_empirical=trained_empirical,
        generalization_gap=Estimate(
            value=trained.value - trained_empirical.value,
            standard_error=trained.standard_error,
            method="monte_carlo",
        ),
        baseline=mean_estimate(squared_losses(mean_label, held_out.labels)),
        noise=None if problem.noise_variance is None else closed_form(problem.noise_variance),
        rmse={name: _root(mean_estimate(c)) for name, c in zip(problem.output_names, columns, strict=True)},
        accuracy=mean_estimate(_hits(outputs, held_out.labels)) if classified else None,
        accuracy_empirical=closed_form(float(_hits(fitted, training.labels).mean())) if classified else None,
    )


def shown_predictions(model: LearnedModel, problem: Problem, held_out: Sample) -> dict[str, Any]:
    """Labels beside predictions of the first held-out rows, in label units, for the eye: no risk is taken from them.

    `labels` and `predictions` have a row for each of at most 200 rows, with at most 10 `outputs`.
    """
    labels = held_out.labels[:SHOWN_ROWS, :SHOWN_OUTPUTS]
    outputs = predictions(model, held_out.inputs[:SHOWN_ROWS])[:, :SHOWN_OUTPUTS]
    return {
        "outputs": list(problem.output_names[:SHOWN_OUTPUTS]),
        "labels": labels.tolist(),
        "predictions": outputs.tolist(),
    }


def _hits(outputs: Outputs, labels: Labels) -> Float[Tensor, " n"]:
    """1 where the largest output is the label's class; a label without a class, unseen in training, is never hit."""
    return labels.gather(1, outputs.argmax(dim=1, keepdim=True)).flatten()


def _root(mean_square: Estimate) -> Estimate:
    """Square root, with the error by the delta method: s / (2 sqrt(value)); None at 0."""
    root, error = math.sqrt(mean_square.value), mean_square.standard_error
    return Estimate(
        value=root,
        standard_error=error / (2 * root) if error is not None and root > 0 else None,
        method="monte_carlo",
    )


def fit_advice(risks: FitRisks, curve: Sequence[LearningCurvePoint]) -> Advice:
    """A heuristic from one fit: which of gap and empirical risk is the larger part of the excess over the noise.

    The gap is no estimation error and the empirical risk no approximation error; only a decomposition separates
    those, and the sentence says so. Where the noise is unknown the empirical risk may be noise altogether.
    """
    noise = 0.0 if risks.noise is None else risks.noise.value
    excess, gap = risks.trained.value - noise, risks.generalization_gap.value
    least = max(NOISE_FLOOR * noise, ARITHMETIC_FLOOR * risks.baseline.value)
    subject = "risk" if risks.noise is None else "excess risk"
    if excess <= least:
        small = f"below {NOISE_FLOOR:.0%} of the noise variance" if noise > 0 else "round-off"
        return Advice(buy="nothing", because=f"Buy nothing: the {subject} {excess:.3g} is {small}.")
    if excess <= SIGNIFICANT * (risks.trained.standard_error or 0.0):
        return Advice(
            buy="nothing",
            because=f"Buy nothing: the {subject} {excess:.3g} is within its error bar; test on more rows.",
        )
    unfitted = max(0.0, risks.trained_empirical.value - noise)
    left = "empirical risk" if risks.noise is None else "empirical risk above the noise"
    caveat = "A hint from one fit; decompose_error measures the terms."
    if gap >= unfitted:
        because = f"Buy data or penalize more: the generalization gap {gap:.3g} exceeds the {left}, {unfitted:.3g}."
        return Advice(buy="data", because=f"{because} {caveat}")
    falling = _still_falling(curve)
    action = "training, as the risk was still falling" if falling else "width, another space or a smaller penalty"
    unknown = ", unless that is noise" if risks.noise is None else ""
    because = f"Buy {action}: the {left}, {unfitted:.3g}, exceeds the generalization gap {gap:.3g}{unknown}."
    return Advice(buy="training" if falling else "width", because=f"{because} {caveat}")


def _still_falling(curve: Sequence[LearningCurvePoint]) -> bool:
    if len(curve) < 5:
        return False
    earlier = [point for point in curve if point.step <= 0.8 * curve[-1].step]
    return curve[-1].empirical_risk < STILL_FALLING * earlier[-1].empirical_risk
