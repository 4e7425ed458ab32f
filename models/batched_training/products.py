"""Products of stacked weights with rows, by whichever routine is fast for their size."""

import torch
from jaxtyping import Float
from torch import Tensor

CALL_OPERATIONS = 1e6
"""From this many operations on, what oneDNN saves is more than the ten microseconds that a call costs."""


class Products:
    """Z = W X^T and U = Z X for each of G samples, whose networks' neurons are stacked: R of them.

    Large float32 products on the CPU go through oneDNN where it is there: it fuses the relu and reaches twice MKL's
    throughput on processors for which MKL has no kernels of its own. Its function is not documented, so its absence
    is expected. The routine depends on sizes alone: equal calls give equal bits.
    """

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        """For tensors of this precision in this place."""
        available = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        self._onednn = available and dtype == torch.float32 and device.type == "cpu"

    def alone(self, neurons: int, rows: int, columns: int) -> bool:
        """Whether a product of this size for one sample is fastest alone; small ones are batched over samples."""
        return self._onednn and 2.0 * neurons * rows * columns >= CALL_OPERATIONS

    def forward(
        self, weights: Float[Tensor, "g r c"], rows: Float[Tensor, "g n c"], out: Float[Tensor, "g r n"], relu: bool
    ) -> Float[Tensor, "g r n"]:
        """W X^T, or max(0, W X^T): `out`, or memory of its own."""
        groups, neurons, columns = weights.shape
        if groups == 1 and self.alone(neurons, rows.shape[1], columns):
            product = torch.ops.mkldnn._linear_pointwise(weights[0], rows[0], None, "relu" if relu else "none", [], "")
            return product[None]
        torch.bmm(weights, rows.transpose(1, 2), out=out)
        return out.relu_() if relu else out

    def backward(self, upstream: Float[Tensor, "g r n"], rows: Float[Tensor, "g n c"]) -> Float[Tensor, "g r c"]:
        """Z X."""
        groups, neurons, size = upstream.shape
        if groups == 1 and self.alone(neurons, size, rows.shape[2]):
            return torch.ops.mkldnn._linear_pointwise(upstream[0], rows[0].T, None, "none", [], "")[None]
        # Written with the neurons last: MKL is several times slower where the result has few columns.
        return torch.bmm(rows.transpose(1, 2), upstream.transpose(1, 2)).transpose(1, 2)
