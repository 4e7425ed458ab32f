"""E|x_1 - c|, E|x - c|_2 and E|x - c|_2^2 under each measure, c the same in every coordinate."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.measures import Measure
from models.targets._neurons import normal_relu_moments
from models.targets._quadrature import mean_length_of_a_normal_vector, quadrature

PANELS = 8


def mean_absolute_deviation(center: float, measure: Measure) -> float:
    """E|x_1 - c| for x_1 ~ U[0,1] or N(0, 1)."""
    if measure == "gaussian":
        return normal_relu_moments(-center, 1.0)[0] + normal_relu_moments(center, 1.0)[0]
    return (center**2 + (1 - center) ** 2) / 2 if 0 <= center <= 1 else abs(center - 0.5)


def mean_squared_distance(center: float, dimension: int, measure: Measure) -> float:
    """d (1/3 - c + c^2) on the cube, d (1 + c^2) under N(0, I), 1 + d c^2 on the sphere."""
    if measure == "uniform":
        return dimension * (1 / 12 + (center - 0.5) ** 2)
    if measure == "gaussian":
        return dimension * (1 + center**2)
    return 1 + dimension * center**2


def mean_distance(center: float, dimension: int, measure: Measure) -> float | None:
    """E|x - c|_2; None on the sphere away from c = 0, where it is 1.

    From r sqrt(pi) = int_0^infinity (1 - e^{-s^2 r^2}) s^{-2} ds: with p(s) = E e^{-s^2 (x_1 - c)^2},
    E|x - c| sqrt(pi) = int_0^infinity (1 - p(s)^d) s^{-2} ds, here cut at the scale a of 1/r and inverted beyond it.
    """
    if measure == "sphere":
        return 1.0 if center == 0 else None
    if measure == "gaussian" and center == 0:
        return mean_length_of_a_normal_vector(dimension)
    scale = 1 / math.sqrt(mean_squared_distance(center, dimension, measure))
    nodes, weights = quadrature(0.0, 1.0, PANELS)
    # expm1 and the logarithm keep the digits of 1 - p^d where s is small.
    inner = -torch.expm1(dimension * _log_laplace(scale * nodes, center, measure)) / nodes**2
    outer = -torch.expm1(dimension * _log_laplace(scale / nodes, center, measure))
    return float((weights * (inner + outer)).sum()) / (scale * math.sqrt(math.pi))


def _log_laplace(s: Float[Tensor, " q"], center: float, measure: Measure) -> Float[Tensor, " q"]:
    """log E exp(-s^2 (x_1 - c)^2) for x_1 ~ U[0,1] or N(0, 1)."""
    if measure == "gaussian":
        return -torch.log1p(2 * s**2) / 2 - (center * s) ** 2 / (1 + 2 * s**2)
    # By symmetry c <= 1/2. erfc keeps the digits where both ends lie on one side of c, quadrature where s is small.
    near = -min(center, 1 - center)
    far = 1 + near
    difference = torch.erf(far * s) - torch.erf(near * s) if near <= 0 else torch.erfc(near * s) - torch.erfc(far * s)
    points, weights = quadrature(near, far)
    missing = -torch.expm1(-((s[:, None] * points) ** 2)) @ weights
    return torch.where(far * s < 3, torch.log1p(-missing), torch.log(math.sqrt(math.pi) / (2 * s) * difference))
