"""Stochastic gradient descent: minibatches drawn without replacement, and the step size at which they stay stable."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from models.arrays import Parameters, Scalar
from models.checkpoints import NO_CHECKPOINTS, Checkpoints
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
from models.minibatch_descent import Minibatches, Schedule, descend, plain_updater, scheduled
from models.optimisation import Opening, empirical_risk, opened
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK
from models.samples import Sample

CURVATURE_BATCHES = 4
"""Minibatches whose curvature is measured at the start of a nonlinear space."""


class StochasticGradientDescent(Learner):
    """theta_{k+1} = theta_k - eta_k v_{k+1}, v_{k+1} = momentum v_k + grad R_B(theta_k) + weight_decay theta_k.

    v_0 = 0. R_B: the mean squared error of minibatch B, no factor 1/2, so that this is descent on
    R_n + (weight_decay/2) |theta|^2. The gradient of R_B is scaled down to `gradient_clip` first. A pass takes the rows
    in a random order and leaves out the last incomplete batch; b = n without momentum is gradient descent.

    Stable step size in a linear space without momentum: below 1 / (L_b + mu), mu = weight_decay/2, L_b = (1 - c)
    lambda_max + c beta, where lambda_max belongs to G = Phi^T Phi / n, beta = max_i |phi_i|^2 and c = (n - b) /
    (b (n - 1)). Proof: for b rows drawn without replacement E G_B^2 = (1 - c) G^2 + c E_i |phi_i|^2 phi_i phi_i^T <=
    L_b G, and G <= L_b, so that E (G_B + mu)^2 <= (L_b + mu) (G + mu) and E |(1 - 2 eta (G_B + mu)) v|^2 <= |v|^2 -
    4 eta (1 - eta (L_b + mu)) v.(G + mu) v. At b = n it is 1 / (lambda_max + mu). In other spaces the largest Hessian
    eigenvalue of four minibatches at the start takes the place of 2 L_b, a guide and no guarantee. Momentum makes the
    steps 1 / (1 - momentum) times as long in the end; the limit is multiplied by 1 - momentum, more cautious than
    b = n needs, where 2 (1 + momentum) over the largest Hessian eigenvalue is exact, and a guide for smaller b.
    Without a `step_size`: half of the stable one, a quarter in other spaces. `details` names both.

    Early stopping: a first run on a part of the sample, with the same step size, finds the step with the smallest risk
    on the other part, a `validation_fraction` of the rows; the run on the whole sample ends there.
    """

    kind: Literal["stochastic_gradient_descent"]
    steps: Annotated[
        int, Field(ge=1, le=10_000_000, description="Steps (minibatches), the most with early stopping.")
    ] = 4000
    step_size: Annotated[float | None, Field(gt=0, le=1e9, description="At the start; None: from the curvature.")] = (
        None
    )
    batch_size: Annotated[int | None, Field(ge=1, le=1_000_000, description="Rows a step; None: min(n, 32).")] = None
    schedule: Annotated[Schedule, Field(description="Step size over the steps.")] = "cosine"
    momentum: Annotated[float, Field(ge=0, lt=1, description="Weight of the past steps (heavy ball).")] = 0.0
    weight_decay: WeightDecay = 0.0
    gradient_clip: GradientClip = None
    validation_fraction: ValidationFraction = 0.0
    precision: TrainingPrecision = "float64"

    statement: ClassVar[str] = (
        "vₖ₊₁ = β vₖ + ∇R_B(θₖ) + λθₖ,  θₖ₊₁ = θₖ − ηₖ vₖ₊₁;  linear, β = 0: η < 1/((1−c) λ_max + c max|φᵢ|² + λ/2)"
    )
    formula: ClassVar[str] = (
        r"\begin{split} v_{k+1} &= \beta v_k + \nabla R_B(\theta_k) + \lambda \theta_k, \quad \theta_{k+1} = "
        r"\theta_k - \eta_k v_{k+1}, \\ \eta &< \frac{1}{(1 - c)\, \lambda_{\max}(\Phi^\top \Phi / n) + c "
        r"\max\limits_i \|\varphi_i\|^2 + \lambda / 2} \; \text{ is stable in a linear space, } \beta = 0, \\ c &= "
        r"\frac{n - b}{b (n - 1)}, \quad b = |B| \end{split}"
    )
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
        {
            "kind": "stochastic_gradient_descent",
            "steps": 300,
            "momentum": 0.9,
            "weight_decay": 1e-3,
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
        """Iterate from the start. Randomness: the draw of the space; streams `batches`, `curvature`, `validation_rows`.

        The stream `curvature_direction` as well outside linear spaces.
        """
        opening = opened(space, sample, randomness, start, self.precision)
        limit = self._stable_step_size(opening, randomness)
        share = 0.5 if space.linear else 0.25
        step_size = share * limit if self.step_size is None else self.step_size

        def run(_: None, watch: Watch) -> Parameters:
            def objective(step: int, theta: Parameters, batch: Sample) -> Scalar:
                value = empirical_risk(opening.evaluate(theta, batch.inputs), batch.labels)
                watch.curve.check(step, float(value.detach()))
                return value

            rows = watch.data
            return descend(
                opening.start,
                space.trainable,
                objective,
                Minibatches(rows, self._batch_rows(rows.size), randomness.generator("batches")),
                plain_updater(
                    lambda step: step_size * scheduled(self.schedule, step, self.steps),
                    self.weight_decay,
                    self.momentum,
                ),
                watch.ends,
                gradient_clip=self.gradient_clip,
                first_step=watch.first_step,
                begun=watch.begun,
            )

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
        details: Details = {
            "batch_size": self._batch_rows(sample.size),
            "step_size": step_size,
            "stable_step_size": limit,
            "steps": trained.last_step,
        }
        return Fitted(opening.closed(trained.parameters), tuple(trained.curve.points), details)

    def _stable_step_size(self, opening: Opening, randomness: Randomness) -> float:
        n, size = opening.data.size, self._batch_rows(opening.data.size)
        if opening.space.linear:
            features = opening.with_features().data.inputs
            top, longest = largest_eigenvalue(features), float((features**2).sum(dim=1).max())
            share = (n - size) / (size * (n - 1)) if n > 1 else 0.0
            curvature = 2 * ((1 - share) * top + share * longest)
        else:
            curvature = self._largest_curvature(opening, size, randomness)
        curvature += self.weight_decay
        return (1 - self.momentum) * 2 / curvature if curvature > 0 else 2.0

    def _largest_curvature(self, opening: Opening, size: int, randomness: Randomness) -> float:
        batches = Minibatches(opening.data, size, randomness.generator("curvature"))
        curvatures = []
        for _ in range(CURVATURE_BATCHES if size < opening.data.size else 1):
            batch = next(batches)

            def risk(theta: Parameters, batch: Sample = batch) -> Scalar:
                return empirical_risk(opening.evaluate(theta, batch.inputs), batch.labels)

            generator = randomness.generator("curvature_direction")
            curvatures.append(largest_curvature(risk, opening.start, opening.space.trainable, generator))
        return max(curvatures)

    def _batch_rows(self, sample_size: int) -> int:
        return min(sample_size, 32 if self.batch_size is None else self.batch_size)

    def rows_at_once(self, sample_size: int) -> int:
        """One batch, or one block of the learning curve."""
        return min(sample_size, max(self._batch_rows(sample_size), EVALUATION_BLOCK))

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the batch a step, and the learning curve."""
        rows = 3.0 * self.steps * self._batch_rows(sample_size) + 100.0 * sample_size
        runs = likely_runs(self.validation_fraction, sample_size)
        return runs * rows * space.flops_per_row(input_dimension, output_dimension)

    def update_count(self, space: HypothesisSpace, sample_size: int) -> float:
        """All steps of all runs that are likely."""
        return likely_runs(self.validation_fraction, sample_size) * self.steps
