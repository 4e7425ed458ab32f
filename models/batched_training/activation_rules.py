"""The activations of two-layer spaces with their derivatives, written for buffers that are used again at every step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.activations import Activation

aten = torch.ops.aten


@dataclass(frozen=True)
class ActivationRule:
    """sigma in place, and the product of sigma' with what comes from above.

    `apply(z, spare)` returns sigma(z), in `z` itself where `keeps_preactivations` is false, else in `spare`.
    `pull_back(upstream, z, h, out)` writes sigma'(z) * upstream to `out`, which may be `z`; `h` is sigma(z), and
    `upstream` may be broadcast over the neurons.
    """

    keeps_preactivations: bool
    apply: Callable[[Tensor, Tensor], Tensor]
    pull_back: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def _relu(upstream: Tensor, z: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return aten.threshold_backward.grad_input(upstream, h, 0, grad_input=out)


def _sigmoid(upstream: Tensor, z: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return aten.sigmoid_backward.grad_input(upstream, h, grad_input=out)


def _tanh(upstream: Tensor, z: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return aten.tanh_backward.grad_input(upstream, h, grad_input=out)


def _gelu(upstream: Tensor, z: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return aten.gelu_backward.grad_input(upstream, z, approximate="tanh", grad_input=out)


def _cosine(upstream: Tensor, z: Tensor, h: Tensor, out: Tensor) -> Tensor:
    sines = torch.sin(z, out=h)
    return torch.mul(sines.neg_(), upstream, out=out)


ACTIVATION_RULES: dict[Activation, ActivationRule] = {
    "relu": ActivationRule(False, lambda z, spare: z.relu_(), _relu),
    "sigmoid": ActivationRule(False, lambda z, spare: z.sigmoid_(), _sigmoid),
    "tanh": ActivationRule(False, lambda z, spare: z.tanh_(), _tanh),
    "gelu": ActivationRule(True, lambda z, spare: aten.gelu.out(z, approximate="tanh", out=spare), _gelu),
    "cosine": ActivationRule(True, lambda z, spare: torch.cos(z, out=spare), _cosine),
}
