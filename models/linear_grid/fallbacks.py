"""Solutions where a Gram matrix of the features has lost the digits: orthogonal factors, singular values, the dual."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Labels
from models.least_squares import TRUSTED_LOSS, ridge_solution
from models.linear_grid.nested_factor import NestedFactor, cholesky_factor, triangular_factor
from models.linear_grid.products import condition_number, symmetric_product

FULL_RANK_LOSS = 0.1
"""Condition number of Phi x machine epsilon x max(n, m) beyond which the rank is in doubt."""

Solution = tuple[Tensor, str]
"""Coefficients (m, k) of one width, and how they were found."""


def solve_by_triangle(
    triangle: Float[Tensor, "r m"], right: Float[Tensor, "r k"], widths: Sequence[int], shift: float, rows: int
) -> list[Solution]:
    """argmin |R a - Q^T y|^2 + shift |a|^2 for each of the ascending `widths`, R being the triangle of `rows` rows.

    One triangle serves all widths whose rank is beyond doubt. For the others the singular values of their own part of
    R, which are those of Phi, give the solution of smallest norm.
    """
    most, epsilon = widths[-1], torch.finfo(triangle.dtype).eps
    factor = triangular_factor(triangle[:, :most], right, shift)
    inside = [width for width in widths if width <= len(factor.lower)]
    loss = TRUSTED_LOSS if shift > 0 else FULL_RANK_LOSS / max(rows, most)
    done = factor.widths_within(inside, (loss / epsilon) ** 2)
    solutions: list[Solution] = []
    if done:
        stack = factor.leading(widths[done - 1]).coefficients(widths[:done])
        solutions += [(stack[:width, index], "qr") for index, width in enumerate(widths[:done])]
    for width in widths[done:]:
        own, wanted = triangle[:width, :width], right[:width]
        if shift > 0:
            solutions.append((ridge_solution(own, wanted, shift / len(own))[0], "svd"))
        else:
            solutions.append((_smallest_norm(own, wanted, rows), "svd"))
    return solutions


def solve_by_dual(features: Features, labels: Labels, widths: Sequence[int]) -> list[Solution]:
    """a = Phi^T (Phi Phi^T)^{-1} y, the interpolant of smallest norm, for each of the ascending `widths` m > n.

    The n x n Gram matrix grows with the columns; where it is ill-conditioned, as near m = n, a QR of Phi^T or the
    singular values of Phi take its place.
    """
    n = len(features)
    solutions: list[Solution] = []
    gram, seen = features.new_zeros(n, n), 0
    for width in widths:
        gram, seen = gram + symmetric_product(features[:, seen:width].T), width
        leading, factor = features[:, :width], cholesky_factor(gram, labels, 0.0)
        trusted = TRUSTED_LOSS / torch.finfo(features.dtype).eps
        if len(factor.lower) == n and condition_number(factor.lower) < trusted:
            solutions.append((_dual_solution(leading, labels, factor), "dual_cholesky"))
        else:
            solutions.append(_wide_solution(leading, labels))
    return solutions


def _dual_solution(features: Features, labels: Labels, factor: NestedFactor) -> Tensor:
    dual = torch.cholesky_solve(labels, factor.lower)
    residual = labels - features @ (features.T @ dual)
    return features.T @ (dual + torch.cholesky_solve(residual, factor.lower))


def _wide_solution(features: Features, labels: Labels) -> Solution:
    n, m = features.shape
    basis, triangle = torch.linalg.qr(features.T)
    if condition_number(triangle.T) < (FULL_RANK_LOSS / (m * torch.finfo(features.dtype).eps)) ** 2:
        return basis @ torch.linalg.solve_triangular(triangle.T, labels, upper=False), "qr"
    return _smallest_norm(features, labels, n), "svd"


def _smallest_norm(features: Features, labels: Labels, rows: int) -> Tensor:
    """Phi^+ y by singular values, given Phi or the triangle of its `rows` rows."""
    left, singular, right = torch.linalg.svd(features, full_matrices=False)
    seen = singular > max(rows, features.shape[1]) * torch.finfo(features.dtype).eps * singular[:1].sum()
    return right[seen].T @ ((left[:, seen].T @ labels) / singular[seen, None])
