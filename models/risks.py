"""Empirical and population risk under squared loss, in label units squared."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs, Labels, Outputs
from models.errors import NumericalFailure
from models.estimates import Estimate, mean_estimate
from models.samples import Sample

EVALUATION_BLOCK = 1024
"""Rows evaluated at a time: bounds the memory of the activations, which are faster where the allocator keeps them."""


def predictions(hypothesis: Callable[[Inputs], Outputs], inputs: Inputs) -> Outputs:
    """hypothesis(x_i), in blocks of rows, without gradients."""
    with torch.no_grad():
        if len(inputs) <= EVALUATION_BLOCK:
            return hypothesis(inputs)
        first = hypothesis(inputs[:EVALUATION_BLOCK])
        # Whole from the start: small pieces kept between large ones that go would scatter the heap.
        outputs = first.new_empty(len(inputs), first.shape[1])
        outputs[: len(first)] = first
        for start in range(EVALUATION_BLOCK, len(inputs), EVALUATION_BLOCK):
            outputs[start : start + EVALUATION_BLOCK] = hypothesis(inputs[start : start + EVALUATION_BLOCK])
        return outputs


def squared_losses(outputs: Outputs, labels: Labels) -> Float[Tensor, " n"]:
    """|f(x_i) - y_i|^2, summed over the outputs."""
    return ((outputs - labels) ** 2).sum(dim=1)


def risk(hypothesis: Callable[[Inputs], Outputs], sample: Sample) -> Estimate:
    """Mean squared error over the sample with its Monte Carlo standard error.

    On the training sample this is the empirical risk; on an independent one it estimates the population risk.

    Raises:
        NumericalFailure: some prediction is NaN or infinite.
    """
    losses = squared_losses(predictions(hypothesis, sample.inputs), sample.labels)
    if not bool(torch.isfinite(losses).all()):
        raise NumericalFailure("A prediction is not finite.")
    return mean_estimate(losses)


def capped_losses(outputs: Outputs, labels: Labels, cap: float) -> Float[Tensor, " n"]:
    """min(|f(x_i) - y_i|^2, M), in [0, M]; M = `cap` in label units squared."""
    return squared_losses(outputs, labels).clamp(max=cap)


def range_loss_cap(lower: Float[Tensor, " k"], upper: Float[Tensor, " k"]) -> float:
    """M = sum_k (upper_k - lower_k)^2: the largest loss of a clipped prediction whose label lies in the range.

    1.0 where the range is a point, so that losses still have a scale.
    """
    return float(((upper - lower).to(torch.float64) ** 2).sum()) or 1.0
