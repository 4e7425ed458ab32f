"""Limited-memory BFGS on the full sample: a quasi-Newton learner for smooth problems and small samples."""

from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Parameters
from models.checkpoints import NO_CHECKPOINTS, Checkpoints, State, fill, number, part
from models.early_stopping import Watch, likely_runs, train
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Advance, Fitted, Learner, TrainingPrecision, ValidationFraction, WeightDecay
from models.optimisation import Opening, empirical_risk, opened
from models.randomness import Randomness
from models.samples import Sample

EVALUATIONS = 25
"""Most evaluations of the objective in one line search."""


NUMBERS = ("func_evals", "n_iter", "t", "H_diag")
VECTORS = ("d", "prev_flat_grad")
PAIRS = ("old_dirs", "old_stps", "ro")
"""The memory of torch.optim.LBFGS between two steps. It begins where `n_iter` is 0 or absent."""


class Lbfgs(Learner):
    """L-BFGS with a line search for the strong Wolfe conditions on R_n(f) + (weight_decay/2) |theta|^2.

    In a linear space that is the objective of `ridge` with penalty weight_decay / 2. Every step is on the whole sample;
    a step from which no line search leads down leaves the parameters where they are. A ReLU's kinks only slow it.
    There is no batch size, schedule or clipping: the pairs need one objective, and the line search sets every step.

    Early stopping: a first run on a part of the sample finds the step with the smallest risk on the other part, a
    `validation_fraction` of the rows; a second run from the same start on the whole sample ends at that step. With
    fraction 0, or fewer than 20 rows to validate on, there is one run of all steps. `details` names the step.
    """

    kind: Literal["lbfgs"]
    steps: Annotated[int, Field(ge=1, le=1_000_000, description="Most steps of one run.")] = 500
    history: Annotated[int, Field(ge=1, le=1000, description="Pairs of steps and gradient changes kept.")] = 20
    weight_decay: WeightDecay = 0.0
    validation_fraction: ValidationFraction = 0.2
    precision: TrainingPrecision = "float64"

    uses_torch_optimiser: ClassVar[bool] = True
    statement: ClassVar[str] = "θₖ₊₁ = θₖ − ηₖ Hₖ ∇(R_n + (λ/2)‖θ‖²)(θₖ),  Hₖ from the last pairs, ηₖ strong Wolfe"
    formula: ClassVar[str] = (
        r"\begin{split} \theta_{k+1} &= \theta_k + \eta_k p_k, \quad p_k = {-H_k} \nabla J(\theta_k), \quad "
        r"J(\theta) = R_n(\theta) + \frac{\lambda}{2} \|\theta\|^2, \\ J(\theta_{k+1}) &\le J(\theta_k) + 10^{-4}\, "
        r"\eta_k\, p_k \cdot \nabla J(\theta_k), \quad |p_k \cdot \nabla J(\theta_{k+1})| \le 0.9\, |p_k \cdot "
        r"\nabla J(\theta_k)| \end{split}"
    )
    reference: ClassVar[str] = "liu1989limited"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "lbfgs", "steps": 30},
        {"kind": "lbfgs", "steps": 20, "weight_decay": 2e-4, "validation_fraction": 0.0},
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
        """Train. Randomness: the draw of the space; stream `validation_rows`."""
        opening = opened(space, sample, randomness, start, self.precision)
        trained = train(
            lambda _, watch: self._run(opening, watch),
            opening,
            [None],
            steps=self.steps,
            validation_fraction=self.validation_fraction,
            randomness=randomness,
            advance=advance,
            advice="Standardise the sample, or give a weight decay.",
            checkpoints=checkpoints,
        )
        return Fitted(opening.closed(trained.parameters), tuple(trained.curve.points), {"steps": trained.last_step})

    def _run(self, opening: Opening, watch: Watch) -> Parameters:
        parameters, data = {name: value.clone() for name, value in opening.start.items()}, watch.data
        moving = [parameters[name].requires_grad_() for name in opening.space.trainable]
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
            value = empirical_risk(opening.evaluate(parameters, data.inputs), data.labels)
            if self.weight_decay:
                value = value + self.weight_decay / 2 * torch.stack([(moved**2).sum() for moved in moving]).sum()
            gradients = torch.autograd.grad(value, moving, materialize_grads=True)
            for moved, gradient in zip(moving, gradients, strict=True):
                moved.grad = gradient
            return value.detach()

        iterates = {name: parameters[name].detach() for name in opening.space.trainable}
        step, memory = watch.first_step, optimizer.state[moving[0]]
        if watch.begun is not None:
            fill(iterates, watch.begun)
            memory.update(_restored(watch.begun, moving[0]))
        while not watch.ends(step, parameters, lambda: {**iterates, **_state(memory)}):
            value = optimizer.step(objective)
            watch.curve.check(step, float(value))
            step += 1
        return {name: value.detach() for name, value in parameters.items()}

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Four evaluations of the sample and its gradient for each pair of steps; twice with early stopping."""
        runs = likely_runs(self.validation_fraction, sample_size)
        evaluations = 3.0 * 1.3 * self.steps + 100.0
        return runs * evaluations * sample_size * space.flops_per_row(input_dimension, output_dimension)

    def update_count(self, space: HypothesisSpace, sample_size: int) -> float:
        """All steps of all runs that are likely; the pairs of history cost about as much again as the evaluations."""
        return 2.0 * likely_runs(self.validation_fraction, sample_size) * self.steps


def _state(memory: dict[str, Any]) -> State:
    """What torch.optim.LBFGS remembers, where there is something; numbers of which some are tensors, and lists."""
    kept = {name: number(float(memory[name])) for name in NUMBERS if name in memory}
    vectors = {name: memory[name] for name in VECTORS if name in memory}
    pairs = {f"{name}/{index}": one for name in PAIRS for index, one in enumerate(memory.get(name, []))}
    return {**kept, **vectors, **pairs}


def _restored(state: State, like: Tensor) -> dict[str, Any]:
    """The memory of a `_state`, beside `like`."""
    memory: dict[str, Any] = {name: state[name].item() for name in NUMBERS if name in state}
    memory |= {name: state[name].to(like.device, copy=True) for name in VECTORS if name in state}
    if "d" in memory:
        lists = {name: part(name, state) for name in PAIRS}
        memory |= {
            name: [found[str(index)].to(like.device, copy=True) for index in range(len(found))]
            for name, found in lists.items()
        }
    return memory
