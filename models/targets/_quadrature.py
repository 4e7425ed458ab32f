"""One-dimensional quadrature, means over the unit sphere of functions of one direction, and two constants."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

NODES_OF_A_PANEL = 32
WAVES_OF_A_PANEL = 12.0


@lru_cache(maxsize=1)
def _panel() -> tuple[Float[Tensor, " q"], Float[Tensor, " q"]]:
    points, weights = np.polynomial.legendre.leggauss(NODES_OF_A_PANEL)
    return torch.from_numpy((points + 1) / 2), torch.from_numpy(weights / 2)


def quadrature(start: float, end: float, panels: int = 1) -> tuple[Float[Tensor, " q"], Float[Tensor, " q"]]:
    """Nodes and weights of the composite Gauss-Legendre rule on [start, end], float64; a panel has 32 nodes."""
    points, weights = _panel()
    width = (end - start) / panels
    left = start + width * torch.arange(panels, dtype=torch.float64)
    return (left[:, None] + width * points).reshape(-1), (width * weights).repeat(panels)


def zonal_mean(
    function: Callable[[Tensor], Tensor], dimension: int, kink: float | None = None, sharpness: float = 0.0
) -> float:
    """E g(u.x), x uniform on S^{d-1} and |u|_2 = 1, for g smooth on [-1, kink] and on [kink, 1].

    int_0^pi g(cos t) sin^{d-2}(t) dt over its value at g = 1: the integrands are smooth on either side, so the rule is
    exact to round-off once the nodes outnumber the waves. `sharpness`: sup |g'| / sup |g|, which sets how many.
    """
    if dimension == 1:
        return float(function(torch.tensor([-1.0, 1.0], dtype=torch.float64)).mean())
    # sin^{d-2} is a bump of width d^{-1/2}.
    panels = 1 + math.ceil((sharpness + math.sqrt(dimension)) / WAVES_OF_A_PANEL)
    turn = math.pi / 2 if kink is None or abs(kink) >= 1 else math.acos(kink)
    sides = (quadrature(0.0, turn, panels), quadrature(turn, math.pi, panels))
    angles, weights = (torch.cat(parts) for parts in zip(*sides, strict=True))
    density = weights * torch.sin(angles) ** (dimension - 2)
    return float((density * function(torch.cos(angles))).sum() / density.sum())


def mean_absolute_coordinate(dimension: int) -> float:
    """E|x_1| on S^{d-1}: Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2))."""
    return math.exp(math.lgamma(dimension / 2) - math.lgamma((dimension + 1) / 2)) / math.sqrt(math.pi)


def mean_length_of_a_normal_vector(dimension: int) -> float:
    """E|g|_2 for g ~ N(0, I_d): sqrt(2) Gamma((d+1)/2) / Gamma(d/2)."""
    return math.sqrt(2) * math.exp(math.lgamma((dimension + 1) / 2) - math.lgamma(dimension / 2))
