"""Adam over stacked networks that differ in learning rate and weight decay."""

from collections.abc import Sequence

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class FusedAdam:
    """theta_b <- (1 - s eta_b lambda_b) theta_b - s eta_b m / (sqrt(v) + epsilon), m and v corrected for their bias.

    Betas 0.9 and 0.999, epsilon 1e-8; s is the schedule's factor. torch's fused kernel, called once for each distinct
    pair (eta, lambda); equal pairs throughout are one pass over the whole tensors. Updates in place.
    """

    def __init__(self, moving: Sequence[Tensor], rates: Sequence[float], weight_decays: Sequence[float]) -> None:
        """`moving`: tensors whose first axis runs over the B networks, contiguous."""
        self._gradients = [torch.zeros_like(values) for values in moving]
        moments = [[torch.zeros_like(values) for values in moving] for _ in range(2)]
        tensors = [list(moving), self._gradients, *moments]
        pairs = list(zip(rates, weight_decays, strict=True))
        self._calls = []
        for pair in dict.fromkeys(pairs):
            if len(set(pairs)) == 1:
                parts = tensors
            else:
                chosen = [index for index, other in enumerate(pairs) if other == pair]
                parts = [[values[index] for values in kind for index in chosen] for kind in tensors]
            steps = [torch.zeros((), device=moving[0].device) for _ in parts[0]]
            self._calls.append((pair, parts, steps))

    @property
    def gradients(self) -> list[Tensor]:
        """Where the gradients of a step are put, in the order and shape of `moving`."""
        return self._gradients

    def step(self, factor: float) -> None:
        """One update with learning rates `factor` * eta."""
        for (rate, decay), (parameters, gradients, first, second), steps in self._calls:
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                parameters, gradients, first, second, [], steps, lr=factor * rate, beta1=BETAS[0], beta2=BETAS[1],
                weight_decay=decay, eps=EPSILON, amsgrad=False, maximize=False,
            )  # fmt: skip
