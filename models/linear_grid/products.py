"""Products, factors and condition numbers in the fastest way that the processor at hand has for them."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features

ASCENT_STEPS = 5
CHOLESKY_BLOCK = 96
"""Below this side LAPACK's own factorisation is as fast as products of halves."""


def symmetric_product(rows: Features) -> Float[Tensor, "m m"]:
    """Phi^T Phi in the rows' precision.

    On the CPU by numpy, whose BLAS notices the symmetry (syrk) and does half of the operations of a general product.
    """
    if rows.device.type != "cpu":
        return rows.T @ rows
    array = rows.detach().numpy()
    return torch.from_numpy(array.T @ array)


def tall_product(left: Float[Tensor, "a b"], right: Float[Tensor, "b c"]) -> Float[Tensor, "a c"]:
    """left @ right for few columns c, on the CPU by numpy, whose BLAS takes half the time of torch's there."""
    if left.device.type != "cpu":
        return left @ right
    return torch.from_numpy(left.detach().numpy() @ right.detach().numpy())


def cholesky(matrix: Float[Tensor, "m m"]) -> tuple[Float[Tensor, "r r"], int]:
    """L with L L^T = `matrix`, by halves, so that nearly all operations are products; and its order r.

    r < m: the leading minor of order r + 1 is not numerically positive, and L is the factor of the block before it.
    """
    size = matrix.shape[0]
    if size <= CHOLESKY_BLOCK:
        lower, failed = torch.linalg.cholesky_ex(matrix)
        while int(failed):
            size = int(failed) - 1
            lower, failed = torch.linalg.cholesky_ex(matrix[:size, :size])
        return lower, size
    half = size // 2
    first, order = cholesky(matrix[:half, :half])
    if order < half:
        return first, order
    below = torch.linalg.solve_triangular(first, matrix[:half, half:], upper=False)
    second, order = cholesky(matrix[half:, half:] - symmetric_product(below))
    lower = matrix.new_zeros(half + order, half + order)
    lower[:half, :half] = first
    lower[half:, :half] = below.T[:order]
    lower[half:, half:] = second
    return lower, half + order


def condition_number(lower: Float[Tensor, "m m"]) -> float:
    """trace A times an estimate of |A^{-1}|_1, A = L L^T: between lambda_max/lambda_min and about m^{3/2} times that.

    |A^{-1}|_1 by Hager's ascent (Higham, ACM Transactions on Mathematical Software 14, 1988): a lower bound that is
    rarely a factor of 3 too small. O(m^2). inf where L is singular.
    """
    size = lower.shape[0]
    if size == 0:
        return 1.0
    if not float(lower.diagonal().abs().min()) > 0:
        return float("inf")
    start = torch.full((size, 1), 1 / size, dtype=lower.dtype, device=lower.device)
    inverse_norm = 0.0
    for _ in range(ASCENT_STEPS):
        image = torch.cholesky_solve(start, lower)
        inverse_norm = max(inverse_norm, float(image.abs().sum()))
        ascent = torch.cholesky_solve(torch.sign(image), lower)
        largest = int(ascent.abs().argmax())
        if float(ascent[largest].abs()) <= float((ascent * start).sum()):
            break
        start = torch.zeros_like(start)
        start[largest] = 1.0
    return float((lower**2).sum()) * inverse_norm
