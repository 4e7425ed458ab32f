"""Least squares and ridge for every width, sample size and penalty of a grid at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.errors import NumericalFailure
from models.least_squares import TRUSTED_LOSS, ridge_solution
from models.linear_grid.nested_factor import NestedFactor, Stack, cholesky_factor, triangular_factor
from models.linear_grid.products import condition_number, symmetric_product
from models.linear_grid.rows import Rows, leading_rows
from models.streamed_least_squares import StreamedLeastSquares

EXACT_LOSS = 1e-11
"""Condition number x machine epsilon up to which a Cholesky solution is used without refinement."""
FULL_RANK_LOSS = 0.1
"""The same for the condition number of a triangle R, times max(n, m), beyond which its rank is in doubt."""


@dataclass(frozen=True)
class GridFits:
    """The fits of all widths at one sample size and penalty.

    `coefficients`: of the common features, one column for each width, zero from the width on, so that
    `features @ coefficients` gives every width's predictions. `solvers`: how each width was solved.
    """

    sample_size: int
    penalty: float
    widths: tuple[int, ...]
    coefficients: Stack
    solvers: tuple[str, ...]

    def predictions(self, features: Float[Tensor, "n m"]) -> Float[Tensor, "n w k"]:
        """f_w(x_i) for all widths from the common features: one product."""
        return (features @ self.coefficients.flatten(start_dim=1)).unflatten(1, self.coefficients.shape[1:])


def nested_grid_fits(
    rows: Rows,
    widths: Sequence[int],
    sample_sizes: Sequence[int],
    penalties: Sequence[float],
    factors: Sequence[float] | None = None,
) -> Iterator[GridFits]:
    """argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2 on the first m features and first n rows, for every m, n, penalty.

    `widths` ascend. Penalty 0: the minimiser of smallest norm, singular values below max(n, m) eps s_max counting as
    0. `factors` c_m: the features of width m are c_m times the common ones, so that the penalty on their coefficients
    is penalty / c_m^2 on those of the common features, which is what is returned; None: 1. Sample sizes come in
    ascending order, penalties in the order given. float64; agrees with fits of their own to about 1e-10 of the
    predictions' scale where these are determined to that. No randomness. Source: docs/decisions/0006.

    Raises:
        NumericalFailure: a feature or a label is not finite.
    """
    scales = [1.0] * len(widths) if factors is None else list(factors)
    growing = _GrowingProblem(rows, max(widths))
    for size in sorted(set(sample_sizes)):
        problem = growing.first(size)
        for penalty in penalties:
            yield problem.fits(penalty, tuple(widths), [penalty / scale**2 for scale in scales])


class _GrowingProblem:
    """The Gram matrix and, where asked for, the triangle of the rows so far."""

    def __init__(self, rows: Rows, width: int) -> None:
        self.rows = rows
        self.width = width
        self._size = 0
        self._gram: Tensor | None = None
        self._moments: Tensor | None = None
        self._triangle_size = 0
        self._triangle = StreamedLeastSquares(width)

    def first(self, size: int) -> "_Problem":
        for features, labels in self.rows.blocks(self._size, size):
            gram, moments = symmetric_product(features[:, : self.width]), features[:, : self.width].T @ labels
            self._gram = gram if self._gram is None else self._gram + gram
            self._moments = moments if self._moments is None else self._moments + moments
        self._size = size
        if self._gram is None or self._moments is None:
            raise NumericalFailure("Least squares over no rows.")
        if not bool(torch.isfinite(self._gram.sum() + self._moments.sum())):
            raise NumericalFailure("A feature or a label is not finite.")
        return _Problem(self, size, self._gram, self._moments)

    def triangle(self, size: int) -> tuple[Tensor, Tensor]:
        """R and Q^T y of the first `size` rows; sizes are asked for in ascending order."""
        for features, labels in self.rows.blocks(self._triangle_size, size):
            self._triangle.add(features[:, : self.width], labels)
        self._triangle_size = size
        return self._triangle.triangle()


class _Problem:
    """The fits at one sample size."""

    def __init__(self, growing: _GrowingProblem, size: int, gram: Tensor, moments: Tensor) -> None:
        self._growing = growing
        self._n = size
        self._gram = gram
        self._moments = moments
        # A feature that is zero on all rows has coefficient zero, and would make every larger factor singular.
        self._alive = gram.diagonal() > 0
        self._epsilon = torch.finfo(gram.dtype).eps

    def fits(self, penalty: float, widths: tuple[int, ...], effective: Sequence[float]) -> GridFits:
        outputs = self._moments.shape[1]
        coefficients = self._gram.new_zeros(self._growing.width, len(widths), outputs)
        solvers = [""] * len(widths)
        alive = self._alive.cumsum(0).tolist()
        for value in dict.fromkeys(effective):
            members = [index for index, own in enumerate(effective) if own == value]
            counts = [alive[widths[index] - 1] for index in members]
            solved, names = self._solve(counts, value)
            for position, index in enumerate(members):
                coefficients[self._alive, index] = solved[:, position]
                solvers[index] = names[position]
        return GridFits(self._n, penalty, widths, coefficients, tuple(solvers))

    def _solve(self, widths: list[int], penalty: float) -> tuple[Stack, list[str]]:
        """All widths for one effective penalty, counted in features that are not zero."""
        total = int(self._alive.sum())
        stack = self._gram.new_zeros(total, len(widths), self._moments.shape[1])
        tall = len(widths) if penalty > 0 else sum(width <= self._n for width in widths)
        done = self._by_cholesky(widths[:tall], penalty, stack) if tall else 0
        names = ["cholesky"] * done
        if done < tall:
            names += self._by_triangle(widths[done:tall], penalty, stack[:, done:tall])
        if tall < len(widths):
            names += self._by_dual(widths[tall:], stack[:, tall:])
        return stack, names

    def _compact(self, features: Tensor) -> Tensor:
        features = features[:, : self._growing.width]
        return features if bool(self._alive.all()) else features[:, self._alive]

    def _by_cholesky(self, widths: list[int], penalty: float, stack: Stack) -> int:
        """Solve as many of the widths as the Gram matrix is good for; how many."""
        most = widths[-1]
        gram, moments = self._gram, self._moments
        if not bool(self._alive.all()):
            gram, moments = gram[self._alive][:, self._alive], moments[self._alive]
        gram, moments = gram[:most, :most], moments[:most]
        shift = self._n * penalty
        factor = cholesky_factor(gram, moments, shift)
        within = [width for width in widths if width <= factor.lower.shape[0]]
        bound = (float(gram.diagonal().sum()) + shift) / shift if shift > 0 else float("inf")
        done = len(within)
        if most == 0:
            return done
        if bound > TRUSTED_LOSS / self._epsilon:
            done = factor.widths_within(within, TRUSTED_LOSS / self._epsilon)
        if done == 0:
            return 0
        chosen = widths[:done]
        factor = factor.leading(chosen[-1])
        solved = factor.coefficients(chosen)
        if bound > EXACT_LOSS / self._epsilon and condition_number(factor.lower) > EXACT_LOSS / self._epsilon:
            solved = solved + factor.correction(self._gradients(solved, shift), chosen)
        stack[: chosen[-1], :done] = solved
        return done

    def _gradients(self, coefficients: Stack, shift: float) -> Stack:
        """Phi^T (y - Phi a) - n penalty a for every column, from the rows themselves."""
        gradient = -shift * coefficients
        flat = coefficients.flatten(start_dim=1)
        for features, labels in self._growing.rows.blocks(0, self._n):
            leading = self._compact(features)[:, : len(flat)]
            residuals = labels.repeat(1, coefficients.shape[1]) - leading @ flat
            gradient += (leading.T @ residuals).reshape(coefficients.shape)
        return gradient

    def _by_triangle(self, widths: list[int], penalty: float, stack: Stack) -> list[str]:
        """By the triangle of a QR; by the singular values of its leading blocks where their rank is in doubt."""
        triangle, right = self._growing.triangle(self._n)
        if not bool(self._alive.all()):
            outputs = right.shape[1]
            whole = torch.linalg.qr(torch.cat([triangle[:, self._alive], right], dim=1), mode="r").R
            triangle, right = whole[:, :-outputs], whole[:, -outputs:]
        most = widths[-1]
        shift = self._n * penalty
        factor = triangular_factor(triangle[:, :most], right, shift)
        inside = [width for width in widths if width <= factor.lower.shape[0]]
        loss = FULL_RANK_LOSS if penalty == 0 else TRUSTED_LOSS
        largest = (loss / (self._epsilon * (max(self._n, most) if penalty == 0 else 1))) ** 2
        done = factor.widths_within(inside, largest)
        if done:
            chosen = widths[:done]
            stack[: chosen[-1], :done] = factor.leading(chosen[-1]).coefficients(chosen)
        for index in range(done, len(widths)):
            width = widths[index]
            # R of width m has the singular values of Phi; its later rows are zero up to the right side.
            lead, own = triangle[:width, :width], right[:width]
            if penalty == 0:
                stack[:width, index] = _smallest_norm(lead, own, self._n)
            else:
                stack[:width, index] = ridge_solution(lead, own, shift / len(lead))[0]
        return ["qr"] * done + ["svd"] * (len(widths) - done)

    def _by_dual(self, widths: list[int], stack: Stack) -> list[str]:
        """Smallest norm for m > n: a = Phi^T (Phi Phi^T)^{-1} y, one Gram matrix of the rows growing with the width."""
        features, labels = leading_rows(self._growing.rows, self._n)
        features = self._compact(features)
        names, seen = [], 0
        gram = features.new_zeros(self._n, self._n)
        for index, width in enumerate(widths):
            gram = gram + symmetric_product(features[:, seen:width].T)
            seen = width
            leading = features[:, :width]
            factor = cholesky_factor(gram, labels, 0.0)
            if len(factor.lower) == self._n and condition_number(factor.lower) < TRUSTED_LOSS / self._epsilon:
                solved, name = _dual_solution(leading, labels, factor), "dual_cholesky"
            else:
                solved, name = _wide_solution(leading, labels)
            stack[:width, index] = solved
            names.append(name)
        return names


def _dual_solution(features: Tensor, labels: Tensor, factor: NestedFactor) -> Tensor:
    dual = torch.cholesky_solve(labels, factor.lower)
    residual = labels - features @ (features.T @ dual)
    return features.T @ (dual + torch.cholesky_solve(residual, factor.lower))


def _wide_solution(features: Tensor, labels: Tensor) -> tuple[Tensor, str]:
    n, m = features.shape
    basis, triangle = torch.linalg.qr(features.T)
    if condition_number(triangle.T) < (FULL_RANK_LOSS / (m * torch.finfo(features.dtype).eps)) ** 2:
        return basis @ torch.linalg.solve_triangular(triangle.T, labels, upper=False), "qr"
    return _smallest_norm(features, labels, n), "svd"


def _smallest_norm(features: Tensor, labels: Tensor, rows: int) -> Tensor:
    """Phi^+ y by singular values, given Phi or the triangle of its `rows` rows."""
    left, singular, right = torch.linalg.svd(features, full_matrices=False)
    seen = singular > max(rows, features.shape[1]) * torch.finfo(features.dtype).eps * singular[:1].sum()
    return right[seen].T @ ((left[:, seen].T @ labels) / singular[seen, None])
