"""Least squares and ridge for every width, sample size and penalty of a grid at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.errors import NumericalFailure
from models.linear_grid.fallbacks import solve_by_dual, solve_by_triangle
from models.linear_grid.nested_factor import NestedFactor, Stack, cholesky_factor
from models.linear_grid.products import condition_number, symmetric_product, tall_product
from models.linear_grid.rows import Rows, leading_rows
from models.streamed_least_squares import StreamedLeastSquares

REFINED_LOSS = 1e-4
"""Condition number x machine epsilon up to which a Cholesky factor is used: one refinement leaves its square."""
EXACT_LOSS = 1e-9
"""Estimated relative error of the predictions up to which a solution is left unrefined."""


@dataclass(frozen=True)
class GridFits:
    """The fits of all penalties and widths at one sample size.

    `coefficients`: of the common features, zero from the width on, so that one product with the features gives every
    prediction. `solvers[p][w]`: how it was solved.
    """

    sample_size: int
    penalties: tuple[float, ...]
    widths: tuple[int, ...]
    coefficients: Float[Tensor, "m p w k"]
    solvers: tuple[tuple[str, ...], ...]

    def predictions(self, features: Float[Tensor, "n m"]) -> Float[Tensor, "n p w k"]:
        """f(x_i) of all fits from the common features of the largest width."""
        return tall_product(features, self.coefficients.flatten(start_dim=1)).unflatten(1, self.coefficients.shape[1:])


def nested_grid_fits(
    rows: Rows,
    widths: Sequence[int],
    sample_sizes: Sequence[int],
    penalties: Sequence[float],
    factors: Sequence[float] | None = None,
) -> Iterator[GridFits]:
    """argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2 on the first m features and first n rows, for every m, n, penalty.

    `widths` ascend; sample sizes come in ascending order. Penalty 0: the minimiser of smallest norm, singular values
    below max(n, m) eps s_max counting as 0. `factors` c_m: the features of width m are c_m times the common ones, so
    that the penalty on their coefficients is penalty / c_m^2 on those of the common features, which are returned;
    None: 1. float64; agrees with fits of their own to about 1e-10 of the predictions' scale where these are determined
    to that. No randomness. Source: docs/decisions/0006.

    Raises:
        NumericalFailure: a feature or a label is not finite.
    """
    scales = [1.0] * len(widths) if factors is None else list(factors)
    growing = GrowingGrid(rows, max(widths))
    for size in sorted(set(sample_sizes)):
        yield growing.first(size).fits(tuple(penalties), tuple(widths), scales)


class GrowingGrid:
    """The Gram matrix and, where asked for, the triangle of the rows so far: `nested_grid_fits` by hand."""

    def __init__(self, rows: Rows, width: int, probes: int = 0) -> None:
        """For the first `width` features of `rows`. The last `probes` columns of the labels ask for no refinement."""
        self.rows = rows
        self.width = width
        self.probes = probes
        self._size = 0
        self._gram: Tensor | None = None
        self._moments: Tensor | None = None
        self._triangle_size = 0
        self._triangle = StreamedLeastSquares(width)

    def first(self, size: int) -> "GridProblem":
        """The problem of the first `size` rows; sizes ascend.

        Raises:
            NumericalFailure: there is no row, or a feature or a label is not finite.
        """
        # The sums so far belong to the problem of the size before: a copy grows, in place.
        sums = None if self._gram is None or self._moments is None else (self._gram.clone(), self._moments.clone())
        for features, labels in self.rows.blocks(self._size, size):
            gram, moments = symmetric_product(features[:, : self.width]), features[:, : self.width].T @ labels
            sums = (gram, moments) if sums is None else (sums[0].add_(gram), sums[1].add_(moments))
        self._gram, self._moments = sums or (None, None)
        self._size = size
        if self._gram is None or self._moments is None:
            raise NumericalFailure("Least squares over no rows.")
        if not bool(torch.isfinite(self._gram.sum() + self._moments.sum())):
            raise NumericalFailure("A feature or a label is not finite.")
        return GridProblem(self, size, self._gram, self._moments)

    def triangle(self, size: int) -> tuple[Tensor, Tensor]:
        """R and Q^T y of the first `size` rows; only ascending sizes continue what is there."""
        if size < self._triangle_size:
            self._triangle, self._triangle_size = StreamedLeastSquares(self.width), 0
        for features, labels in self.rows.blocks(self._triangle_size, size):
            self._triangle.add(features[:, : self.width], labels)
        self._triangle_size = size
        return self._triangle.triangle()


@dataclass(frozen=True)
class _Unrefined:
    """A part of the stack that the rows themselves must still correct: `widths` at `places` of penalty `index`."""

    index: int
    places: list[int]
    widths: list[int]
    factor: NestedFactor
    shift: float


class GridProblem:
    """The fits at one sample size, in terms of the features that are not zero on all rows.

    A zero feature has coefficient zero in every fit of smallest norm, and would make every larger factor singular.
    """

    def __init__(self, growing: GrowingGrid, size: int, gram: Tensor, moments: Tensor) -> None:
        self._growing = growing
        self._n = size
        self._alive = gram.diagonal() > 0
        self._all_alive = bool(self._alive.all())
        self._gram = gram if self._all_alive else gram[self._alive][:, self._alive]
        self._moments = moments if self._all_alive else moments[self._alive]
        self._epsilon = torch.finfo(gram.dtype).eps
        self._unrefined: list[_Unrefined] = []

    def solved_by_cholesky(self) -> bool:
        """Whether the Gram matrix is good enough for the fit of all features without a penalty."""
        factor = cholesky_factor(self._gram, self._moments, 0.0)
        return len(factor.lower) == len(self._gram) and bool(
            factor.widths_within([len(self._gram)], REFINED_LOSS / self._epsilon)
        )

    def fits(self, penalties: tuple[float, ...], widths: tuple[int, ...], scales: Sequence[float]) -> GridFits:
        """All penalties and widths, as in `nested_grid_fits`."""
        counts = self._alive.cumsum(0)[torch.tensor(widths, device=self._alive.device) - 1].tolist()
        total, outputs = self._moments.shape
        solved = self._gram.new_zeros(total, len(penalties), len(widths), outputs)
        solvers = [[""] * len(widths) for _ in penalties]
        for index, penalty in enumerate(penalties):
            effective = [penalty / scale**2 for scale in scales]
            for value in dict.fromkeys(effective):
                places = [place for place, own in enumerate(effective) if own == value and counts[place]]
                names = self._solve(index, places, [counts[place] for place in places], value, solved)
                for place, name in zip(places, names, strict=True):
                    solvers[index][place] = name
        self._refine(solved)
        coefficients = solved
        if not self._all_alive:
            coefficients = solved.new_zeros(self._growing.width, *solved.shape[1:])
            coefficients[self._alive] = solved
        return GridFits(self._n, penalties, widths, coefficients, tuple(tuple(names) for names in solvers))

    def _solve(self, index: int, places: list[int], widths: list[int], penalty: float, solved: Tensor) -> list[str]:
        """Fill the stack at `places` for one effective penalty; how each was solved."""
        shift = self._n * penalty
        tall = len(widths) if penalty > 0 else sum(width <= self._n for width in widths)
        done = self._by_cholesky(index, places[:tall], widths[:tall], shift, solved) if tall else 0
        names = ["cholesky"] * done
        rest: list[tuple[Tensor, str]] = []
        if done < tall:
            rest += solve_by_triangle(*self._triangle(), widths[done:tall], shift, self._n)
        if tall < len(widths):
            features, labels = leading_rows(self._growing.rows, self._n)
            rest += solve_by_dual(self._compact(features), labels, widths[tall:])
        for place, (coefficients, name) in zip(places[done:], rest, strict=True):
            solved[: len(coefficients), index, place] = coefficients
            names.append(name)
        return names

    def _by_cholesky(self, index: int, places: list[int], widths: list[int], shift: float, solved: Tensor) -> int:
        """Solve as many of the widths as the Gram matrix is good for; how many."""
        most = widths[-1]
        gram = self._gram[:most, :most]
        trace = float(gram.diagonal().sum())
        factor = cholesky_factor(gram, self._moments[:most], shift)
        done = sum(width <= len(factor.lower) for width in widths)
        bound = (trace + shift) / shift if shift > 0 else float("inf")
        if bound > REFINED_LOSS / self._epsilon:
            done = factor.widths_within(widths[:done], REFINED_LOSS / self._epsilon)
        if done == 0:
            return 0
        widths, places = widths[:done], places[:done]
        factor = factor.leading(widths[-1])
        stack = factor.coefficients(widths)
        solved[: widths[-1], index, places] = stack
        amplification = self._amplification(stack, trace, shift)
        if amplification * bound**0.5 > EXACT_LOSS:
            bound = min(bound, condition_number(factor.lower))
            if amplification * bound**0.5 > EXACT_LOSS:
                self._unrefined.append(_Unrefined(index, places, widths, factor, shift))
        return done

    def _amplification(self, stack: Stack, trace: float, shift: float) -> float:
        """The largest eps |Phi|_F |a| / |Phi a|: times the root of the condition number it exceeds the error.

        The backward error of the normal equations is eps |Phi|^2 |a|, and G^{-1/2} carries it to the predictions.
        """
        labels = stack.shape[2] - self._growing.probes
        stack, moments = stack[..., :labels], self._moments[: len(stack), None, :labels]
        squares = (stack**2).sum(dim=0)
        fitted = (stack * moments).sum(dim=0) - shift * squares
        ratio = (trace * squares / fitted.clamp(min=torch.finfo(stack.dtype).tiny)).nan_to_num()
        return self._epsilon * float(ratio.max()) ** 0.5

    def _refine(self, solved: Tensor) -> None:
        """One step of refinement where it is due, with residuals from one reading of the rows."""
        if not self._unrefined:
            return
        parts = [solved[: part.widths[-1], part.index, part.places] for part in self._unrefined]
        gradients = [-part.shift * stack for part, stack in zip(self._unrefined, parts, strict=True)]
        for features, labels in self._growing.rows.blocks(0, self._n):
            compact = self._compact(features)
            for stack, gradient in zip(parts, gradients, strict=True):
                leading = compact[:, : len(stack)]
                residuals = labels.repeat(1, stack.shape[1]) - tall_product(leading, stack.flatten(start_dim=1))
                gradient += tall_product(leading.T, residuals).reshape(stack.shape)
        for part, stack, gradient in zip(self._unrefined, parts, gradients, strict=True):
            refined = stack + part.factor.correction(gradient, part.widths)
            solved[: len(stack), part.index, part.places] = refined
        self._unrefined.clear()

    def _compact(self, features: Tensor) -> Tensor:
        features = features[:, : self._growing.width]
        return features if self._all_alive else features[:, self._alive]

    def _triangle(self) -> tuple[Tensor, Tensor]:
        triangle, right = self._growing.triangle(self._n)
        if self._all_alive:
            return triangle, right
        whole = torch.linalg.qr(torch.cat([triangle[:, self._alive], right], dim=1), mode="r").R
        return whole[:, : -right.shape[1]], whole[:, -right.shape[1] :]
