"""A triangular factor that solves the least-squares problem of every smaller width."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.linear_grid.products import cholesky, condition_number

Stack = Float[Tensor, "m w k"]
"""Coefficients of w widths side by side, zero from each width on."""


@dataclass(frozen=True)
class NestedFactor:
    """L and z = L^{-1} Phi^T y with L L^T = Phi^T Phi + n penalty I, by Cholesky or as the transpose of a QR's R.

    The problem of the first m features has the leading block L_m as its factor and the first m entries of z as its
    right side.
    """

    lower: Float[Tensor, "m m"]
    right: Float[Tensor, "m k"]

    def leading(self, width: int) -> "NestedFactor":
        """The same for the first `width` features."""
        return NestedFactor(self.lower[:width, :width], self.right[:width])

    def coefficients(self, widths: Sequence[int]) -> Stack:
        """a_m = L_m^{-T} z_m for each m of `widths`, all at most the factor's size, by one triangular solve."""
        return self._back(self.right[:, None, :].expand(-1, len(widths), -1), widths)

    def correction(self, gradients: Stack, widths: Sequence[int]) -> Stack:
        """(L_m L_m^T)^{-1} g_m for each width: one step of refinement, g_m the first m entries of its gradient."""
        forward = torch.linalg.solve_triangular(self.lower, gradients.flatten(start_dim=1), upper=False)
        return self._back(forward.reshape(gradients.shape), widths)

    def _back(self, right: Stack, widths: Sequence[int]) -> Stack:
        masked = right * widths_mask(widths, right)
        solved = torch.linalg.solve_triangular(self.lower.T, masked.flatten(start_dim=1), upper=True)
        return solved.reshape(masked.shape)

    def widths_within(self, widths: Sequence[int], largest_condition: float) -> int:
        """How many of the ascending `widths` have a condition number of L_m L_m^T of at most `largest_condition`.

        By bisection: the condition number does not fall with the width.
        """
        low, high = 0, len(widths)
        while low < high:
            middle = (low + high + 1) // 2
            width = widths[middle - 1]
            within = condition_number(self.lower[:width, :width]) <= largest_condition
            low, high = (middle, high) if within else (low, middle - 1)
        return low


def widths_mask(widths: Sequence[int], like: Stack) -> Float[Tensor, "m w 1"]:
    """1 where the feature belongs to the width, else 0."""
    features = torch.arange(like.shape[0], device=like.device)[:, None]
    return (features < torch.tensor(widths, device=like.device)).to(like.dtype)[:, :, None]


def cholesky_factor(gram: Float[Tensor, "m m"], moments: Float[Tensor, "m k"], shift: float) -> NestedFactor:
    """The factor of gram + shift I, or of its largest leading block that is numerically positive."""
    shifted = gram.clone()
    shifted.diagonal().add_(shift)
    lower, size = cholesky(shifted)
    return NestedFactor(lower, torch.linalg.solve_triangular(lower, moments[:size], upper=False))


def triangular_factor(triangle: Float[Tensor, "r m"], right: Float[Tensor, "r k"], shift: float) -> NestedFactor:
    """The factor of R^T R + shift I from [R; sqrt(shift) I], without forming R^T R, which would lose half the digits.

    Without a shift only as many features as R has rows. The diagonal may have either sign.
    """
    rows, size = triangle.shape
    if shift > 0:
        below = torch.zeros(size, size + right.shape[1], dtype=triangle.dtype, device=triangle.device)
        below.diagonal().fill_(shift**0.5)
        whole = torch.linalg.qr(torch.cat([torch.cat([triangle, right], dim=1), below]), mode="r").R
        return NestedFactor(whole[:size, :size].T, whole[:size, size:])
    size = min(rows, size)
    return NestedFactor(triangle[:size, :size].T, right[:size])
