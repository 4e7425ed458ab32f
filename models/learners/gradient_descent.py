"""Full-batch gradient descent on the empirical risk."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Features, Parameters, Scalar
from models.checkpoints import NO_CHECKPOINTS, Checkpoints, State, fill, number
from models.curvature import largest_curvature
from models.early_stopping import Watch, likely_runs, train
from models.gradient_flow import largest_eigenvalue
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import (
    Advance,
    Details,
    Fitted,
    GradientClip,
    Learner,
    TrainingPrecision,
    ValidationFraction,
    WeightDecay,
)
from models.minibatch_descent import Schedule, clip_together, scheduled
from models.optimisation import Evaluate, Opening, empirical_risk, opened
from models.randomness import Randomness
from models.samples import Sample


class GradientDescent(Learner):
    """theta_{k+1} = theta_k - eta_k (grad R_n(theta_k) + weight_decay theta_k), R_n(f) = (1/n) sum_i |f(x_i) - y_i|^2.

    No factor 1/2 in R_n: this is descent on J = R_n + (weight_decay/2) |theta|^2 over the trainable parameters, whose
    minimiser in a linear space is that of `ridge` with penalty weight_decay / 2. eta_k = step_size x schedule; where
    `gradient_clip` is set the gradient of R_n is scaled down to that norm first.

    In a linear space the iteration is stable below 1 / (lambda_max + weight_decay/2), lambda_max of Phi^T Phi / n, and
    without clipping agrees with `models.gradient_flow.linear_trajectory` at every step, whatever decay and schedule.
    Without a `step_size`: half of that limit; in other spaces 1 / |lambda|_max of the Hessian of J at the start, halved
    whenever a step would raise J, so that J never increases. `details` names the step size at the end, the largest
    stable one and the number of steps.

    Early stopping: a first run on a part of the sample, with the same step size, finds the step with the smallest risk
    on the other part, a `validation_fraction` of the rows; the run on the whole sample ends there.
    """

    kind: Literal["gradient_descent"]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="Number of steps; the most with early stopping.")] = (
        2000
    )
    step_size: Annotated[float | None, Field(gt=0, le=1e9, description="None: from the largest curvature.")] = None
    schedule: Annotated[Schedule, Field(description="Step size over the steps.")] = "constant"
    weight_decay: WeightDecay = 0.0
    gradient_clip: GradientClip = None
    validation_fraction: ValidationFraction = 0.0
    precision: TrainingPrecision = "float64"

    statement: ClassVar[str] = "θₖ₊₁ = θₖ − ηₖ (∇R_n(θₖ) + λθₖ);  linear spaces: stable for η < 1/(λ_max(ΦᵀΦ/n) + λ/2)"
    formula: ClassVar[str] = (
        r"\begin{split} \theta_{k+1} &= \theta_k - \eta_k \left(\nabla R_n(\theta_k) + \lambda \theta_k\right), "
        r"\quad R_n(\theta) = \frac{1}{n} \sum_{i=1}^n |f_\theta(x_i) - y_i|^2, \\ \eta &< "
        r"\frac{1}{\lambda_{\max}(\Phi^\top \Phi / n) + \lambda / 2} \text{ is stable in a linear space} \end{split}"
    )
    reference: ClassVar[str] = "e2020comparative"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "gradient_descent", "steps": 200},
        {"kind": "gradient_descent", "steps": 100, "step_size": 0.01, "standardise": True},
        {
            "kind": "gradient_descent",
            "steps": 200,
            "schedule": "cosine",
            "weight_decay": 1e-3,
            "gradient_clip": 10.0,
            "validation_fraction": 0.2,
            "precision": "float32",
        },
    )

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> Fitted:
        """Iterate from the start. Randomness: the draw of the space; streams `curvature`, `validation_rows`."""
        opening = opened(space, sample, randomness, start, self.precision)
        if space.linear:
            opening = opening.with_features()
        limit = self._stable_step_size(opening, randomness)
        step_size = limit / 2 if self.step_size is None else self.step_size
        details: Details = {"step_size": step_size, "stable_step_size": limit}

        def run(_: None, watch: Watch) -> Parameters:
            if space.linear:
                return self._descend_linear(opening, step_size, watch)
            learnt, details["step_size"] = self._descend(opening, step_size, watch)
            return learnt

        trained = train(
            run,
            opening,
            [None],
            steps=self.steps,
            validation_fraction=self.validation_fraction,
            randomness=randomness,
            advance=advance,
            advice=f"The step size is {step_size:.3g}; it is stable below {limit:.3g}.",
            checkpoints=checkpoints,
        )
        details["steps"] = trained.last_step
        return Fitted(opening.closed(trained.parameters), tuple(trained.curve.points), details)

    def _stable_step_size(self, opening: Opening, randomness: Randomness) -> float:
        if opening.space.linear:
            curvature = 2 * largest_eigenvalue(opening.data.inputs)
        else:
            risk = _risk(opening.evaluate, opening.data)
            generator = randomness.generator("curvature")
            curvature = largest_curvature(risk, opening.start, opening.space.trainable, generator)
        curvature += self.weight_decay
        return 2 / curvature if curvature > 0 else 2.0

    def _descend_linear(self, opening: Opening, step_size: float, watch: Watch) -> Parameters:
        risk_and_gradient = _linear_risk_and_gradient(watch.data.inputs, watch.data.labels)
        parameters, step = _begun(opening, watch), watch.first_step

        def state() -> State:
            return {"coefficients": parameters["coefficients"]}

        while not watch.ends(step, parameters, state):
            coefficients = parameters["coefficients"]
            risk, gradient = risk_and_gradient(coefficients)
            watch.curve.check(step, float(risk))
            (direction,) = self._directions([gradient], [coefficients])
            moved = coefficients - step_size * scheduled(self.schedule, step, self.steps) * direction
            parameters, step = {**parameters, "coefficients": moved}, step + 1
        return parameters

    def _descend(self, opening: Opening, step_size: float, watch: Watch) -> tuple[Parameters, float]:
        names, risk_of = opening.space.trainable, _risk(opening.evaluate, watch.data)

        def seen(theta: Parameters) -> tuple[float, float, list[Tensor]]:
            """R_n, J and the direction of the step."""
            moving = [theta[name].detach().requires_grad_() for name in names]
            value = risk_of({**theta, **dict(zip(names, moving, strict=True))})
            gradients = list(torch.autograd.grad(value, moving, materialize_grads=True))
            places, risk = [part.detach() for part in moving], float(value.detach())
            length = sum(float((part**2).sum()) for part in places) if self.weight_decay else 0.0
            return risk, risk + self.weight_decay / 2 * length, self._directions(gradients, places)

        # The slack lets round-off pass at a minimum; NaN is never accepted.
        slack = 1 + 5000 * torch.finfo(watch.data.labels.dtype).eps
        parameters, step = _begun(opening, watch), watch.first_step
        if watch.begun is not None:
            step_size = float(watch.begun["step_size"])
        risk, objective, directions = seen(parameters)

        def state() -> State:
            return {"step_size": number(step_size), **{name: parameters[name] for name in names}}

        while not watch.ends(step, parameters, state):
            watch.curve.check(step, risk)
            rate = step_size * scheduled(self.schedule, step, self.steps)
            steps = zip(names, directions, strict=True)
            moved = {**parameters, **{name: parameters[name] - rate * direction for name, direction in steps}}
            reached, step = seen(moved), step + 1
            if self.step_size is None and not reached[1] <= objective * slack:
                step_size /= 2
                continue
            parameters, (risk, objective, directions) = moved, reached
        return parameters, step_size

    def _directions(self, gradients: list[Tensor], places: list[Tensor]) -> list[Tensor]:
        """The gradients of R_n, clipped together, plus the decay."""
        if self.gradient_clip is not None:
            clip_together(gradients, self.gradient_clip)
        if not self.weight_decay:
            return gradients
        return [part + self.weight_decay * place for part, place in zip(gradients, places, strict=True)]

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the sample a step; in a linear space the features once, then the smaller product."""
        runs, row = (
            likely_runs(self.validation_fraction, sample_size),
            space.flops_per_row(input_dimension, output_dimension),
        )
        if not space.linear:
            return 3.0 * runs * self.steps * sample_size * row
        width = space.feature_count(input_dimension)
        step = 2.0 * output_dimension * width * (width if width <= sample_size else 2 * sample_size)
        small, large = sorted((sample_size, width))
        return sample_size * row + 4.0 * large * small**2 + 10.0 * small**3 + runs * self.steps * step

    def update_count(self, space: HypothesisSpace, sample_size: int) -> float:
        """All steps of all runs that are likely; a quarter in a linear space, which needs no autograd."""
        return likely_runs(self.validation_fraction, sample_size) * self.steps * (0.25 if space.linear else 1.0)


