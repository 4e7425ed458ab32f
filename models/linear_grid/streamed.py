"""Ridge regression over more rows than memory holds: nearly all arithmetic in float32, the answer in float64."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.errors import NumericalFailure
from models.linear_grid.products import cholesky, symmetric_product, tall_product
from models.linear_grid.rows import Rows

ROWS_PER_FEATURE = 128
"""Rows of the Gram matrix for each feature: each further step then leaves 9 % of the error."""
GRAM_BLOCK = 8_192
"""Rows of one product in the Gram matrix."""
FIRST_IN_DOUBLE = 1e-6
"""Tolerance from which the first round has its gradient in float64 and, as a rule, needs no second."""
SMALLEST_RISE = 2.0**-20
"""What float32 may have added to the diagonal or taken from it, relative, with room to spare."""
INNER_SHRINKAGE = 1e-3
"""What one round of steps in float32 is trusted to leave of the error, unless the round before showed better."""
MARGIN = 3.0
"""A round is trusted to so many times what separated the end of the round before from its prediction."""
MOST_INNER_STEPS = 12
MOST_ROUNDS = 10


@dataclass(frozen=True)
class StreamedSolution:
    """`coefficients`; Phi a on the sample; how often the rows were read in either precision; the error.

    Readings that leave out the rows of the Gram matrix count as one.

    `error`: an estimate of the root mean square difference of the predictions on the sample from those of the
    minimiser, relative to that of the labels. `fitted` is within a thousandth of that of Phi `coefficients`.
    """

    coefficients: Float[Tensor, "m k"]
    fitted: Float[Tensor, "n k"]
    single_readings: int
    double_readings: int
    error: float


def streamed_ridge(
    single: Rows, double: Rows, sample_size: int, penalty: float, tolerance: float = 1e-8
) -> StreamedSolution:
    """argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2 over the first n rows, read block by block, in memory O(m^2).

    `single`, `double`: the same rows in float32 and float64, in blocks that should fit a processor's cache. The first
    min(n, 128 m) rows give a Gram matrix and a first solution. Its Cholesky factor preconditions conjugate gradients:
    each round takes the gradient and solves for the correction with products from `single`. The gradient comes from
    `double`, so that float32 limits the speed and not the accuracy, but for the first of two rounds. Rounds end when
    the error, which the preconditioned gradient measures to about 10 %, is below `tolerance`. The products with the
    rows that the gradient and the steps need anyway sum up to the predictions. A feature that is zero on the Gram
    matrix's rows has coefficient 0. No randomness. Cost: 128 m^3 + O(n m d) against n m^2 of the whole Gram matrix.

    Raises:
        NumericalFailure: a feature is not finite, or the error does not shrink: the features are too nearly
            dependent for float32; `StreamedLeastSquares` is slower and not.
    """
    features = next(iter(single.blocks(0, 1)))[0]
    gram_rows = min(sample_size, ROWS_PER_FEATURE * features.shape[1])
    gram, moments, norm_squared = _sums(single, gram_rows)
    alive = (gram.diagonal() > 0).to(gram.dtype)[:, None]
    # The row and the column of a zero feature are zero: with 1 on the diagonal its coefficient stays 0.
    gram.diagonal().add_(1 - alive[:, 0])
    growth = sample_size / gram_rows
    system = _System(_factor(growth * gram, sample_size * penalty), alive, sample_size * penalty)
    scale = (growth * norm_squared) ** 0.5
    solution = growth * torch.cholesky_solve(alive * moments, system.lower)
    start, predicted, single_readings = 0.0, 0.0, 0
    # A Gram matrix of all rows leaves less of the error than a gradient in float32 would show.
    if gram_rows < sample_size and tolerance < FIRST_IN_DOUBLE:
        rest = _Reading(single, gram_rows, sample_size)
        gradient = system.gradient(moments - gram @ solution + rest.descent(solution)[0], solution)
        start = system.size(gradient) / scale if scale else 0.0
        # Half of the way: the other half, after a gradient in float64, should be the last.
        goal = (tolerance / max(start, tolerance)) ** 0.5

        def curvature(direction: Tensor) -> tuple[Tensor, Tensor]:
            image, along = rest.curvature(direction)
            return gram @ direction + image, along

        steps = system.steps(gradient, goal, curvature, None)
        solution, predicted, single_readings = solution + steps.correction, start * steps.left, 1 + steps.count
    del gram
    before, trusted, whole = float("inf"), INNER_SHRINKAGE, _Reading(single, 0, sample_size)
    for reading in range(1, MOST_ROUNDS + 1):
        descent, fitted = _Reading(double, 0, sample_size).descent(solution)
        gradient = system.gradient(descent, solution)
        size = system.size(gradient) / scale if scale else 0.0
        if not size < before / 2:
            break
        if start:
            trusted = min(trusted, max(tolerance, MARGIN * abs(size**2 - predicted**2) ** 0.5 / start))
        before, start = size, 0.0
        steps = system.steps(gradient, max(trusted, tolerance / max(size, tolerance)), whole.curvature, fitted)
        solution, single_readings = solution + steps.correction, single_readings + steps.count
        if size * steps.left <= tolerance:
            return StreamedSolution(solution, fitted, single_readings, reading, size * steps.left)
    raise NumericalFailure("The features are too nearly dependent for float32.")


@dataclass(frozen=True)
class _Reading:
    """The rows start <= i < stop, read once for each product; sums over blocks in float64."""

    rows: Rows
    start: int
    stop: int

    def descent(self, solution: Tensor) -> tuple[Tensor, Tensor]:
        """Phi^T (y - Phi a) and Phi a, from products in the rows' precision."""
        return self._product(solution, lambda values, labels: labels - values)

    def curvature(self, direction: Tensor) -> tuple[Tensor, Tensor]:
        """Phi^T Phi d and Phi d."""
        return self._product(direction, lambda values, labels: values)

    def _product(self, vector: Tensor, weights: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        image, along, at = torch.zeros_like(vector), vector.new_empty(self.stop - self.start, vector.shape[1]), 0
        for features, labels in self.rows.blocks(self.start, self.stop):
            values = tall_product(features, vector.to(features.dtype))
            along[at : at + len(values)] = values
            image += tall_product(features.T, weights(values, labels))
            at += len(values)
        return image, along


@dataclass(frozen=True)
class _Steps:
    """The correction after `count` steps, and what is left of the preconditioned gradient."""

    correction: Tensor
    count: int
    left: float


@dataclass(frozen=True)
class _System:
    """(Phi^T Phi + shift I) a = Phi^T y in the features that are not zero, and L, nearly the factor of its matrix."""

    lower: Float[Tensor, "m m"]
    alive: Float[Tensor, "m 1"]
    shift: float

    def gradient(self, descent: Tensor, solution: Tensor) -> Tensor:
        """Phi^T (y - Phi a) - shift a."""
        return self.alive * (descent - self.shift * solution)

    def size(self, gradient: Tensor) -> float:
        """|L^{-1} g|: the error of the predictions, to about 10 %."""
        return float(torch.linalg.solve_triangular(self.lower, gradient, upper=False).norm())

    def steps(
        self, gradient: Tensor, goal: float, curvature: Callable[[Tensor], tuple[Tensor, Tensor]], fitted: Tensor | None
    ) -> _Steps:
        """Conjugate gradients until `goal` of the preconditioned gradient is left.

        `curvature`: Phi^T Phi d and Phi d. `fitted` gains Phi times the correction.
        """
        correction, direction = torch.zeros_like(gradient), torch.zeros_like(gradient)
        before = torch.ones(gradient.shape[1], dtype=gradient.dtype)
        tiny, start = torch.finfo(gradient.dtype).tiny, self.size(gradient)
        left, steps = (1.0 if start else 0.0), 0
        while left > goal and steps < MOST_INNER_STEPS:
            preconditioned = torch.cholesky_solve(gradient, self.lower)
            energy = (gradient * preconditioned).sum(dim=0)
            direction = preconditioned + (energy / before.clamp(min=tiny) if steps else 0.0) * direction
            image, along = curvature(direction)
            image = self.alive * image + self.shift * direction
            length = energy / (direction * image).sum(dim=0).clamp(min=tiny)
            correction, gradient = correction + length * direction, gradient - length * image
            if fitted is not None:
                fitted += length * along
            before, steps = energy, steps + 1
            left = self.size(gradient) / start
        return _Steps(correction, steps, left)


def _sums(single: Rows, rows: int) -> tuple[Tensor, Tensor, float]:
    """Phi^T Phi, Phi^T y and |y|^2.

    The features lose their mean over the first block before they are multiplied, and get it back in float64: it would
    drown the rest, whose products float32 rounds relative to their size.
    """
    features, labels = next(iter(single.blocks(0, rows)))
    centre, width = features.mean(dim=0), features.shape[1]
    gram = features.new_zeros(width, width, dtype=torch.float64)
    sums, moments, label_sums = (
        gram.new_zeros(width),
        gram.new_zeros(width, labels.shape[1]),
        gram.new_zeros(labels.shape[1]),
    )
    squares, held = 0.0, 0
    buffer = features.new_empty(min(GRAM_BLOCK, rows), width)
    for features, labels in single.blocks(0, rows):
        for part, wanted in zip(features.split(GRAM_BLOCK), labels.split(GRAM_BLOCK), strict=True):
            if held + len(part) > len(buffer):
                gram += symmetric_product(buffer[:held])
                held = 0
            centred = torch.sub(part, centre, out=buffer[held : held + len(part)])
            held += len(part)
            sums += centred.sum(dim=0)
            moments += tall_product(centred.T, wanted)
            label_sums += wanted.sum(dim=0)
            squares += float((wanted.double() ** 2).sum())
    gram += symmetric_product(buffer[:held])
    middle = centre.double()
    gram += torch.outer(sums, middle) + torch.outer(middle, sums + rows * middle)
    moments += torch.outer(middle, label_sums)
    if not bool(torch.isfinite(gram.sum() + moments.sum())):
        raise NumericalFailure("A feature or a label is not finite.")
    return gram, moments, squares


def _factor(gram: Float[Tensor, "m m"], shift: float) -> Float[Tensor, "m m"]:
    """The Cholesky factor of gram + shift I, the diagonal raised until rounding has left it positive."""
    rise = 0.0
    while True:
        raised = gram.clone()
        raised.diagonal().mul_(1 + rise).add_(shift)
        lower, order = cholesky(raised)
        if order == len(gram):
            return lower
        rise = 4 * rise or SMALLEST_RISE
