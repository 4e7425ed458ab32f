"""The circuit of Friedman's second and third test functions, its four inputs scaled to [0,1]."""

import math

from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs
from models.measures import Measure


def resistance_and_reactance(inputs: Inputs) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """R and w L - 1/(w C): R = 100 x_1 ohm, w = 2 pi (20 + 260 x_2) per second, L = x_3 henry, C = 1 + 10 x_4 farad."""
    x1, x2, x3, x4 = inputs[:, :4].unbind(dim=1)
    pulsation = 2 * math.pi * (20 + 260 * x2)
    return 100 * x1, pulsation * x3 - 1 / (pulsation * (1 + 10 * x4))


def too_few_inputs(kind: str, dimension: int) -> str | None:
    """Why the dimension is too small, or None."""
    return None if dimension >= 4 else f"{kind} has 4 inputs, more than the dimension {dimension}."


def undefined_outside_the_cube(kind: str, measure: Measure) -> str | None:
    """Why the measure is refused, or None."""
    return None if measure == "uniform" else f"{kind} has poles outside [0,1]^d; its measure is uniform."
