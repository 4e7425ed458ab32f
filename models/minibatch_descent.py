"""The loop that first-order learners share: minibatches, step sizes over time, clipped gradients, averaged iterates."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import torch
from torch import Tensor

from models.arrays import Parameters, Scalar
from models.checkpoints import State, fill, named, number, part
from models.samples import Sample

Schedule = Literal["cosine", "constant", "inverse_sqrt"]


class Update(Protocol):
    """Moves the parameters that it was made for."""

    def __call__(self, step: int, gradients: list[Tensor]) -> None:
        """One step, in place."""

    def state(self) -> State:
        """What it remembers of the steps before."""

    def restore(self, state: State) -> None:
        """Go on from a `state()`."""


def scheduled(schedule: Schedule, step: int, total: int) -> float:
    """Factor of the step size at `step` of `total`: 1 at the start.

    cosine: (1 + cos(pi step/total))/2, 0 at the end. inverse_sqrt: (1 + step)^{-1/2}. constant: 1.
    """
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * step / total))
    return 1.0 if schedule == "constant" else 1 / math.sqrt(1 + step)


class Minibatches(Iterator[Sample]):
    """Without end: passes over the rows in random orders, each without its last incomplete batch.

    The whole sample, in its own order and without a draw, where `size` is n.
    """

    def __init__(self, data: Sample, size: int, generator: torch.Generator) -> None:
        """Batches of `size` rows; `generator` (CPU) draws an order for each pass."""
        self._data = data
        self._size = size
        self._generator = generator
        self._before = generator.get_state()
        self._order: Tensor | None = None
        self._next = 0

    def __next__(self) -> Sample:
        data, size = self._data, self._size
        if size == data.size:
            return data
        order = self._order
        if order is None or self._next + size > data.size:
            order = self._draw()
        chosen = order[self._next : self._next + size]
        self._next += size
        return Sample(data.inputs[chosen], data.labels[chosen])

    def _draw(self) -> Tensor:
        self._before, self._next = self._generator.get_state(), 0
        order = torch.randperm(self._data.size, generator=self._generator)
        self._order = order.to(self._data.inputs.device)
        return self._order

    def state(self) -> State:
        """The generator before it drew the order of this pass, and the rows that were taken: -1 before the first."""
        return {"generator": self._before, "rows": number(-1 if self._order is None else self._next)}

    def restore(self, state: State) -> None:
        """Go on from a `state()`."""
        self._generator.set_state(state["generator"])
        rows = int(state["rows"])
        if rows >= 0:
            self._draw()
            self._next = rows


def clip_together(gradients: list[Tensor], largest_norm: float) -> None:
    """Scale all gradients by one factor, in place, so that their joint l2 norm is at most `largest_norm`."""
    norm = float(torch.linalg.vector_norm(torch.stack([gradient.norm() for gradient in gradients])))
    if norm > largest_norm:
        torch._foreach_mul_(gradients, largest_norm / norm)


def descend(
    start: Parameters,
    trainable: tuple[str, ...],
    objective: Callable[[int, Parameters, Sample], Scalar],
    batches: Minibatches,
    updater: Callable[[list[Tensor]], Update],
    ends: Callable[[int, Parameters, Callable[[], State]], bool],
    *,
    averaging: float = 0.0,
    gradient_clip: float | None = None,
    first_step: int = 0,
    begun: State | None = None,
) -> Parameters:
    """Move a copy of `start` along gradients of `objective(step, theta, batch)` until `ends`.

    `ends(step, theta, state)` sees the parameters after each number of steps, 0 included, and does the caller's
    bookkeeping. With `averaging` b > 0 what is seen and returned is the running average
    A_{k+1} = b_k A_k + (1 - b_k) theta_{k+1}, b_k = min(b, (1 + k)/(10 + k)), so that short runs forget their start.
    `begun`: what `state()` gave after `first_step` steps of the same run, to go on from.
    """
    parameters = {name: value.clone() for name, value in start.items()}
    moving = [parameters[name].requires_grad_() for name in trainable]
    iterates = [value.detach() for value in moving]
    averages = [value.clone() for value in iterates] if averaging else iterates
    seen = {**parameters, **dict(zip(trainable, averages, strict=True))}
    update = updater(moving)

    places = named("iterate", dict(zip(trainable, iterates, strict=True)))
    if averaging:
        places = {**places, **named("average", dict(zip(trainable, averages, strict=True)))}
    if begun is not None:
        fill(places, begun)
        update.restore(part("update", begun))
        batches.restore(part("batches", begun))

    def state() -> State:
        return {**places, **named("update", update.state()), **named("batches", batches.state())}

    for step in itertools.count(first_step):
        if ends(step, seen, state):
            break
        value = objective(step, parameters, next(batches))
        gradients = list(torch.autograd.grad(value, moving, materialize_grads=True))
        if gradient_clip is not None:
            clip_together(gradients, gradient_clip)
        update(step, gradients)
        if averaging:
            torch._foreach_lerp_(averages, iterates, 1 - min(averaging, (1 + step) / (10 + step)))
    return {name: value.detach() for name, value in seen.items()}


class AdamUpdate:
    """Adam (betas 0.9 and 0.999, epsilon 1e-8) at `rate(step)`, weight decay decoupled from the gradient."""

    def __init__(self, moving: list[Tensor], rate: Callable[[int], float], weight_decay: float) -> None:
        self._moving = moving
        self._rate = rate
        self._optimizer = torch.optim.AdamW(moving, lr=rate(0), weight_decay=weight_decay, fused=True)

    def __call__(self, step: int, gradients: list[Tensor]) -> None:
        """One step, in place."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(step)
        for value, gradient in zip(self._moving, gradients, strict=True):
            value.grad = gradient
        self._optimizer.step()

    def state(self) -> State:
        """The moments of each parameter and its number of steps; nothing before the first."""
        kept = [named(str(index), self._optimizer.state[value]) for index, value in enumerate(self._moving)]
        return {name: value for one in kept for name, value in one.items()}

    def restore(self, state: State) -> None:
        """Go on from a `state()`."""
        for index, value in enumerate(self._moving):
            # Laid out in memory as the optimiser would have, so that its kernel rounds as before.
            self._optimizer.state[value] = {
                name: torch.empty_like(
                    value if kept.shape == value.shape else kept, dtype=kept.dtype, device=value.device
                ).copy_(kept)
                for name, kept in part(str(index), state).items()
            }


