"""The loop that first-order learners share: minibatches, step sizes over time, clipped gradients, averaged iterates."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor

from models.arrays import Parameters, Scalar
from models.samples import Sample

Schedule = Literal["cosine", "constant", "inverse_sqrt"]
Update = Callable[[int, list[Tensor]], None]
"""`update(step, gradients)` moves the parameters that it was made for, in place."""


def scheduled(schedule: Schedule, step: int, total: int) -> float:
    """Factor of the step size at `step` of `total`: 1 at the start.

    cosine: (1 + cos(pi step/total))/2, 0 at the end. inverse_sqrt: (1 + step)^{-1/2}. constant: 1.
    """
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * step / total))
    return 1.0 if schedule == "constant" else 1 / math.sqrt(1 + step)


def minibatches(data: Sample, size: int, generator: torch.Generator) -> Iterator[Sample]:
    """Without end: passes over the rows in random orders, each without its last incomplete batch.

    The whole sample, in its own order and without a draw, where `size` is n.
    """
    while True:
        if size == data.size:
            yield data
            continue
        order = torch.randperm(data.size, generator=generator).to(data.inputs.device)
        for first in range(0, data.size - size + 1, size):
            chosen = order[first : first + size]
            yield Sample(data.inputs[chosen], data.labels[chosen])


def clip_together(gradients: list[Tensor], largest_norm: float) -> None:
    """Scale all gradients by one factor, in place, so that their joint l2 norm is at most `largest_norm`."""
    norm = float(torch.linalg.vector_norm(torch.stack([gradient.norm() for gradient in gradients])))
    if norm > largest_norm:
        torch._foreach_mul_(gradients, largest_norm / norm)


def descend(
    start: Parameters,
    trainable: tuple[str, ...],
    objective: Callable[[int, Parameters, Sample], Scalar],
    batches: Iterator[Sample],
    updater: Callable[[list[Tensor]], Update],
    ends: Callable[[int, Parameters], bool],
    *,
    averaging: float = 0.0,
    gradient_clip: float | None = None,
) -> Parameters:
    """Move a copy of `start` along gradients of `objective(step, theta, batch)` until `ends`.

    `ends(step, theta)` sees the parameters after each number of steps, 0 included, and does the caller's bookkeeping.
    With `averaging` b > 0 what is seen and returned is the running average
    A_{k+1} = b_k A_k + (1 - b_k) theta_{k+1}, b_k = min(b, (1 + k)/(10 + k)), so that short runs forget their start.
    """
    parameters = {name: value.clone() for name, value in start.items()}
    moving = [parameters[name].requires_grad_() for name in trainable]
    iterates = [value.detach() for value in moving]
    averages = [value.clone() for value in iterates] if averaging else iterates
    seen = {**parameters, **dict(zip(trainable, averages, strict=True))}
    update = updater(moving)
    for step in itertools.count():
        if ends(step, seen):
            break
        value = objective(step, parameters, next(batches))
        gradients = list(torch.autograd.grad(value, moving, materialize_grads=True))
        if gradient_clip is not None:
            clip_together(gradients, gradient_clip)
        update(step, gradients)
        if averaging:
            torch._foreach_lerp_(averages, iterates, 1 - min(averaging, (1 + step) / (10 + step)))
    return {name: value.detach() for name, value in seen.items()}


def adam_updater(rate: Callable[[int], float], weight_decay: float = 0.0) -> Callable[[list[Tensor]], Update]:
    """Adam (betas 0.9 and 0.999, epsilon 1e-8) at `rate(step)`, weight decay decoupled from the gradient."""

    def made_for(moving: list[Tensor]) -> Update:
        optimizer = torch.optim.AdamW(moving, lr=rate(0), weight_decay=weight_decay, fused=True)

        def update(step: int, gradients: list[Tensor]) -> None:
            for group in optimizer.param_groups:
                group["lr"] = rate(step)
            for value, gradient in zip(moving, gradients, strict=True):
                value.grad = gradient
            optimizer.step()

        return update

    return made_for


def plain_updater(
    rate: Callable[[int], float], weight_decay: float = 0.0, momentum: float = 0.0
) -> Callable[[list[Tensor]], Update]:
    """v <- momentum v + gradient + weight_decay theta, then theta <- theta - rate(step) v, from v = 0."""

    def made_for(moving: list[Tensor]) -> Update:
        velocities = [torch.zeros_like(value) for value in moving] if momentum else []

        def update(step: int, gradients: list[Tensor]) -> None:
            with torch.no_grad():
                if weight_decay:
                    gradients = list(torch._foreach_add(gradients, moving, alpha=weight_decay))
                if momentum:
                    torch._foreach_mul_(velocities, momentum)
                    torch._foreach_add_(velocities, gradients)
                    gradients = velocities
                for value, gradient in zip(moving, gradients, strict=True):
                    # The product first, as gradient descent rounds it; add_ with alpha may fuse the two.
                    value.sub_(rate(step) * gradient)

        return update

    return made_for
