"""How a batch of networks moves: Adam over consecutive steps, by torch or by the compiled kernel."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.batched_training.compiled import PackedRows, ReluKernel, relu_kernel
from models.batched_training.deep_gradients import DeepGradients
from models.batched_training.fused_adam import BETAS, FusedAdam
from models.batched_training.gradients import Gradients
from models.batched_training.residual_gradients import ResidualGradients
from models.batched_training.rows import StackedRows, Stretch
from models.batched_training.stacking import StackableSpace, StackedParameters
from models.batched_training.two_layer_gradients import TwoLayerGradients
from models.checkpoints import State, numbered
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.residual import Residual
from models.hypothesis_spaces.two_layer import TwoLayer
from models.minibatch_descent import Schedule, scheduled

Watcher = Callable[[], list[float]]
"""The risk of each network, when it is called, on rows that were given before; nan for those that do not move."""


@dataclass(frozen=True)
class Course:
    """Rates and decoupled decays of the networks, and what is common to all: `total` is that of the schedule."""

    rates: Sequence[float]
    weight_decays: Sequence[float]
    schedule: Schedule
    total: int
    averaging: float
    gradient_clip: float | None

    def factor(self, step: int) -> float:
        """Of the rates."""
        return scheduled(self.schedule, step, self.total)

    def fresh(self, step: int) -> float:
        """What the average takes from the iterate after `step`."""
        return 1 - min(self.averaging, (1 + step) / (10 + step))


class TorchSteps:
    """Each step a handful of torch's operations, in any precision and place.

    `theta` moves in place; `seen` is the average, or theta itself.
    """

    def __init__(self, engine: Gradients, theta: StackedParameters, course: Course) -> None:
        self.theta = theta
        self.seen = theta.clone() if course.averaging else theta
        self._engine = engine
        self._course = course
        self._adam = FusedAdam(theta.tensors, course.rates, course.weight_decays)
        self.narrow(slice(0, theta.networks))

    def narrow(self, networks: slice) -> None:
        """From now on move these networks only."""
        self.networks = networks
        gradients = self.theta.like(self._adam.gradients)
        self._theta, self._seen, self._gradients = (one.part(networks) for one in (self.theta, self.seen, gradients))
        self._adam.narrow(networks)

    def state(self) -> State:
        """Everything that moves."""
        averages = self.seen.tensors if self._course.averaging else []
        return {**numbered("theta", self.theta.tensors), **numbered("average", averages), **self._adam.state()}

    def take(self, stretch: Stretch, first: int, count: int) -> None:
        """Steps first..first+count-1, each on its rows of `stretch`."""
        for step in range(first, first + count):
            self._engine.write(self._theta, stretch.at(step - first), self._gradients)
            if self._course.gradient_clip is not None:
                _clip(self._gradients, self._course.gradient_clip)
            self._adam.step(self._course.factor(step))
            if self._course.averaging:
                torch._foreach_lerp_(self._seen.tensors, self._theta.tensors, self._course.fresh(step))

    def watcher(self, rows: StackedRows, averaged: bool) -> Watcher:
        """Of what is seen, or else of theta."""
        return lambda: _placed(self._engine.risks(self._seen if averaged else self._theta, rows), self)


def _placed(risks: Tensor, moving: "TorchSteps | CompiledSteps") -> list[float]:
    placed = [math.nan] * moving.theta.networks
    placed[moving.networks] = risks.tolist()
    return placed


def _clip(gradients: StackedParameters, largest: float) -> None:
    """Scale the gradients of each network so that their joint l2 norm is at most `largest`."""
    squares = [values.square().flatten(1).sum(dim=1) for values in gradients.tensors]
    norms = torch.stack(squares).sum(dim=0).sqrt()
    factors = torch.where(norms > largest, largest / norms, 1.0)
    for values in gradients.tensors:
        values.mul_(factors.view(-1, *[1] * (values.ndim - 1)))


class CompiledSteps:
    """As TorchSteps, but many steps a call, one network after another, so that what moves stays in cache."""

    def __init__(self, kernel: ReluKernel, space: TwoLayer, theta: StackedParameters, course: Course) -> None:
        self.theta = theta
        self.seen = theta.clone() if course.averaging else theta
        self._kernel = kernel
        self._factor = space.factor
        self._course = course
        moments = [theta.like([torch.zeros_like(one) for one in theta.tensors]) for _ in BETAS]
        self._all = [theta, *moments, *([self.seen] if course.averaging else [])]
        self._scratch = theta["weights"].new_empty(kernel.scratch_size(*theta["weights"].shape[1:]))
        self._packed: PackedRows | None = None
        self.narrow(slice(0, theta.networks))

    def narrow(self, networks: slice) -> None:
        """From now on move these networks only."""
        self.networks = networks
        self._moving = [one.part(networks) for one in self._all]
        self._rates, self._decays = (
            torch.tensor(values[networks], dtype=torch.float32)
            for values in (self._course.rates, self._course.weight_decays)
        )

    def state(self) -> State:
        """Everything that moves."""
        names = ("theta", "first", "second", "average")
        parts = [numbered(name, one.tensors) for name, one in zip(names, self._all, strict=False)]
        return {name: values for one in parts for name, values in one.items()}

    def take(self, stretch: Stretch, first: int, count: int) -> None:
        """Steps first..first+count-1, each on its rows of `stretch`."""
        if self._packed is None or self._packed.of is not stretch.rows:
            self._packed = self._pack(stretch.rows)
        self._kernel.take_steps(
            self._moving, self._packed, stretch, self._courses(first, count), self._rates, self._decays,
            self._course.gradient_clip, self._scratch,
        )  # fmt: skip

    def watcher(self, rows: StackedRows, averaged: bool) -> Watcher:
        """Of what is seen, or else of theta."""
        packed = self._pack(rows)

        def risks() -> list[float]:
            squares = self._kernel.squares(
                (self.seen if averaged else self.theta).part(self.networks), packed, self._scratch
            )
            return _placed(squares * (packed.scale / 2), self)

        return risks

    def _pack(self, rows: StackedRows) -> PackedRows:
        return PackedRows(rows, self._factor, self._kernel.lanes)

    def _courses(self, first: int, count: int) -> Float[Tensor, "t 4"]:
        course, (one, two) = self._course, BETAS
        return torch.tensor(
            [
                (course.factor(step), 1 - one ** (step + 1), (1 - two ** (step + 1)) ** 0.5, course.fresh(step))
                for step in range(first, first + count)
            ],
            dtype=torch.float32,
        )


def engine_of(space: StackableSpace, theta: StackedParameters) -> Gradients:
    """Risks and gradients by torch's operations."""
    if isinstance(space, Deep):
        return DeepGradients(space, theta)
    return ResidualGradients(space, theta) if isinstance(space, Residual) else TwoLayerGradients(space, theta)


def steps_of(
    space: StackableSpace, theta: StackedParameters, course: Course, compiled: bool
) -> TorchSteps | CompiledSteps:
    """By the kernel if `compiled`, it is there, and it fits: two-layer relu, one output, float32 on the CPU."""
    if isinstance(space, TwoLayer):
        weights = theta["weights"]
        fits = space.activation == "relu" and theta["coefficients"].shape[1] == 1 and weights.dtype == torch.float32
        kernel = relu_kernel() if compiled and fits and weights.device.type == "cpu" else None
        if kernel is not None:
            return CompiledSteps(kernel, space, theta, course)
    return TorchSteps(engine_of(space, theta), theta, course)


def updates_of_a_step(space: StackableSpace) -> float:
    """The fixed cost of a step of a float32 batch with one output, in the unit of a learner's `update_count`.

    By a rough measurement; the plan's figures hold for the installation that makes it.
    """
    if not isinstance(space, TwoLayer):
        return 1.5 + 0.4 * space.depth
    compiled = space.activation == "relu" and relu_kernel() is not None
    return 0.15 if compiled else 1.7
