"""Linear least squares over rows that arrive in blocks, by orthogonal triangularisation."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Labels
from models.errors import NumericalFailure


class StreamedLeastSquares:
    """min_a (1/n) sum_i |phi_i . a - y_i|^2 over all rows added so far, in memory O(m (m + block)).

    Keeps the triangle R of [Phi, Y] = Q R and folds each block in by another QR. Unlike the normal equations this
    does not square the condition number, so that nearly dependent features cost no accuracy of the fit. float64.
    """

    def __init__(self, features: int) -> None:
        self._features = features
        self._rows = 0
        self._triangle: Tensor | None = None

    def add(self, features: Features, labels: Labels) -> None:
        """Take in a block of rows.

        Raises:
            NumericalFailure: a feature or a label is NaN or infinite.
        """
        above = 0 if self._triangle is None else len(self._triangle)
        stacked = features.new_empty(above + len(features), features.shape[1] + labels.shape[1], dtype=torch.float64)
        if self._triangle is not None:
            stacked[:above] = self._triangle
        stacked[above:, : features.shape[1]] = features
        stacked[above:, features.shape[1] :] = labels
        triangle = torch.linalg.qr(stacked, mode="r").R
        # Reflections keep norms: what is not finite in a column is not finite in that of the triangle.
        if not bool(torch.isfinite(triangle).all()):
            raise NumericalFailure("A feature or a label is not finite.")
        self._rows += len(features)
        self._triangle = triangle

    def triangle(self) -> tuple[Float[Tensor, "r m"], Float[Tensor, "r k"]]:
        """R and Q^T Y of [Phi, Y] = Q [R, Q^T Y], r = min(rows, m + k); the first p columns are those of p features.

        Raises:
            NumericalFailure: no row was added.
        """
        if self._triangle is None:
            raise NumericalFailure("Least squares over no rows.")
        return self._triangle[:, : self._features], self._triangle[:, self._features :]

    def solution(self) -> Float[Tensor, "m k"]:
        """The minimiser of least Euclidean norm (the limit of gradient descent from 0), unique where n >= rank = m.

        Singular values below max(n, m) * eps * the largest count as zero.

        Raises:
            NumericalFailure: no row was added.
        """
        factor, right = self.triangle()
        left, singular, rows = torch.linalg.svd(factor, full_matrices=False)
        cutoff = max(self._rows, self._features) * torch.finfo(torch.float64).eps * singular[0]
        inverse = torch.where(singular > cutoff, 1 / singular, torch.zeros_like(singular))
        return rows.T @ (inverse[:, None] * (left.T @ right))
