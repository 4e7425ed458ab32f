"""E relu(w.x + c) and E relu(w.x + c)^2 under each measure, and the weights that a specification leaves to a seed."""

import math
from fractions import Fraction
from itertools import product
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.measures import Measure
from models.randomness import Randomness, normal_rows
from models.targets._quadrature import zonal_mean

Weights = Annotated[
    tuple[Annotated[float, Field(ge=-1000, le=1000)], ...],
    Field(min_length=1, max_length=10_000, description="Leading entries of w; the other coordinates get 0."),
]
EXACT_WEIGHTS = 10
"""Nonzero weights up to which the 2^k vertices of the cube are summed, in exact rational arithmetic."""


def weights_in(dimension: int, given: tuple[float, ...] | None, seed: int, stream: str) -> Float[Tensor, " d"]:
    """`given` filled up with zeros, or a direction uniform on the unit sphere |w|_2 = 1; float64."""
    if given is None:
        drawn = normal_rows(Randomness(seed).child(stream), "weights", 1, dimension)[0]
        return drawn / drawn.norm()
    return torch.tensor([*given, *[0.0] * (dimension - len(given))], dtype=torch.float64)


def too_many(given: tuple[float, ...] | None, dimension: int) -> str | None:
    """Why `given` does not fit the dimension, or None."""
    count = 0 if given is None else len(given)
    return None if count <= dimension else f"w has {count} entries, more than the dimension {dimension}."


def relu_moments(weights: list[float], bias: float, measure: Measure) -> tuple[float | None, float | None]:
    """E relu(w.x + c) and its square's mean; None where the cube has too many vertices to sum."""
    length = math.hypot(*weights)
    if length == 0:
        return max(bias, 0.0), max(bias, 0.0) ** 2
    if measure == "gaussian":
        return normal_relu_moments(bias, length)
    if measure == "sphere":
        kink = -bias / length

        def neuron(u: Tensor) -> Tensor:
            return torch.relu(length * u + bias)

        dimension = len(weights)
        return (
            zonal_mean(neuron, dimension, kink=kink),
            zonal_mean(lambda u: neuron(u) ** 2, dimension, kink=kink),
        )
    return _cube_moments(weights, bias)


def normal_relu_moments(mean: float, deviation: float) -> tuple[float, float]:
    """E relu(Z) and E relu(Z)^2 for Z ~ N(c, s^2): c P + s p and (c^2 + s^2) P + c s p, P = Phi(c/s), p = phi(c/s)."""
    if deviation == 0:
        return max(mean, 0.0), max(mean, 0.0) ** 2
    ratio = mean / deviation
    below = math.erfc(-ratio / math.sqrt(2)) / 2
    density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    return mean * below + deviation * density, (mean**2 + deviation**2) * below + mean * deviation * density


def _cube_moments(weights: list[float], bias: float) -> tuple[float | None, float | None]:
    """Affine where the neuron does not turn on the cube, else a sum over its vertices v, k the nonzero weights:

    E relu(w.x + c)^p = p! / ((p + k)! prod w_j) sum_v (-1)^{k - |v|_1} relu(w.v + c)^{p + k}.
    """
    lowest = bias + math.fsum(w for w in weights if w < 0)
    highest = bias + math.fsum(w for w in weights if w > 0)
    if highest <= 0:
        return 0.0, 0.0
    if lowest >= 0:
        mean = bias + math.fsum(weights) / 2
        return mean, mean**2 + math.fsum(w**2 for w in weights) / 12
    # The terms cancel to many digits in floating point; a float is a rational number, so here nothing is lost.
    exact = [Fraction(w) for w in weights if w != 0]
    if len(exact) > EXACT_WEIGHTS:
        return None, None
    sums = {1: Fraction(0), 2: Fraction(0)}
    for vertex in product((0, 1), repeat=len(exact)):
        value = Fraction(bias) + sum((w for w, v in zip(exact, vertex, strict=True) if v), Fraction(0))
        if value > 0:
            sign = -1 if (len(exact) - sum(vertex)) % 2 else 1
            for power in sums:
                sums[power] += sign * value ** (power + len(exact))
    volume = math.prod(exact, start=Fraction(1))
    mean, squared = (
        float(total * math.factorial(power) / (math.factorial(power + len(exact)) * volume))
        for power, total in sums.items()
    )
    return mean, squared