def _begun(opening: Opening, watch: Watch) -> Parameters:
    """Where the run begins, or goes on."""
    if watch.begun is None:
        return opening.start
    moved = {name: torch.empty_like(opening.start[name]) for name in opening.space.trainable}
    fill(moved, watch.begun)
    return {**opening.start, **moved}


def _risk(evaluate: Evaluate, data: Sample) -> Callable[[Parameters], Scalar]:
    return lambda theta: empirical_risk(evaluate(theta, data.inputs), data.labels)


def _linear_risk_and_gradient(features: Features, labels: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """a -> R_n(a) and (2/n) Phi^T (Phi a - y), through the Gram matrix where that is the smaller product.

    R_n is for the eyes of the divergence check: by the Gram matrix it has lost its digits near a minimum.
    """
    n, m = features.shape
    if m <= n:
        gram, moments = 2 / n * (features.T @ features), 2 / n * (features.T @ labels)
        constant = (labels**2).sum() / n

        def by_gram(coefficients: Tensor) -> tuple[Tensor, Tensor]:
            gradient = gram @ coefficients - moments
            return (coefficients * (gradient - moments)).sum() / 2 + constant, gradient

        return by_gram

    def by_residuals(coefficients: Tensor) -> tuple[Tensor, Tensor]:
        residuals = features @ coefficients - labels
        return (residuals**2).sum() / n, 2 / n * (features.T @ residuals)

    return by_residuals
