"""The two reference functions of a decomposition: f_m, the best of the space, and f~, the best on the sample."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs, Labels, Parameters
from models.decomposition.reference_training import (
    WARM_STEP_SIZE,
    Batches,
    ReferenceBudget,
    best_of,
    mean_squared_error,
    restart_step_size,
    row_batches,
    train_runs,
)
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Advance
from models.linear_grid.fallbacks import solve_by_triangle
from models.linear_grid.grid import GrowingGrid
from models.linear_grid.rows import Block, ComputedRows
from models.randomness import Randomness
from models.samples import Sample
from models.streamed_least_squares import StreamedLeastSquares

WARM_STARTS = 2
"""How many of the functions found on samples are trained on with fresh rows."""
BATCHES_PER_DRAW = 32
PROBES = 16
"""Columns of random signs that measure leverage: the mean square of their fits knows it to a relative sqrt(2/PROBES) at
one point, and much better in the mean over the points."""


@runtime_checkable
class KnownTarget(Protocol):
    """f*."""

    def evaluate(self, inputs: Inputs) -> Labels:
        """f*(x_i), shape (n, k)."""


@runtime_checkable
class Population(Protocol):
    """A law of (x, y) with known f*: what a decomposition needs beside a sample."""

    @property
    def target(self) -> KnownTarget:
        """f*."""

    @property
    def noise_variance(self) -> float | None:
        """E|y - f*(x)|^2."""

    def inputs(self, size: int, randomness: Randomness, stream: str) -> Inputs:
        """x_1 .. x_n ~ mu of the named stream, float64 on the CPU."""

    def training_sample(self, sample_size: int | None, randomness: Randomness) -> Sample:
        """n rows with noise; a smaller n gives the first rows of a larger one."""


def fresh_sample(population: Population, size: int, randomness: Randomness, stream: str) -> Sample:
    """`size` fresh inputs with their noiseless labels f*(x), float64: R and R - noise have the same minimisers."""
    inputs = population.inputs(size, randomness, stream)
    return Sample(inputs, population.target.evaluate(inputs))


def random_signs(rows: int, randomness: Randomness) -> Float[Tensor, "n q"]:
    """PROBES columns of independent -1 and 1 (stream `probes`), float64.

    As labels of a projection of N points they have the fits g with E g(x)^2 = l(x)/N over the signs, l(x) = phi(x)^T
    E[phi phi^T]^+ phi(x) of the points themselves. Source: Hutchinson (1989).
    """
    drawn = torch.randint(2, (rows, PROBES), generator=randomness.generator("probes"))
    return 2.0 * drawn.to(torch.float64) - 1.0


def projection_and_probes(
    space: LinearSpace,
    parameters: Parameters,
    population: Population,
    rows: int,
    randomness: Randomness,
    advance: Advance,
) -> tuple[Parameters, Parameters]:
    """f_m of a linear space: the L2(mu) projection of f*, by least squares over `rows` fresh noiseless points.

    The frozen features are those of `parameters`. The points (stream `projection`) arrive in blocks, so the memory
    is O(m^2) whatever `rows`. R(f_m) - R(f*) = E e^2, e = f* - f_m, comes out too large by about E[l e^2]/rows in the
    mean, l(x) = phi(x)^T E[phi phi^T]^+ phi(x): a relative rank/rows where e^2 and the leverage l are uncorrelated, a
    few times that where the space errs most at its edges. The second function has PROBES outputs, the fits of
    `random_signs` on the same points, which tell l(x)/rows. By the Gram matrix as in `models.linear_grid` where that
    of the first block has a condition number for it, otherwise by an orthogonal triangularisation.

    Raises:
        Stopped: from `advance`, called at every block.
    """
    like = parameters["coefficients"]
    width, drawn = len(like), max(4_096, 4 * len(like))
    held: dict[int, Sample] = {}

    def compute(start: int, stop: int) -> Block:
        block, blocks = start // drawn, -(-rows // drawn)
        if block not in held:
            advance(block, blocks)
            streams, size = randomness.child(str(block)), min(drawn, rows - block * drawn)
            points = fresh_sample(population, size, streams, "projection").to(like.dtype, like.device)
            held.clear()
            held[block] = Sample(points.inputs, torch.cat([points.labels, random_signs(size, streams).to(like)], dim=1))
        part = slice(start - block * drawn, stop - block * drawn)
        features = space.features(parameters, held[block].inputs[part])
        return features.to(torch.float64), held[block].labels[part].to(torch.float64)

    # A Gram matrix grows by any rows; a QR costs as much for the triangle above new rows as for as many rows more.
    solution = _by_gram(ComputedRows(compute, drawn // 4), width, rows, drawn)
    if solution is None:
        fit = StreamedLeastSquares(width)
        for features, labels in ComputedRows(compute, drawn).blocks(0, rows):
            fit.add(features, labels)
        solution = solve_by_triangle(*fit.triangle(), [width], 0.0, rows)[0][0] if rows >= width else fit.solution()
    found, probes = solution.to(like.dtype).split([like.shape[1], PROBES], dim=1)
    return {**parameters, "coefficients": found}, {**parameters, "coefficients": probes}


def _by_gram(rows: ComputedRows, width: int, size: int, first: int) -> Tensor | None:
    """Coefficients of least squares over `size` rows, or None where the Gram matrix of the `first` ones is not enough.

    The condition number of those is near that of all. Should it still become too large, the grid has its own QR.
    """
    growing = GrowingGrid(rows, width, PROBES)
    if not growing.first(min(first, size)).solved_by_cholesky():
        return None
    return growing.first(size).fits((0.0,), (width,), (1.0,)).coefficients[:, 0, 0]


def least_squares_on_samples(
    space: LinearSpace, parameters: Parameters, sample: Sample, sample_sizes: Sequence[int]
) -> dict[int, Parameters]:
    """f~ of a linear space on the first n rows, for each n: least squares, of minimum norm where m > n.

    The features of the largest sample are computed once, and each sample size continues the triangle of the one
    before. A learner's own penalty does not enter here: its bias is part of the optimization term.
    """
    coefficients = parameters["coefficients"]
    fit = StreamedLeastSquares(coefficients.shape[0])
    minimisers: dict[int, Parameters] = {}
    used = 0
    for size in sorted(sample_sizes):
        block = Sample(sample.inputs[used:size], sample.labels[used:size]).to(coefficients.dtype, coefficients.device)
        with torch.no_grad():
            fit.add(space.features(parameters, block.inputs), block.labels)
        minimisers[size] = {**parameters, "coefficients": fit.solution().to(coefficients.dtype)}
        used = size
    return minimisers


def best_on_sample(
    space: HypothesisSpace,
    sample: Sample,
    starts: Iterable[Parameters],
    learned: Parameters,
    budget: ReferenceBudget,
    randomness: Randomness,
    advance: Advance,
) -> Parameters:
    """f~ of a non-convex space: least R_n over restarts from `starts`, a warm start from f^, and f^ itself.

    All runs see the same rows (stream `batches`). So R_n(f~) <= R_n(f^) always. An upper estimate of min R_n: nothing
    says that the restarts found it.
    """
    precision = next(iter(learned.values()))
    rows = sample.to(precision.dtype, precision.device)
    runs = [(learned, WARM_STEP_SIZE), *((start, restart_step_size(i)) for i, start in enumerate(starts))]
    trained = train_runs(space, runs, lambda: row_batches(rows, budget.batch, randomness), budget.steps, advance)
    return best_of(space, [learned, *trained], sample)


def best_in_space(
    space: HypothesisSpace,
    population: Population,
    starts: Iterable[Parameters],
    found: Sequence[Parameters],
    budget: ReferenceBudget,
    randomness: Randomness,
    advance: Advance,
) -> Parameters:
    """f_m of a non-convex space: least risk among restarts on fresh rows, and every function `found` on a sample.

    Each step sees new rows with noiseless labels, the same for all runs; the best of `found` are trained on in the same
    way. The choice is made on a selection sample of its own, on which R(f_m) <= R(f) holds for every f in `found`. An
    upper estimate of inf R over the space, in expectation, when measured on a third, independent sample; the lower end
    is R(f*).
    """
    selection = fresh_sample(population, budget.selection_size, randomness, "selection")
    warm = _least_risk(space, found, selection, WARM_STARTS)
    runs = [
        *((parameters, WARM_STEP_SIZE) for parameters in warm),
        *((start, restart_step_size(i)) for i, start in enumerate(starts)),
    ]
    trained: list[Parameters] = []
    if runs:
        precision = next(iter(runs[0][0].values()))
        streams = randomness.child("fresh_rows")
        trained = train_runs(
            space,
            runs,
            lambda: _fresh_batches(population, budget.batch, streams, precision),
            budget.population_steps,
            advance,
        )
    return best_of(space, [*found, *trained], selection)


def selection_risk(
    space: HypothesisSpace, population: Population, found: Parameters, budget: ReferenceBudget, randomness: Randomness
) -> float:
    """R(f) - noise on the points that `best_in_space` with the same `randomness` chose by; label units squared."""
    return mean_squared_error(space, found, fresh_sample(population, budget.selection_size, randomness, "selection"))


def _least_risk(space: HypothesisSpace, found: Sequence[Parameters], selection: Sample, count: int) -> list[Parameters]:
    remaining, chosen = list(found), list[Parameters]()
    while remaining and len(chosen) < count:
        best = best_of(space, remaining, selection)
        remaining = [parameters for parameters in remaining if parameters is not best]
        chosen.append(best)
    return chosen


def _fresh_batches(population: Population, batch: int, randomness: Randomness, precision: Tensor) -> Batches:
    held: list[Sample] = []

    def draw(step: int) -> Sample:
        turn = step % BATCHES_PER_DRAW
        if turn == 0:
            rows = fresh_sample(population, batch * BATCHES_PER_DRAW, randomness.child(str(step)), "fresh")
            rows = rows.to(precision.dtype, precision.device)
            held[:] = [
                Sample(inputs, labels)
                for inputs, labels in zip(rows.inputs.split(batch), rows.labels.split(batch), strict=True)
            ]
        return held[turn]

    return draw
