"""The lower end of the path-norm ball's complexity, by looking for good neurons; exact for D <= 3.

R^_n(F_1) = (1/n) E S(xi), S(xi) = sup over ||w||_1 <= 1 of |sum_i xi_i max(0, w.x~_i)|. Any neuron gives a lower value
of S; its mean over sign vectors is a lower value of the complexity up to the Monte Carlo error.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs
from models.complexities.path_norm_ball import homogeneous
from models.randomness import Randomness

ASCENT_ROUNDS = 6
MOST_PRODUCTS = 5e9
"""Multiplications spent on the exact value; beyond, the search is used for D = 3 too."""
BLOCK_NEURONS = 2048
MOST_PAIRED_COLUMNS = 16
START_ROWS = 8
"""At 16 columns these are 1,920 neurons to start from."""


@dataclass(frozen=True)
class SearchedLowerEnd:
    """`estimate`: mean of the values found over n. `lower`: at most R^_n(F_1) with probability 1 - failure_probability.

    `exact`: the supremum itself was found for every sign vector, so that the estimate is unbiased.
    """

    estimate: float
    standard_error: float
    lower: float
    exact: bool


def searched_lower_end(
    inputs: Inputs, draws: int, failure_probability: float, randomness: Randomness
) -> SearchedLowerEnd:
    """Values of S for `draws` sign vectors.

    D = d + 1 <= 3: S is piecewise linear and homogeneous, so on a face of the l1 ball its maximum lies at a vertex of
    the cells into which the hyperplanes w.x~_i = 0 cut the face: w = +-e_j, a w of two entries on one hyperplane, or of
    three on two of them. All are tried. D > 3: from the best of +-e_j (for D <= 16 also of the two-entry neurons of
    some rows) a step goes towards the vertex that the gradient over the active rows prefers, to the best point between.

    Monte Carlo error: one sign moves S by at most 2 ||x~_i||_inf, and S is at least the value found, so that with
    probability 1 - failure_probability the complexity is at least the mean minus sqrt(2 sum_i ||x~_i||_inf^2
    ln(1/failure_probability) / draws)/n (McDiarmid over the n draws signs).

    Randomness: the streams `search_signs`, `search_rows`. Memory is O((n + BLOCK_NEURONS) draws).
    """
    rows = homogeneous(inputs).to("cpu", torch.float64)
    size = rows.shape[0]
    bits = torch.randint(0, 2, (draws, size), generator=randomness.generator("search_signs"), dtype=torch.int8)
    signs = bits.to(torch.float64) * 2 - 1
    neurons = _breakpoints(rows, draws)
    exact = neurons is not None
    if neurons is None:
        values = _ascended(rows, signs, randomness)
    else:
        values = torch.stack([_best(rows, signs, block) for block in neurons.split(BLOCK_NEURONS)]).amax(dim=0)
    estimate = float(values.mean()) / size
    sup_squares = float((rows.abs().amax(dim=1) ** 2).sum())
    slack = math.sqrt(2 * sup_squares * math.log(1 / failure_probability) / draws) / size
    error = float(values.std(unbiased=True)) / math.sqrt(draws) / size
    return SearchedLowerEnd(estimate, error, max(0.0, estimate - slack), exact)


def _best(
    rows: Float[Tensor, "n D"], signs: Float[Tensor, "draws n"], neurons: Float[Tensor, "k D"]
) -> Float[Tensor, " draws"]:
    """The best of the neurons for each sign vector."""
    return (signs @ torch.relu(rows @ neurons.T)).abs().amax(dim=1)


def _normalised(neurons: Float[Tensor, "k D"]) -> Float[Tensor, "k D"]:
    """To ||w||_1 = 1; those that vanish are dropped."""
    lengths = neurons.abs().sum(dim=1)
    return neurons[lengths > 0] / lengths[lengths > 0, None]


def _vertices(columns: int) -> Float[Tensor, "k D"]:
    unit = torch.eye(columns, dtype=torch.float64)
    return torch.cat([unit, -unit])


def _two_entries(rows: Float[Tensor, "n D"]) -> Float[Tensor, "k D"]:
    """+-(x~_k e_j - x~_j e_k) for all pairs j < k and all rows: on the row's hyperplane."""
    found = []
    for first in range(rows.shape[1]):
        for second in range(first + 1, rows.shape[1]):
            neurons = torch.zeros_like(rows)
            neurons[:, first], neurons[:, second] = rows[:, second], -rows[:, first]
            found.append(neurons)
    both = torch.cat(found)
    return _normalised(torch.cat([both, -both]))


