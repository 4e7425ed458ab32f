"""Adam over stacked networks that differ in learning rate and weight decay."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.checkpoints import State, numbered

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class FusedAdam:
    """theta_b <- (1 - s eta_b lambda_b) theta_b - s eta_b m / (sqrt(v) + epsilon), m and v corrected for their bias.

    Betas 0.9 and 0.999, epsilon 1e-8; s is the schedule's factor. torch's fused kernel, called once for each distinct
    eta; one eta throughout is one pass over the whole tensors. Updates in place.
    """

    def __init__(self, moving: Sequence[Tensor], rates: Sequence[float], weight_decays: Sequence[float]) -> None:
        """`moving`: tensors whose first axis runs over the B networks, contiguous."""
        gradients, first, second = ([torch.zeros_like(values) for values in moving] for _ in range(3))
        self._gradients = gradients
        self._kinds = [list(moving), gradients, first, second]
        self._rates = list(rates)
        self._shrinking = [rate * decay for rate, decay in zip(rates, weight_decays, strict=True)]
        self._steps = torch.zeros((), device=moving[0].device)
        self.narrow(slice(0, len(self._rates)))

    def narrow(self, networks: slice) -> None:
        """From now on move these networks only."""
        kinds, rates = [[values[networks] for values in kind] for kind in self._kinds], self._rates[networks]
        self._calls = []
        for rate in dict.fromkeys(rates):
            parts = kinds
            if len(set(rates)) > 1:
                chosen = [index for index, other in enumerate(rates) if other == rate]
                parts = [[values[index] for values in kind for index in chosen] for kind in kinds]
            self._calls.append((rate, parts))
        shrinking = self._shrinking[networks]
        self._shrunk = kinds[0] if any(shrinking) else []
        self._factors = [
            values.new_tensor(shrinking).view(-1, *[1] * (values.ndim - 1)).expand_as(values) for values in self._shrunk
        ]

    def state(self) -> State:
        """The moments and the number of steps."""
        _, _, first, second = self._kinds
        return {**numbered("first", first), **numbered("second", second), "steps": self._steps}

    @property
    def gradients(self) -> list[Tensor]:
        """Where the gradients of a step are put, in the order and shape of `moving`."""
        return self._gradients

    def step(self, factor: float) -> None:
        """One update with learning rates `factor` * eta."""
        if self._shrunk:
            torch._foreach_addcmul_(self._shrunk, self._shrunk, self._factors, value=-factor)
        self._steps.add_(1)
        for rate, (parameters, gradients, first, second) in self._calls:
            torch._fused_adamw_(
                parameters, gradients, first, second, [], [self._steps] * len(parameters), lr=factor * rate,
                beta1=BETAS[0], beta2=BETAS[1], weight_decay=0.0, eps=EPSILON, amsgrad=False, maximize=False,
            )  # fmt: skip
