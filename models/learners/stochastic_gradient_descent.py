"""Stochastic gradient descent: minibatches drawn without replacement, and the step size at which they stay stable."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Outputs, Parameters, Scalar
from models.curvature import largest_curvature
from models.gradient_flow import largest_eigenvalue
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Advance, Fitted, Learner
from models.minibatch_descent import Schedule, descend, minibatches, plain_updater, scheduled
from models.optimisation import (
    LearningCurve,
    empirical_risk,
    empirical_risk_in_blocks,
    prepared,
    starting_parameters,
)
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK
from models.samples import Sample

CURVATURE_BATCHES = 4
"""Minibatches whose curvature is measured at the start of a nonlinear space."""

Evaluate = Callable[[Parameters, Tensor], Outputs]


class StochasticGradientDescent(Learner):
    """theta_{k+1} = theta_k - eta_k grad R_B(theta_k), R_B the mean squared error of minibatch B, no factor 1/2.

    A pass takes the rows in a random order and leaves out the last incomplete batch; b = n is gradient descent.

    Stable step size in a linear space: below 1 / L_b, L_b = (1 - c) lambda_max + c beta, where lambda_max belongs to
    G = Phi^T Phi / n, beta = max_i |phi_i|^2 and c = (n - b) / (b (n - 1)). Proof: for b rows drawn without
    replacement E G_B^2 = (1 - c) G^2 + c E_i |phi_i|^2 phi_i phi_i^T <= L_b G, so that E |(1 - 2 eta G_B) v|^2 <= |v|^2
    - 4 eta (1 - eta L_b) v.G v. At b = n it is 1 / lambda_max. In other spaces the largest Hessian eigenvalue of four
    minibatches at the start takes the place of 2 L_b, a guide and no guarantee. Without a `step_size`: half of the
    stable one, a quarter in other spaces. `details` names both.
    """

    kind: Literal["stochastic_gradient_descent"]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="Number of steps (minibatches).")] = 4000
    step_size: Annotated[float | None, Field(gt=0, le=1e9, description="At the start; None: from the curvature.")] = (
        None
    )
    batch_size: Annotated[int | None, Field(ge=1, le=1_000_000, description="Rows a step; None: min(n, 32).")] = None
    schedule: Annotated[Schedule, Field(description="Step size over the steps.")] = "cosine"
    gradient_clip: Annotated[float | None, Field(gt=0, le=1e12, description="Largest gradient norm; None: any.")] = None

    statement: ClassVar[str] = "θₖ₊₁ = θₖ − ηₖ ∇R_B(θₖ);  linear spaces: stable for η < 1/((1−c) λ_max + c max|φᵢ|²)"
    reference: ClassVar[str] = "ma2018power"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "stochastic_gradient_descent", "steps": 300},
        {
            "kind": "stochastic_gradient_descent",
            "steps": 200,
            "step_size": 0.02,
            "batch_size": 8,
            "schedule": "inverse_sqrt",
            "gradient_clip": 100.0,
        },
    )

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
    ) -> Fitted:
        """Iterate from the start. Randomness: the draw of the space; streams `batches`, `curvature`."""
        begun = starting_parameters(space, sample, randomness, start)
        rows, evaluate = prepared(space, begun, sample.inputs)
        data, size = Sample(rows, sample.labels), self._batch_rows(sample.size)
        limit = self._stable_step_size(space, begun, evaluate, data, randomness)
        share = 0.5 if space.linear else 0.25
        step_size = share * limit if self.step_size is None else self.step_size
        curve = LearningCurve(
            self.steps, data.labels, f"The step size is {step_size:.3g}; it is stable below {limit:.3g}."
        )

        def objective(step: int, theta: Parameters, batch: Sample) -> Scalar:
            value = empirical_risk(evaluate(theta, batch.inputs), batch.labels)
            curve.check(step, float(value.detach()))
            return value

        def ends(step: int, theta: Parameters) -> bool:
            advance(step, self.steps)
            if curve.due(step):
                curve.record(step, empirical_risk_in_blocks(evaluate, theta, data))
            return False

        learnt = descend(
            begun,
            space.trainable,
            objective,
            minibatches(data, size, randomness.generator("batches")),
            plain_updater(lambda step: step_size * scheduled(self.schedule, step, self.steps)),
            self.steps,
            ends,
            gradient_clip=self.gradient_clip,
        )
        details: dict[str, float | int | str] = {
            "batch_size": size,
            "step_size": step_size,
            "stable_step_size": limit,
        }
        return Fitted(learnt, tuple(curve.points), details)

    def _stable_step_size(
        self, space: HypothesisSpace, begun: Parameters, evaluate: Evaluate, data: Sample, randomness: Randomness
    ) -> float:
        n, size = data.size, self._batch_rows(data.size)
        if isinstance(space, LinearSpace):
            with torch.no_grad():
                features = data.inputs if evaluate != space.evaluate else space.features(begun, data.inputs)
                top, longest = largest_eigenvalue(features), float((features**2).sum(dim=1).max())
            share = (n - size) / (size * (n - 1)) if n > 1 else 0.0
            curvature = (1 - share) * top + share * longest
            return 1 / curvature if curvature > 0 else 1.0
        batches = minibatches(data, size, randomness.generator("curvature"))
        curvatures = []
        for _ in range(CURVATURE_BATCHES if size < n else 1):
            batch = next(batches)

            def risk(theta: Parameters, batch: Sample = batch) -> Scalar:
                return empirical_risk(evaluate(theta, batch.inputs), batch.labels)

            generator = randomness.generator("curvature_direction")
            curvatures.append(largest_curvature(risk, begun, space.trainable, generator))
        return 2 / max(curvatures) if max(curvatures) > 0 else 2.0

    def _batch_rows(self, sample_size: int) -> int:
        return min(sample_size, 32 if self.batch_size is None else self.batch_size)

    def rows_at_once(self, sample_size: int) -> int:
        """One batch, or one block of the learning curve."""
        return min(sample_size, max(self._batch_rows(sample_size), EVALUATION_BLOCK))

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the batch a step, and the learning curve."""
        rows = 3.0 * self.steps * self._batch_rows(sample_size) + 100.0 * sample_size
        return rows * space.flops_per_row(input_dimension, output_dimension)
