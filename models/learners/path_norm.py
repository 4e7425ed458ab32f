"""The estimator of E, Ma and Wu: empirical risk plus a multiple of the path norm."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Parameters, Scalar
from models.checkpoints import NO_CHECKPOINTS, Checkpoints
from models.complexities.path_norm_ball import PathNormed, PathWeights
from models.early_stopping import Watch, likely_runs, train
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import (
    Advance,
    Details,
    Fitted,
    GradientClip,
    Learner,
    TrainingPrecision,
    ValidationFraction,
)
from models.minibatch_descent import Minibatches, Schedule, adam_updater, descend, scheduled
from models.optimisation import empirical_risk, opened
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK
from models.samples import Sample


class PathNorm(Learner):
    """theta^ near argmin J_n, J_n(theta) = R_n(f) + penalty sqrt(log(2 D) / n) |theta|_P, D = d + 1 with the bias.

    |theta|_P = sum_j |a_j| (|w_j|_1 + |c_j|) with every factor in front of the sum inside a, summed over the outputs,
    in the coordinates that the learner sees: scaled ones where it standardises. The a priori estimate, which holds at
    every width, asks for labels in [0,1], inputs in [-1,1]^d and a penalty of at least a constant (4 sqrt(2) for half
    the squared loss); the authors' experiments use smaller ones, down to 0.1.

    Adam on the objective with subgradients of the absolute values (0 at 0); the last of the decreasing steps settle
    the kinks. Not convex: what is reached is an upper value of the minimum. `details`: J_n, the path norm, the factor
    of the path norm in J_n and the number of steps. Weight decay is decoupled, as in `adam`, and not counted in J_n.

    Early stopping: a first run on a part of the sample finds the step with the smallest risk on the other part, a
    `validation_fraction` of the rows; the run on the whole sample ends there, which may be far from the minimum.
    """

    kind: Literal["path_norm"]
    penalty: Annotated[float, Field(ge=0, le=1e9, description="Factor of sqrt(log(2 D)/n) |theta|_P.")] = 1.0
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="Number of steps (minibatches).")] = 4000
    learning_rate: Annotated[float, Field(gt=0, le=10, description="Step size at the start.")] = 3e-3
    batch_size: Annotated[int | None, Field(ge=1, le=1_000_000, description="Rows a step; None: min(n, 128).")] = None
    schedule: Annotated[Schedule, Field(description="Step size over the steps.")] = "cosine"
    weight_decay: Annotated[float, Field(ge=0, le=10, description="Decoupled: theta shrinks by rate x this.")] = 0.0
    gradient_clip: GradientClip = None
    validation_fraction: ValidationFraction = 0.0
    precision: TrainingPrecision = "float64"

    uses_torch_optimiser: ClassVar[bool] = True
    statement: ClassVar[str] = "θ̂ ≈ argmin R_n(θ) + λ √(log(2D)/n) ‖θ‖_P,  ‖θ‖_P = Σⱼ |aⱼ| (‖wⱼ‖₁ + |cⱼ|)"
    formula: ClassVar[str] = (
        r"\begin{split} \hat{\theta} &\approx \operatorname*{argmin}\limits_\theta\, R_n(\theta) + \lambda "
        r"\sqrt{\frac{\ln(2D)}{n}}\, \|\theta\|_P, \\ \|\theta\|_P &= \sum_{j=1}^m |a_j| \left(\|w_j\|_1 + "
        r"|c_j|\right), \quad D = d + 1 \end{split}"
    )
    reference: ClassVar[str] = "ma2019priori"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "path_norm", "penalty": 0.1, "steps": 300},
        {"kind": "path_norm", "penalty": 0.0, "steps": 100, "batch_size": 32, "standardise": True},
        {
            "kind": "path_norm",
            "steps": 300,
            "penalty": 0.01,
            "weight_decay": 0.01,
            "gradient_clip": 10.0,
            "validation_fraction": 0.2,
            "precision": "float32",
        },
    )

    def refuses(self, space: HypothesisSpace) -> str | None:
        """Only where the members are two-layer ReLU networks, by what the space says of a draw."""
        if isinstance(space, PathNormed):
            smallest = space.with_width(1)
            if space.path_norm_weights(smallest.draw(1, 1, Randomness(0), torch.float64)) is not None:
                return None
        return f"path_norm needs a space of two-layer ReLU networks; {space.kind} as given has no path norm."

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> Fitted:
        """Train. Randomness: the draw of the space; streams `batches`, `validation_rows`."""
        if not isinstance(space, PathNormed):
            raise TypeError(self.refuses(space))
        opening = opened(space, sample, randomness, start, self.precision)
        factor = self.penalty * math.sqrt(math.log(2 * (sample.inputs.shape[1] + 1)) / sample.size)

        def norm(theta: Parameters) -> Scalar:
            weights = space.path_norm_weights(theta)
            if weights is None:
                raise TypeError(self.refuses(space))
            return _path_norm(weights)

        def run(_: None, watch: Watch) -> Parameters:
            def objective(step: int, theta: Parameters, batch: Sample) -> Scalar:
                value = empirical_risk(opening.evaluate(theta, batch.inputs), batch.labels)
                watch.curve.check(step, float(value.detach()))
                return value + factor * norm(theta) if factor else value

            return descend(
                opening.start,
                space.trainable,
                objective,
                Minibatches(watch.data, self._batch_rows(watch.data.size), randomness.generator("batches")),
                adam_updater(
                    lambda step: self.learning_rate * scheduled(self.schedule, step, self.steps), self.weight_decay
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
            advice=f"The learning rate is {self.learning_rate:.3g}; try a tenth of it.",
            checkpoints=checkpoints,
        )
        learnt, points = opening.closed(trained.parameters), tuple(trained.curve.points)
        reached = float(norm(learnt))
        details: Details = {
            "objective": points[-1].empirical_risk + factor * reached,
            "path_norm": reached,
            "penalty_factor": factor,
            "steps": trained.last_step,
        }
        return Fitted(learnt, points, details)

    def _batch_rows(self, sample_size: int) -> int:
        return min(sample_size, 128 if self.batch_size is None else self.batch_size)

    def rows_at_once(self, sample_size: int) -> int:
        """One batch, or one block of the learning curve."""
        return min(sample_size, max(self._batch_rows(sample_size), EVALUATION_BLOCK))

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the batch a step, the norm's few operations a weight, and the learning curve."""
        rows = 3.0 * self.steps * self._batch_rows(sample_size) + 100.0 * sample_size
        norms = 6.0 * self.steps * space.parameter_count(input_dimension, output_dimension)
        runs = likely_runs(self.validation_fraction, sample_size)
        return runs * (rows * space.flops_per_row(input_dimension, output_dimension) + norms)

    def update_count(self, space: HypothesisSpace, sample_size: int) -> float:
        """All steps of all runs that are likely; the norm costs about half as much again."""
        return 1.5 * likely_runs(self.validation_fraction, sample_size) * self.steps


def _path_norm(weights: PathWeights) -> Scalar:
    """sum_jk |outer_jk| (|inner_j|_1 + |biases_j|), differentiable almost everywhere."""
    return (weights.outer.abs().sum(dim=1) * (weights.inner.abs().sum(dim=1) + weights.biases.abs())).sum()
