"""Full-batch gradient descent on the empirical risk."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Features, Parameters
from models.curvature import largest_curvature
from models.gradient_flow import largest_eigenvalue
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Advance, Fitted, Learner
from models.optimisation import LearningCurve, empirical_risk, starting_parameters
from models.randomness import Randomness
from models.samples import Sample


class GradientDescent(Learner):
    """theta_{k+1} = theta_k - step_size grad R_n(theta_k), R_n(f) = (1/n) sum_i |f(x_i) - y_i|^2, no factor 1/2.

    In a linear space the iteration is stable below 1 / lambda_max(Phi^T Phi / n) and agrees with
    `models.gradient_flow.linear_trajectory` at every step. Without a `step_size`: half of that limit; in other spaces
    1 / |lambda|_max of the Hessian at the start, halved whenever a step would raise the risk, so that R_n never
    increases. `details` names the step size at the end and the largest stable one.
    """

    kind: Literal["gradient_descent"]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="Number of steps.")] = 2000
    step_size: Annotated[float | None, Field(gt=0, le=1e9, description="None: from the largest curvature.")] = None

    statement: ClassVar[str] = "θₖ₊₁ = θₖ − η ∇R_n(θₖ);  linear spaces: stable for η < 1/λ_max(ΦᵀΦ/n)"
    reference: ClassVar[str] = "e2020comparative"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "gradient_descent", "steps": 200},
        {"kind": "gradient_descent", "steps": 100, "step_size": 0.01, "standardise": True},
    )

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
    ) -> Fitted:
        """Iterate from the start. Randomness: the draw of the space; stream `curvature` for the power iteration."""
        parameters = starting_parameters(space, sample, randomness, start)
        if isinstance(space, LinearSpace):
            return self._fit_linear(space, sample, advance, parameters)
        return self._fit_nonlinear(space, sample, randomness, advance, parameters)

    def _curve(self, sample: Sample, step_size: float, limit: float) -> LearningCurve:
        advice = f"The step size is {step_size:.3g}; it is stable below {limit:.3g}."
        return LearningCurve(self.steps, sample.labels, advice)

    def _fit_linear(self, space: LinearSpace, sample: Sample, advance: Advance, parameters: Parameters) -> Fitted:
        with torch.no_grad():
            features, labels = space.features(parameters, sample.inputs), sample.labels
            top = largest_eigenvalue(features)
            limit = 1 / top if top > 0 else 1.0
            step_size = limit / 2 if self.step_size is None else self.step_size
            curve = self._curve(sample, step_size, limit)
            coefficients, gradient = parameters["coefficients"], _risk_gradient(features, labels)
            for step in range(self.steps + 1):
                advance(step, self.steps)
                if curve.due(step):
                    curve.record(step, float(empirical_risk(features @ coefficients, labels)))
                if step < self.steps:
                    coefficients = coefficients - step_size * gradient(coefficients)
        return Fitted(
            {**parameters, "coefficients": coefficients},
            tuple(curve.points),
            {"step_size": step_size, "stable_step_size": limit},
        )

    def _fit_nonlinear(
        self, space: HypothesisSpace, sample: Sample, randomness: Randomness, advance: Advance, parameters: Parameters
    ) -> Fitted:
        def risk(theta: Parameters) -> Tensor:
            return empirical_risk(space.evaluate(theta, sample.inputs), sample.labels)

        top = largest_curvature(risk, parameters, space.trainable, randomness.generator("curvature"))
        limit = 2 / top if top > 0 else 2.0
        step_size = limit / 2 if self.step_size is None else self.step_size
        curve = self._curve(sample, step_size, limit)
        value, gradient = _value_and_gradient(risk, parameters, space.trainable)
        for step in range(self.steps + 1):
            advance(step, self.steps)
            if curve.due(step):
                curve.record(step, value)
            if step == self.steps:
                break
            moved = {**parameters, **{name: parameters[name] - step_size * gradient[name] for name in gradient}}
            moved_value, moved_gradient = _value_and_gradient(risk, moved, space.trainable)
            # The slack lets round-off pass at a minimum; NaN is never accepted.
            if self.step_size is None and not moved_value <= value * (1 + 1e-12):
                step_size /= 2
                continue
            parameters, value, gradient = moved, moved_value, moved_gradient
        return Fitted(parameters, tuple(curve.points), {"step_size": step_size, "stable_step_size": limit})

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the sample a step."""
        return 3.0 * self.steps * sample_size * space.flops_per_row(input_dimension, output_dimension)


def _risk_gradient(features: Features, labels: Tensor) -> Callable[[Tensor], Tensor]:
    """a -> (2/n) Phi^T (Phi a - y), through the Gram matrix where that is the smaller product."""
    n, m = features.shape
    if m <= n:
        gram, moments = 2 / n * (features.T @ features), 2 / n * (features.T @ labels)
        return lambda coefficients: gram @ coefficients - moments
    return lambda coefficients: 2 / n * (features.T @ (features @ coefficients - labels))


def _value_and_gradient(
    risk: Callable[[Parameters], Tensor], parameters: Parameters, trainable: tuple[str, ...]
) -> tuple[float, Parameters]:
    moving = {name: parameters[name].detach().requires_grad_() for name in trainable}
    value = risk({**parameters, **moving})
    gradients = torch.autograd.grad(value, list(moving.values()), materialize_grads=True)
    return float(value.detach()), dict(zip(moving, gradients, strict=True))
