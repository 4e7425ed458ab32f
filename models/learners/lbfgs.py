"""Limited-memory BFGS on the full sample: a quasi-Newton learner for smooth problems and small samples."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Outputs, Parameters
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Advance, Fitted, Learner
from models.optimisation import (
    EarlyStopping,
    LearningCurve,
    empirical_risk,
    held_for_validation,
    parted,
    prepared,
    starting_parameters,
)
from models.randomness import Randomness
from models.samples import Sample

EVALUATIONS = 25
"""Most evaluations of the objective in one line search."""

Evaluate = Callable[[Parameters, Tensor], Outputs]


class Lbfgs(Learner):
    """L-BFGS with a line search for the strong Wolfe conditions on R_n(f) + penalty |theta|^2.

    The penalty is on the trainable parameters. Every step is on the whole sample; a step from which no line search
    leads down leaves the parameters where they are. A ReLU's kinks only slow it.

    Early stopping: a first run on a part of the sample finds the step with the smallest risk on the other part, a
    `validation_fraction` of the rows; a second run from the same start on the whole sample ends at that step. With
    fraction 0, or fewer than 20 rows to validate on, there is one run of all steps. `details` names the step.
    """

    kind: Literal["lbfgs"]
    steps: Annotated[int, Field(ge=1, le=1_000_000, description="Most steps of one run.")] = 500
    history: Annotated[int, Field(ge=1, le=1000, description="Pairs of steps and gradient changes kept.")] = 20
    penalty: Annotated[float, Field(ge=0, le=1e12, description="Penalty on |theta|^2.")] = 0.0
    validation_fraction: Annotated[
        float, Field(ge=0, le=0.5, description="Part of the sample that chooses the step to stop at; 0: no stopping.")
    ] = 0.2
    precision: Annotated[Literal["float32", "float64"], Field(description="Arithmetic of training.")] = "float64"

    statement: ClassVar[str] = "θₖ₊₁ = θₖ − ηₖ Hₖ ∇(R_n + λ‖θ‖²)(θₖ),  Hₖ from the last pairs, ηₖ strong Wolfe"
    reference: ClassVar[str] = "liu1989limited"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "lbfgs", "steps": 30},
        {"kind": "lbfgs", "steps": 20, "penalty": 1e-4, "validation_fraction": 0.0},
    )

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
    ) -> Fitted:
        """Train. Randomness: the draw of the space; stream `validation_rows`."""
        dtype = getattr(torch, self.precision)
        exact = starting_parameters(space, sample, randomness, start)
        begun = {name: value.to(dtype) for name, value in exact.items()}
        rows, evaluate = prepared(space, begun, sample.inputs.to(dtype))
        data = Sample(rows, sample.labels.to(dtype))
        last_step, done = self.steps, 0
        if held := held_for_validation(self.validation_fraction, sample.size):
            training, validation = parted(data, held, randomness)
            stopping = EarlyStopping(evaluate, validation, self.steps)
            self._run(space, training, begun, evaluate, lambda k: advance(k, 2 * self.steps), self.steps, stopping)
            last_step, done = max(1, stopping.best_step), stopping.last_seen_step
        learnt, curve = self._run(
            space, data, begun, evaluate, lambda k: advance(done + k, done + last_step), last_step, None
        )
        parameters = {**exact, **{name: learnt[name].to(sample.inputs) for name in space.trainable}}
        return Fitted(parameters, tuple(curve.points), {"steps": last_step})

    def _run(
        self,
        space: HypothesisSpace,
        data: Sample,
        begun: Parameters,
        evaluate: Evaluate,
        report: Callable[[int], None],
        last_step: int,
        stopping: EarlyStopping | None,
    ) -> tuple[Parameters, LearningCurve]:
        parameters = {name: value.clone() for name, value in begun.items()}
        moving = [parameters[name].requires_grad_() for name in space.trainable]
        optimizer = torch.optim.LBFGS(
            moving,
            max_iter=1,
            max_eval=EVALUATIONS,
            history_size=self.history,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

        def objective() -> Tensor:
            value = empirical_risk(evaluate(parameters, data.inputs), data.labels)
            if self.penalty:
                value = value + self.penalty * torch.stack([(part**2).sum() for part in moving]).sum()
            gradients = torch.autograd.grad(value, moving, materialize_grads=True)
            for part, gradient in zip(moving, gradients, strict=True):
                part.grad = gradient
            return value.detach()

        curve = LearningCurve(last_step, data.labels, "Standardise the sample, or give a penalty.")
        for step in range(last_step + 1):
            report(step)
            if curve.due(step):
                with torch.no_grad():
                    curve.record(step, float(empirical_risk(evaluate(parameters, data.inputs), data.labels)))
            if step == last_step or (stopping is not None and stopping.ends(step, parameters)):
                break
            optimizer.step(objective)
        return {name: value.detach() for name, value in parameters.items()}, curve

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Four evaluations of the sample and its gradient for each pair of steps; twice with early stopping."""
        runs = 2 if held_for_validation(self.validation_fraction, sample_size) else 1
        evaluations = 3.0 * 1.3 * self.steps + 100.0
        return runs * evaluations * sample_size * space.flops_per_row(input_dimension, output_dimension)
