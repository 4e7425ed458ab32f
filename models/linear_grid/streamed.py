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
SMALLEST_RISE = 2.0**-20
"""What float32 may have added to the diagonal or taken from it, relative, with room to spare."""
INNER_SHRINKAGE = 1e-3
"""What one round of steps in float32 is trusted to leave of the error."""
MOST_INNER_STEPS = 12
MOST_ROUNDS = 10


@dataclass(frozen=True)
class StreamedSolution:
    """`coefficients`; how often the rows were read in either precision; and an estimate of the error.

    `error`: root mean square difference of the predictions on the sample, relative to that of the labels.
    """

    coefficients: Float[Tensor, "m k"]
    single_readings: int
    double_readings: int
    error: float


def streamed_ridge(
    single: Rows, double: Rows, sample_size: int, penalty: float, tolerance: float = 1e-8
) -> StreamedSolution:
    """argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2 over the first n rows, read block by block, in memory O(m^2).

    `single`, `double`: the same rows in float32 and float64, in blocks that should fit a processor's cache. The first
    min(n, 128 m) rows give a Gram matrix and a first solution. Its Cholesky factor preconditions conjugate gradients:
    each round takes the gradient from `double` and solves for the correction with products from `single`, so that
    float32 limits the speed and not the accuracy. Rounds end when the error, which the preconditioned gradient
    measures to about 10 %, is below `tolerance`. A feature that is zero on the Gram matrix's rows has coefficient 0.
    No randomness. Cost: 128 m^3 + O(n m d) against n m^2 of the whole Gram matrix.

    Raises:
        NumericalFailure: a feature is not finite, or the error does not shrink: the features are too nearly
            dependent for float32; `StreamedLeastSquares` is slower and not.
    """
    first = next(iter(single.blocks(0, 1)))[0]
    gram_rows = min(sample_size, ROWS_PER_FEATURE * first.shape[1])
    gram, moments, norm_squared = _sums(single, gram_rows)
    alive = (gram.diagonal() > 0).to(gram.dtype)[:, None]
    # The row and the column of a zero feature are zero: with 1 on the diagonal its coefficient stays 0.
    gram.diagonal().add_(1 - alive[:, 0])
    shift, growth = sample_size * penalty, sample_size / gram_rows
    lower = _factor(growth * gram, shift)
    del gram
    scale = (growth * norm_squared) ** 0.5
    solution = growth * torch.cholesky_solve(alive * moments, lower)
    single_readings, before = 0, float("inf")
    for reading in range(1, MOST_ROUNDS + 1):
        gradient = -shift * solution
        for features, labels in double.blocks(0, sample_size):
            gradient += tall_product(features.T, labels - tall_product(features, solution))
        gradient *= alive
        size = _size(gradient, lower) / scale if scale else 0.0
        if not size < before / 2:
            break
        before, shrinkage = size, 1.0
        if size > tolerance:
            goal = max(INNER_SHRINKAGE, tolerance / size)
            correction, steps, shrinkage = _corrected(
                gradient, lower, _curvature(single, sample_size, alive, shift), goal
            )
            solution, single_readings = solution + correction, single_readings + steps
        if size * shrinkage <= tolerance:
            return StreamedSolution(solution, single_readings, reading, size * shrinkage)
    raise NumericalFailure("The features are too nearly dependent for float32.")


def _size(gradient: Tensor, lower: Tensor) -> float:
    return float(torch.linalg.solve_triangular(lower, gradient, upper=False).norm())


def _curvature(single: Rows, sample_size: int, alive: Tensor, shift: float) -> Callable[[Tensor], Tensor]:
    """d -> (Phi^T Phi + shift) d from the float32 rows, summed over blocks in float64."""

    def product(direction: Tensor) -> Tensor:
        image, short = shift * direction, direction.float()
        for features, _ in single.blocks(0, sample_size):
            image += tall_product(features.T, tall_product(features, short))
        return alive * image

    return product


def _corrected(
    gradient: Tensor, lower: Tensor, product: Callable[[Tensor], Tensor], goal: float
) -> tuple[Tensor, int, float]:
    """Conjugate gradients until `goal` of the preconditioned gradient is left: correction, steps, and what is left."""
    start = _size(gradient, lower)
    correction, direction = torch.zeros_like(gradient), torch.zeros_like(gradient)
    before = torch.ones(gradient.shape[1], dtype=gradient.dtype)
    tiny = torch.finfo(gradient.dtype).tiny
    left, steps = 1.0, 0
    while left > goal and steps < MOST_INNER_STEPS:
        preconditioned = torch.cholesky_solve(gradient, lower)
        energy = (gradient * preconditioned).sum(dim=0)
        direction = preconditioned + (energy / before.clamp(min=tiny) if steps else 0.0) * direction
        image = product(direction)
        length = energy / (direction * image).sum(dim=0).clamp(min=tiny)
        correction, gradient = correction + length * direction, gradient - length * image
        before, steps = energy, steps + 1
        left = _size(gradient, lower) / start
    return correction, steps, left


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
