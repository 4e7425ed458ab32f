"""The largest curvature of a loss: what limits the step size of gradient descent."""

from collections.abc import Callable

import torch

from models.arrays import Parameters, Scalar

ITERATIONS = 30


def largest_curvature(
    loss: Callable[[Parameters], Scalar],
    parameters: Parameters,
    trainable: tuple[str, ...],
    generator: torch.Generator,
    iterations: int = ITERATIONS,
) -> float:
    """|lambda|_max of the Hessian in the trainable parameters by power iteration, a value from below.

    Gradient descent near a minimum is stable for step sizes below 2 / lambda_max. A ReLU counts with the Hessian that
    it has almost everywhere. `generator` (CPU) draws the first direction.
    """
    moving = [parameters[name].detach().requires_grad_() for name in trainable]
    value = loss({**parameters, **dict(zip(trainable, moving, strict=True))})
    gradients = torch.autograd.grad(value, moving, create_graph=True, materialize_grads=True)
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    if not flat.requires_grad:
        return 0.0
    direction = torch.randn(flat.numel(), generator=generator, dtype=torch.float64).to(flat)
    curvature = 0.0
    for _ in range(iterations):
        direction = direction / direction.norm()
        products = torch.autograd.grad(flat @ direction, moving, retain_graph=True, materialize_grads=True)
        direction = torch.cat([product.reshape(-1) for product in products]).detach()
        curvature = float(direction.norm())
        if curvature == 0.0:
            break
    return curvature
