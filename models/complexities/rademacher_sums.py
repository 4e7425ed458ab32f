"""Random signed sums sum_i xi_i phi(x_i), in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Inputs
from models.randomness import Randomness

BLOCK_ROWS = 1024
"""Rows whose features and signs are held at a time."""


@dataclass(frozen=True)
class RademacherSums:
    """`sums[j]` = sum_i xi_i^(j) phi(x_i) for independent sign vectors xi^(j); `trace` = sum_i ||phi(x_i)||_2^2.

    `size` = n, `sup_squares` = sum_i ||phi(x_i)||_inf^2, `largest_column` = max_j sum_i phi_j(x_i)^2.
    """

    sums: Float[Tensor, "draws m"]
    size: int
    trace: float
    sup_squares: float
    largest_column: float

    @property
    def draws(self) -> int:
        """Sign vectors."""
        return self.sums.shape[0]


def rademacher_sums(
    inputs: Inputs, feature_map: Callable[[Inputs], Features], draws: int, randomness: Randomness
) -> RademacherSums:
    """Draw `draws` sign vectors (streams `signs/0`, `signs/1`, ... one a block of rows) and sum, float64.

    Memory is O(draws * m + BLOCK_ROWS * (draws + m)): no n x n and no n x draws matrix is formed.

    Raises:
        ValueError: the sample is empty.
    """
    if not len(inputs):
        raise ValueError("an empty sample has no Rademacher complexity")
    sums = columns = torch.zeros(1, dtype=torch.float64)
    trace = sup_squares = 0.0
    for block, rows in enumerate(inputs.split(BLOCK_ROWS)):
        with torch.no_grad():
            features = feature_map(rows).to("cpu", torch.float64)
        generator = randomness.child("signs").generator(str(block))
        bits = torch.randint(0, 2, (draws, rows.shape[0]), generator=generator, dtype=torch.int8)
        part = (bits.to(torch.float64) * 2 - 1) @ features
        sums = sums + part
        squares = features**2
        trace += float(squares.sum())
        sup_squares += float(squares.amax(dim=1).sum())
        columns = columns + squares.sum(dim=0)
    return RademacherSums(sums, inputs.shape[0], trace, sup_squares, float(columns.max()))
