"""Norms of targets in the reproducing kernel Hilbert spaces of `kernel_ridge`, at its default bandwidth sqrt(d)."""

import math

from jaxtyping import Float
from torch import Tensor

from models.measures import Measure

RkhsNorms = dict[str, float]
"""Kernel to norm: "gaussian" exact and infinite outside the space, "arc_cosine" an upper bound."""


def norms_of_bump(width: float, dimension: int, measure: Measure) -> RkhsNorms:
    """exp(-|x - c|^2 / (2 s^2)) and the Gaussian kernel of bandwidth t: (s^2 / (t sqrt(2 s^2 - t^2)))^{d/2}.

    The squared norm on R^d is int |f^|^2 / k^ = E_t (p_s / p_t)^2 with p_s the density of N(0, I/s^2), a product of
    one-dimensional Gaussian integrals that are finite where 2 s^2 > t^2. Functions of the space are analytic, so that
    their norm on any set with interior is the same; the sphere has none, and nothing is said of it.
    """
    if measure == "sphere":
        return {}
    bandwidth_squared, excess = float(dimension), 2 * width**2 - dimension
    if excess <= 0:
        return {"gaussian": math.inf}
    return {"gaussian": (width**2 / math.sqrt(bandwidth_squared * excess)) ** (dimension / 2)}


def norms_of_wave(measure: Measure) -> RkhsNorms:
    """A cosine, a constant included, is in no space of a Gaussian kernel.

    In d = 1 with bandwidth t the functions e^{-x^2/(2t^2)} x^k / (t^k sqrt(k!)) are an orthonormal basis, and
    e^{i w x} has the coefficients H_k(w t / sqrt 2) i^k / sqrt(2^k k!), Hermite functions at one point, whose squares
    do not add up; nor do those of even or odd k alone. A rotation makes any cosine one of a single coordinate.
    """
    return {} if measure == "sphere" else {"gaussian": math.inf}


def norms_of_affine(weights: Float[Tensor, " d"], bias: float, measure: Measure) -> RkhsNorms:
    """w.x + c: at most 2 sqrt(D) |(w, c)| for the arc-cosine kernel, D = d + 1; in no space of a Gaussian kernel.

    With u uniform on the sphere of R^D and a(u) = 2 D u.(w, c), E a(u) relu(u.x~) = D E (u.(w, c)) (u.x~) = (w, c).x~,
    because |u.x~| is even, and E a^2 = 4 D |(w, c)|^2. On a part of space other coefficients may give the same.
    """
    length = math.sqrt(float(weights @ weights) + bias**2)
    outside = {"gaussian": math.inf} if length > 0 and measure != "sphere" else {}
    return {"arc_cosine": 2 * math.sqrt(len(weights) + 1) * length} | outside
