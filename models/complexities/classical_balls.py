"""Balls of classical smoothness, whose complexity the dimension curses."""

import math
from dataclasses import dataclass

import torch

from models.arrays import Inputs

FINEST_LEVEL = 40
"""Cells of side 2^-40 of the data's box are below the resolution of the numbers that matter."""


@dataclass(frozen=True)
class CellCounts:
    """`roots[j]` = (1/n) sum over the cells of level j of sqrt(rows in the cell); `side` is the box's side, l_inf."""

    side: float
    roots: tuple[float, ...]


def cell_counts(inputs: Inputs) -> CellCounts:
    """Dyadic cells of the cube with the smallest corner and the largest side of the sample.

    Levels end where every row is alone, or at FINEST_LEVEL. The cube may depend on the sample: R^_n is about the
    given points. Memory is O(n d).
    """
    points = inputs.to(torch.float64)
    size = points.shape[0]
    lowest = points.amin(dim=0)
    side = float((points - lowest).max())
    if side == 0:
        return CellCounts(0.0, (1 / math.sqrt(size),))
    unit = (points - lowest) / side
    cells = torch.zeros(size, dtype=torch.int64)
    roots = []
    for level in range(FINEST_LEVEL + 1):
        places = (unit * 2**level).to(torch.int64).clamp(max=2**level - 1)
        # A cell's children are told apart inside it, so that a number a row names the cell at any level.
        _, cells = torch.unique(torch.cat([cells[:, None], places % 2], dim=1), dim=0, return_inverse=True)
        counts = torch.bincount(cells)
        roots.append(float(counts.to(torch.float64).sqrt().sum()) / size)
        if int(counts.max()) == 1:
            break
    return CellCounts(side, tuple(roots))


def lipschitz_ball_complexity(counts: CellCounts, lipschitz: float, half_range: float) -> float:
    """An upper limit of R^_n{ f : |f(x) - f(x')| <= L ||x - x'||_inf, |f - c| <= B }; c is any constant.

    Chaining over the cells: f(x) = f_0 + sum_{j<=J} (f_j - f_{j-1}) + rest, f_j the value at the centre of x's cell of
    level j. A centre lies within s 2^{-j}/2 of its parent's, so the increments are constants on cells of size at most
    min(L s 2^{-j}/2, 2B), f_0 - c is at most B, and the rest at most L s 2^{-J}/2. A function with a constant of size
    at most b on each cell C has (1/n) E sup sum_i xi_i f(x_i) = (b/n) sum_C E|sum_{i in C} xi_i| <= (b/n) sum_C
    sqrt(n_C). J is the best one. Whatever the points, |f - c| <= B gives at most B.

    With n points in general position sum_C sqrt(n_C) is near sqrt(n min(n, 2^{jd})), which gives n^{-1/d} for d > 2.
    """
    total, best = half_range * counts.roots[0], half_range
    for level, root in enumerate(counts.roots):
        step = lipschitz * counts.side * 2.0**-level / 2
        if level:
            total += min(step, 2 * half_range) * root
        best = min(best, total + step)
    return best


def lipschitz_rate(size: int, dimension: int, lipschitz: float, half_range: float) -> float:
    """The same for any n points of [0,1]^d: sum_C sqrt(n_C) <= sqrt(n min(n, 2^{jd})) by Cauchy-Schwarz."""
    roots = [math.sqrt(min(1.0, 2.0 ** min(level * dimension, 1000) / size)) for level in range(FINEST_LEVEL + 1)]
    return lipschitz_ball_complexity(CellCounts(1.0, tuple(roots)), lipschitz, half_range)


def sup_norm_ball_complexity(distinct_share: float, half_range: float) -> float:
    """R^_n{ f : |f - c| <= B } on a sample with distinct points: exactly B, with no decay in n.

    The function with f(x_i) = c + B xi_i is in the class. Equal points share a value: `distinct_share` = (1/n) sum
    over the different points of E|sum of their signs|, 1 where no two are equal.
    """
    return half_range * distinct_share


def distinct_share(inputs: Inputs) -> float:
    """(1/n) sum over the different points of E|xi_1 + .. + xi_k|, k the rows there: k C(k-1, floor(k/2)) / 2^{k-1}."""
    _, counts = torch.unique(inputs, dim=0, return_counts=True)
    total = 0.0
    for count in counts.unique().tolist():
        half = count // 2
        log_mean = math.lgamma(count) - math.lgamma(half + 1) - math.lgamma(count - half) - (count - 1) * math.log(2)
        total += int((counts == count).sum()) * count * math.exp(log_mean)
    return total / inputs.shape[0]
