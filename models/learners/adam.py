"""Adam with decoupled weight decay, averaged iterates and early stopping: the practical learner for networks."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from models.arrays import Parameters, Scalar
from models.batched_training.early_stopping import Runs, train_together
from models.batched_training.stacking import StackableSpace
from models.batched_training.steps import updates_of_a_step
from models.checkpoints import NO_CHECKPOINTS, Checkpoints
from models.early_stopping import Trained, Watch, held_for_validation, likely_runs, train
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Advance, Details, Fitted, GradientClip, Learner, TrainingPrecision
from models.minibatch_descent import Minibatches, Schedule, adam_updater, descend, scheduled
from models.optimisation import Opening, empirical_risk, opened
from models.randomness import Randomness
from models.risks import EVALUATION_BLOCK
from models.samples import Sample

DECAY_CANDIDATES = (0.0, 0.03, 0.3, 3.0)
"""What the validation rows choose from without a `weight_decay`: none, and three that differ tenfold."""


class Adam(Learner):
    """Adam (betas 0.9 and 0.999) on minibatches of the empirical risk, weight decay decoupled from the gradient.

    A pass takes the rows in a random order and leaves out the last incomplete batch. `schedule` lowers the learning
    rate over `steps`. What is returned is a running average of the iterates, a member of the same space whose risk
    does not jump with the last minibatches. Training runs in `precision`; parameters come back in the sample's.

    Early stopping: runs on a part of the sample, one for each weight decay that is tried, find the decay and the step
    with the smallest risk on the other part, a `validation_fraction` of the rows; a last run from the same start on
    the whole sample ends at that step. Decays are tried from small to large, none after one that is a tenth worse than
    the best. With fraction 0, or fewer than 20 rows to validate on, there is one run of all
    steps, without decay where none is given. `details` names what was used.

    In two-layer, deep and residual spaces all decays advance in one batch (models.batched_training) until that one is
    known, and a decay that diverges is none of them.
    """

    kind: Literal["adam"]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="Most steps (minibatches) of one run.")] = 8000
    learning_rate: Annotated[
        float | None,
        Field(
            gt=0, le=10, description="Step size at the start; None: 0.2 / sqrt(longest side of a parameter), <= 0.03."
        ),
    ] = None
    batch_size: Annotated[int | None, Field(ge=1, le=1_000_000, description="Rows a step; None: min(n, 128).")] = None
    schedule: Annotated[Schedule, Field(description="Learning rate over the steps.")] = "cosine"
    weight_decay: Annotated[
        float | None,
        Field(
            ge=0, le=10, description="Decoupled: theta shrinks by rate x this; None: 0, 0.03, 0.3 or 3 by validation."
        ),
    ] = None
    averaging: Annotated[
        float, Field(ge=0, lt=1, description="Weight of the past in the average of iterates; 0: the last iterate.")
    ] = 0.998
    gradient_clip: GradientClip = None
    validation_fraction: Annotated[
        float, Field(ge=0, le=0.5, description="Part of the sample that chooses decay and step; 0: no choice.")
    ] = 0.2
    precision: TrainingPrecision = "float32"

    uses_torch_optimiser: ClassVar[bool] = True
    statement: ClassVar[str] = "θₖ₊₁ = θₖ − ηₖ (m̂ₖ / (√v̂ₖ + ε) + λ θₖ)"
    formula: ClassVar[str] = (
        r"\begin{split} g_k &= \nabla R_B(\theta_k), \quad m_{k+1} = \beta_1 m_k + (1 - \beta_1)\, g_k, \quad "
        r"v_{k+1} = \beta_2 v_k + (1 - \beta_2)\, g_k^2, \\ \theta_{k+1} &= \theta_k - \eta_k \left(\frac{m_{k+1} / "
        r"(1 - \beta_1^{k+1})}{\sqrt{v_{k+1} / (1 - \beta_2^{k+1})} + \varepsilon} + \lambda \theta_k\right), \quad "
        r"\beta = (0.9,\, 0.999) \end{split}"
    )
    reference: ClassVar[str] = "kingma2015adam"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "adam", "steps": 200},
        {"kind": "adam", "steps": 100, "learning_rate": 1e-3, "batch_size": 32, "validation_fraction": 0.0},
        {"kind": "adam", "steps": 100, "weight_decay": 0.01, "averaging": 0.0, "gradient_clip": 10.0},
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
        """Train. Randomness: the draw of the space; streams `batches` and `validation_rows`."""
        opening = opened(space, sample, randomness, start, self.precision)
        trained = (
            self.train_together(space, opening, randomness, advance, checkpoints=checkpoints)
            if isinstance(space, StackableSpace)
            else self.train_one_after_another(opening, randomness, advance, checkpoints)
        )
        details: Details = {
            "batch_size": self._batch_rows(sample.size),
            "learning_rate": self._first_rate(space, opening.start),
            "weight_decay": trained.candidate,
            "steps": trained.last_step,
        }
        return Fitted(opening.closed(trained.parameters), tuple(trained.curve.points), details)

    def train_together(
        self,
        space: StackableSpace,
        opening: Opening,
        randomness: Randomness,
        advance: Advance,
        compiled: bool = True,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> Trained[float]:
        """All candidates in one batch (models.batched_training), without the compiled kernel if not `compiled`."""
        rate = self._first_rate(space, opening.start)
        runs = Runs(
            decays=self._decays(opening.data.size),
            rate=rate,
            steps=self.steps,
            batch_size=self._batch_rows(opening.data.size),
            schedule=self.schedule,
            averaging=self.averaging,
            gradient_clip=self.gradient_clip,
            advice=_advice(rate),
            compiled=compiled,
        )
        return train_together(space, opening, runs, self.validation_fraction, randomness, advance, checkpoints)

    def train_one_after_another(
        self,
        opening: Opening,
        randomness: Randomness,
        advance: Advance,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> Trained[float]:
        """In any space, by autograd."""
        rate = self._first_rate(opening.space, opening.start)

        def run(decay: float, watch: Watch) -> Parameters:
            def objective(step: int, theta: Parameters, batch: Sample) -> Scalar:
                value = empirical_risk(opening.evaluate(theta, batch.inputs), batch.labels)
                watch.curve.check(step, float(value.detach()))
                return value

            return descend(
                opening.start,
                opening.space.trainable,
                objective,
                Minibatches(watch.data, self._batch_rows(watch.data.size), randomness.generator("batches")),
                adam_updater(lambda step: rate * scheduled(self.schedule, step, self.steps), decay),
                watch.ends,
                averaging=self.averaging,
                gradient_clip=self.gradient_clip,
                first_step=watch.first_step,
                begun=watch.begun,
            )

        return train(
            run,
            opening,
            self._decays(opening.data.size),
            steps=self.steps,
            validation_fraction=self.validation_fraction,
            randomness=randomness,
            advance=advance,
            advice=_advice(rate),
            checkpoints=checkpoints,
        )

    def _first_rate(self, space: HypothesisSpace, start: Parameters) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        # A step moves each of m coefficients by about the rate, so that wider sums move further.
        longest = max(max(start[name].shape, default=1) for name in space.trainable)
        return min(0.03, 0.2 / math.sqrt(max(longest, 1)))

    def _decays(self, sample_size: int) -> tuple[float, ...]:
        """What is tried; the first is what holds without validation."""
        if self.weight_decay is not None:
            return (self.weight_decay,)
        return DECAY_CANDIDATES if held_for_validation(self.validation_fraction, sample_size) else (0.0,)

    def _batch_rows(self, sample_size: int) -> int:
        return min(sample_size, 128 if self.batch_size is None else self.batch_size)

    def rows_at_once(self, sample_size: int) -> int:
        """One batch, or one block of the learning curve."""
        return min(sample_size, max(self._batch_rows(sample_size), EVALUATION_BLOCK))

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Three evaluations of the batch a step, and the learning curve; one run more for each weight decay tried."""
        rows = 3.0 * self.steps * self._batch_rows(sample_size) + 100.0 * sample_size
        return self._runs(sample_size) * rows * space.flops_per_row(input_dimension, output_dimension)

    def update_count(self, space: HypothesisSpace, sample_size: int) -> float:
        """All steps of all runs that are likely; those of a batch count once, at what the batch costs."""
        if isinstance(space, StackableSpace):
            return updates_of_a_step(space) * self.steps * likely_runs(self.validation_fraction, sample_size)
        return self._runs(sample_size) * self.steps

    def batched_runs(self, space: HypothesisSpace, sample_size: int) -> int:
        """All decays that are tried, where networks train together."""
        return len(self._decays(sample_size)) if isinstance(space, StackableSpace) else 0

    def _runs(self, sample_size: int) -> float:
        return likely_runs(self.validation_fraction, sample_size, len(self._decays(sample_size)))


def _advice(rate: float) -> str:
    return f"The learning rate is {rate:.3g}; try a tenth of it."
