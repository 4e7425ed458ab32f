"""A plane wave cos(2 pi b.x): smooth, yet hard where |b|_1 is large."""

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs, Labels
from models.targets.base import KnownFacts, Target

Frequency = Annotated[float, Field(ge=-1000, le=1000)]


class CosineRidge(Target):
    """f*(x) = cos(2 pi b.x). For integer b != 0: mean 0 and E f*^2 = 1/2."""

    kind: Literal["cosine_ridge"]
    frequencies: Annotated[
        tuple[Frequency, ...],
        Field(min_length=1, max_length=10_000, description="Leading entries of b; the other coordinates get 0."),
    ] = (1.0,)

    statement: ClassVar[str] = "f*(x) = cos(2π b·x),  C_f = 4π²‖b‖₁²"
    reference: ClassVar[str] = "barron1993universal"
    examples: ClassVar[tuple[dict, ...]] = (
        {"kind": "cosine_ridge"},
        {"kind": "cosine_ridge", "frequencies": [1, -0.5]},
    )

    def evaluate(self, inputs: Inputs) -> Labels:
        """cos(2 pi b.x_i)."""
        count = len(self.frequencies)
        frequencies = torch.tensor(self.frequencies, dtype=inputs.dtype, device=inputs.device)
        return torch.cos(2 * math.pi * (inputs[:, :count] @ frequencies)).unsqueeze(1)

    def check_dimension(self, dimension: int) -> str | None:
        """b must fit."""
        count = len(self.frequencies)
        return None if count <= dimension else f"b has {count} entries, more than the dimension {dimension}."

    def known(self, dimension: int) -> KnownFacts:
        """Mean and norm in closed form, C_f, and the Barron norm by the ridge representation (bias weight counted).

        E cos(2 pi b.x) = cos(pi sum b_j) prod sinc(b_j), and cos^2(t) = (1 + cos(2t)) / 2. With t = b.x in
        [-B-, B+] and g = cos(2 pi .), f* = 1 + int_0^{B+} g''(u) relu(t - u) du + int_0^{B-} g''(u) relu(-t - u) du,
        and the neuron relu(±b.x - u) has norm |b|_1 + u.
        """
        positive = math.fsum(b for b in self.frequencies if b > 0)
        negative = math.fsum(-b for b in self.frequencies if b < 0)
        total = positive + negative
        curvature = _absolute_cosine_moment(total, positive) + _absolute_cosine_moment(total, negative)
        return KnownFacts(
            barron_norm_bound=1.0 + 4 * math.pi**2 * curvature,
            spectral_bound=4 * math.pi**2 * total**2,
            mean=_mean(self.frequencies),
            l2_norm_squared=(1.0 + _mean(tuple(2 * b for b in self.frequencies))) / 2,
            in_barron_space=True,
        )


def _mean(frequencies: tuple[float, ...]) -> float:
    b = torch.tensor(frequencies, dtype=torch.float64)
    # cos(pi s) with s reduced modulo 2 first: exact zeros of sinc are exact, large sums keep their phase.
    return math.cos(math.pi * math.fmod(math.fsum(frequencies), 2.0)) * float(torch.sinc(b).prod())


def _absolute_cosine_moment(weight: float, end: float) -> float:
    """int_0^end |cos(2 pi u)| (weight + u) du: quarter waves at the ends, whole half waves by their midpoints."""

    def primitive(u: float) -> float:
        return (weight + u) * math.sin(2 * math.pi * u) / (2 * math.pi) + math.cos(2 * math.pi * u) / (4 * math.pi**2)

    if end <= 0.25:
        return primitive(end) - primitive(0.0)
    whole = math.floor((end - 0.25) / 0.5)
    # A half wave around its midpoint u has int |cos| = 1/pi and first moment u/pi; the midpoints are 1/2, 1, 3/2, ...
    middle = (whole * weight + whole * (whole + 1) / 4) / math.pi
    last = 0.25 + 0.5 * whole
    return primitive(0.25) - primitive(0.0) + middle + abs(primitive(end) - primitive(last))