def adam_updater(rate: Callable[[int], float], weight_decay: float = 0.0) -> Callable[[list[Tensor]], Update]:
    """See AdamUpdate."""
    return lambda moving: AdamUpdate(moving, rate, weight_decay)


class PlainUpdate:
    """v <- momentum v + gradient + weight_decay theta, then theta <- theta - rate(step) v, from v = 0."""

    def __init__(
        self, moving: list[Tensor], rate: Callable[[int], float], weight_decay: float, momentum: float
    ) -> None:
        self._moving = moving
        self._rate = rate
        self._weight_decay = weight_decay
        self._momentum = momentum
        self._velocities = [torch.zeros_like(value) for value in moving] if momentum else []

    def __call__(self, step: int, gradients: list[Tensor]) -> None:
        """One step, in place."""
        with torch.no_grad():
            if self._weight_decay:
                gradients = list(torch._foreach_add(gradients, self._moving, alpha=self._weight_decay))
            if self._momentum:
                torch._foreach_mul_(self._velocities, self._momentum)
                torch._foreach_add_(self._velocities, gradients)
                gradients = self._velocities
            for value, gradient in zip(self._moving, gradients, strict=True):
                # The product first, as gradient descent rounds it; add_ with alpha may fuse the two.
                value.sub_(self._rate(step) * gradient)

    def state(self) -> State:
        """The velocities."""
        return {str(index): value for index, value in enumerate(self._velocities)}

    def restore(self, state: State) -> None:
        """Go on from a `state()`."""
        fill(self.state(), state)


def plain_updater(
    rate: Callable[[int], float], weight_decay: float = 0.0, momentum: float = 0.0
) -> Callable[[list[Tensor]], Update]:
    """See PlainUpdate."""
    return lambda moving: PlainUpdate(moving, rate, weight_decay, momentum)
