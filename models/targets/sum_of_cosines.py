"""A trigonometric sum, given or drawn: the functions whose Fourier side is known exactly."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.plain_numbers import PlainNumbers
from models.randomness import Randomness, normal_rows, uniform_rows
from models.targets._waves import curvature_norm, wave_means
from models.targets.base import KnownFacts, Target

MOST_PAIRS = 128
"""Waves up to which E f*^2 is summed over all pairs."""


class Wave(PlainNumbers):
    """c cos(2 pi b.x + p)."""

    frequencies: Annotated[
        tuple[Annotated[float, Field(ge=-1000, le=1000)], ...],
        Field(min_length=1, max_length=10_000, description="Leading entries of b; the other coordinates get 0."),
    ]
    coefficient: Annotated[float, Field(ge=-1e6, le=1e6, description="c.")] = 1.0
    phase: Annotated[float, Field(ge=-100, le=100, description="p, in radians.")] = 0.0


class SumOfCosines(Target):
    """f*(x) = sum_k c_k cos(2 pi b_k.x + p_k), the waves given or (null) drawn from `seed`.

    Drawn: |b_k|_1 <= `degree`, an integer q uniform on 1..degree split into q unit steps, each in a coordinate drawn at
    random, with a fair sign for each coordinate; p_k ~ U[0, 2 pi]; c_k ~ N(0, 2 / terms), so that E f*^2 is about 1 on
    the cube where the b_k differ. `terms`, `degree` and `seed` are for the drawn waves only.
    """

    kind: Literal["sum_of_cosines"]
    waves: Annotated[tuple[Wave, ...], Field(min_length=1, max_length=1024)] | None = None
    terms: Annotated[int, Field(ge=1, le=1024, description="Number of waves to draw.")] = 8
    degree: Annotated[int, Field(ge=1, le=64, description="Largest |b|_1 to draw.")] = 3
    seed: Annotated[int, Field(ge=0, lt=2**63, description="Draws the waves.")] = 0

    statement: ClassVar[str] = "f*(x) = Σₖ cₖ cos(2π bₖ·x + φₖ),  C_f ≤ 4π² Σₖ |cₖ| ‖bₖ‖₁²"
    formula: ClassVar[str] = (
        r"f^*(x) = \sum_k c_k \cos(2\pi\, b_k \cdot x + \varphi_k), \qquad C_{f^*} \le 4\pi^2 \sum_k |c_k|\, "
        r"\|b_k\|_1^2"
    )
    reference: ClassVar[str] = "barron1993universal"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "sum_of_cosines"},
        {
            "kind": "sum_of_cosines",
            "waves": [
                {"frequencies": [1.0]},
                {"frequencies": [2.0], "coefficient": -0.5, "phase": 1.0},
            ],
        },
        {"kind": "sum_of_cosines", "terms": 3, "degree": 2, "seed": 7},
    )

    def parts(self, dimension: int) -> tuple[Float[Tensor, "t d"], Float[Tensor, " t"], Float[Tensor, " t"]]:
        """b_k row by row, c_k and p_k, float64; drawn ones depend on `seed`, `terms`, `degree` and the dimension."""
        if self.waves is None:
            return self._drawn(dimension)
        rows = [[*wave.frequencies, *[0.0] * (dimension - len(wave.frequencies))] for wave in self.waves]
        coefficients = [wave.coefficient for wave in self.waves]
        phases = [wave.phase for wave in self.waves]
        b, c, p = (torch.tensor(values, dtype=torch.float64) for values in (rows, coefficients, phases))
        return b, c, p

    def _drawn(self, dimension: int) -> tuple[Float[Tensor, "t d"], Float[Tensor, " t"], Float[Tensor, " t"]]:
        randomness = Randomness(self.seed).child(self.kind)
        # Uniform numbers for each wave: how many steps, the phase, the coordinate of each step.
        draws = uniform_rows(randomness, "waves", self.terms, 2 + self.degree)
        steps = 1 + (draws[:, :1] * self.degree).to(torch.int64)
        places = (draws[:, 2:] * dimension).to(torch.int64)
        taken = (torch.arange(self.degree) < steps).to(torch.float64)
        sizes = torch.zeros(self.terms, dimension, dtype=torch.float64).scatter_add_(1, places, taken)
        signs = torch.where(uniform_rows(randomness, "signs", self.terms, dimension) < 0.5, -1.0, 1.0)
        coefficients = math.sqrt(2 / self.terms) * normal_rows(randomness, "coefficients", self.terms, 1)[:, 0]
        return signs * sizes, coefficients, 2 * math.pi * draws[:, 1]

    def evaluate(self, inputs: Inputs) -> Labels:
        """sum_k c_k cos(2 pi b_k.x_i + p_k)."""
        b, c, p = (part.to(inputs) for part in self.parts(inputs.shape[1]))
        return (torch.cos(2 * math.pi * (inputs @ b.T) + p) @ c).unsqueeze(1)

    def check_dimension(self, dimension: int) -> str | None:
        """Every b must fit."""
        count = max((len(wave.frequencies) for wave in self.waves or ()), default=0)
        return None if count <= dimension else f"A wave has {count} entries, more than the dimension {dimension}."

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """Moments from E cos, cos s cos t = (cos(s - t) + cos(s + t)) / 2; C_f and the Barron norm by the triangle.

        The affine parts of the waves' ridge representations are added up before their norm is taken.
        """
        b, c, p = self.parts(dimension)
        bounded = measure != "gaussian"
        means = wave_means(b, p, measure)
        return KnownFacts(
            # On R^d one wave is outside the Barron space, yet a sum of waves could vanish.
            barron_norm_bound=_barron_norm_bound(b, c, p, measure) if bounded else None,
            spectral_bound=float(c.abs() @ (2 * math.pi * b.abs().sum(dim=1)) ** 2),
            mean=None if means is None else float(c @ means),
            l2_norm_squared=_sum_of_squares(b, c, p, measure),
            in_barron_space=True if bounded else None,
        )


def _barron_norm_bound(
    b: Float[Tensor, "t d"], c: Float[Tensor, " t"], p: Float[Tensor, " t"], measure: Measure
) -> float:
    frequencies = 2 * math.pi * b
    gradient = float(((c * torch.sin(p)) @ frequencies).abs().sum())
    affine = abs(float(c @ torch.cos(p))) + gradient * (1 if measure == "uniform" else 2)
    positive, negative = frequencies.clamp(min=0).sum(dim=1), -frequencies.clamp(max=0).sum(dim=1)
    waves = zip(c.tolist(), positive.tolist(), negative.tolist(), p.tolist(), strict=True)
    return affine + math.fsum(abs(size) * curvature_norm(up, down, phase, measure) for size, up, down, phase in waves)


def _sum_of_squares(
    b: Float[Tensor, "t d"], c: Float[Tensor, " t"], p: Float[Tensor, " t"], measure: Measure
) -> float | None:
    """E f*^2 over all pairs; None for many waves, or where a mean is not known."""
    if len(c) > MOST_PAIRS:
        return None
    total = 0.0
    for row, size, phase in zip(b, c, p, strict=True):
        for sign in (-1.0, 1.0):
            means = wave_means(row + sign * b, phase + sign * p, measure)
            if means is None:
                return None
            total += float(size * (c @ means)) / 2
    return total