def _breakpoints(rows: Float[Tensor, "n D"], draws: int) -> Float[Tensor, "k D"] | None:
    """Every neuron at which S can be attained, or None where D > 3 or there are too many."""
    size, columns = rows.shape
    count = size * (size - 1) if columns == 3 else 2 * size
    if columns > 3 or float(count) * size * draws > MOST_PRODUCTS:
        return None
    neurons = [_vertices(columns), _two_entries(rows)]
    if columns == 3:
        first, second = torch.triu_indices(size, size, 1)
        crossed = torch.linalg.cross(rows[first], rows[second])
        neurons += [_normalised(torch.cat([crossed, -crossed]))]
    return torch.cat(neurons)


def _ascended(
    rows: Float[Tensor, "n D"], signs: Float[Tensor, "draws n"], randomness: Randomness
) -> Float[Tensor, " draws"]:
    """Frank-Wolfe steps with an exact search on each segment, for both signs of the sum at once."""
    size, columns = rows.shape
    starts = _vertices(columns)
    if columns <= MOST_PAIRED_COLUMNS:
        chosen = torch.randperm(size, generator=randomness.generator("search_rows"))[:START_ROWS]
        starts = torch.cat([starts, _two_entries(rows[chosen])])
    both = torch.cat([signs, -signs])
    outputs = both @ torch.relu(rows @ starts.T)
    best = outputs.argmax(dim=1)
    neurons, values = starts[best], outputs.amax(dim=1)
    for _ in range(ASCENT_ROUNDS):
        projected = rows @ neurons.T
        gradients = (both.T * (projected > 0)).T @ rows
        place = gradients.abs().argmax(dim=1)
        ends = torch.zeros_like(neurons)
        ends[torch.arange(len(ends)), place] = gradients[torch.arange(len(ends)), place].sign()
        share, reached = _best_on_segment(projected, rows @ ends.T, both)
        better = reached > values
        neurons = torch.where(better[:, None], (1 - share[:, None]) * neurons + share[:, None] * ends, neurons)
        values = torch.where(better, reached, values)
    return values.reshape(2, -1).amax(dim=0)


def _best_on_segment(
    start: Float[Tensor, "n draws"], end: Float[Tensor, "n draws"], signs: Float[Tensor, "draws n"]
) -> tuple[Float[Tensor, " draws"], Float[Tensor, " draws"]]:
    """argmax and max over t in [0,1] of sum_i xi_i max(0, (1-t) u_i + t v_i): piecewise linear, by its kinks.

    The slope on the first piece is a sum over the rows active there; at the kink t_i = u_i / (u_i - v_i) row i turns on
    or off, which adds xi_i |v_i - u_i| to the slope.
    """
    change = end - start
    weighted = signs.T * change
    at_start = start > 0
    first_slope = (weighted * (at_start | ((start == 0) & (change > 0)))).sum(dim=0)
    kinks = torch.where(start * end < 0, start / (start - end), torch.full_like(start, math.inf))
    turns = torch.where(torch.isfinite(kinks), signs.T * change.abs(), torch.zeros_like(start))
    order = kinks.argsort(dim=0)
    kinks, turns = kinks.gather(0, order).clamp(max=1.0), turns.gather(0, order)
    slopes = torch.cat([first_slope[None], first_slope[None] + turns.cumsum(dim=0)])
    times = torch.cat([torch.zeros_like(kinks[:1]), kinks, torch.ones_like(kinks[:1])])
    base = (signs.T * torch.relu(start)).sum(dim=0)
    heights = torch.cat([base[None], base + (slopes * times.diff(dim=0)).cumsum(dim=0)])
    best = heights.argmax(dim=0)
    columns = torch.arange(len(best))
    return times[best, columns], heights[best, columns]
