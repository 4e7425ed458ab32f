"""A plane wave cos(2 pi b.x): smooth, yet hard where |b|_1 is large."""

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs, Labels
from models.measures import Measure
from models.targets._kernel_norms import norms_of_wave
from models.targets._waves import curvature_norm, wave_means
from models.targets.base import KnownFacts, Target

Frequency = Annotated[float, Field(ge=-1000, le=1000)]


class CosineRidge(Target):
    """f*(x) = cos(2 pi b.x). For integer b != 0 on the cube: mean 0 and E f*^2 = 1/2."""

    kind: Literal["cosine_ridge"]
    frequencies: Annotated[
        tuple[Frequency, ...],
        Field(min_length=1, max_length=10_000, description="Leading entries of b; the other coordinates get 0."),
    ] = (1.0,)

    statement: ClassVar[str] = "f*(x) = cos(2π b·x),  C_f = 4π²‖b‖₁²"
    formula: ClassVar[str] = r"f^*(x) = \cos(2\pi\, b \cdot x), \qquad C_{f^*} = 4\pi^2 \|b\|_1^2"
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

    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """Moments in closed form (cos^2(t) = (1 + cos(2t)) / 2), C_f, and the Barron norm by the ridge representation.

        f* = 1 + (neurons of norm |w|_1 + u, u in the range of w.x), w = 2 pi b, and the constant is one neuron.
        """
        positive = 2 * math.pi * math.fsum(b for b in self.frequencies if b > 0)
        negative = 2 * math.pi * math.fsum(-b for b in self.frequencies if b < 0)
        bound = 1.0 + curvature_norm(positive, negative, 0.0, measure)
        b = torch.tensor([[*self.frequencies, *[0.0] * (dimension - len(self.frequencies))]], dtype=torch.float64)
        # E cos(2 pi b.x) and E cos(4 pi b.x).
        means = wave_means(torch.cat([b, 2 * b]), torch.zeros(2, dtype=torch.float64), measure)
        return KnownFacts(
            barron_norm_bound=bound,
            spectral_bound=(positive + negative) ** 2,
            mean=None if means is None else float(means[0]),
            l2_norm_squared=None if means is None else (1.0 + float(means[1])) / 2,
            in_barron_space=math.isfinite(bound),
            rkhs_norms=norms_of_wave(measure),
        )
