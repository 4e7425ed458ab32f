"""Uniform bound on the gap of layered ReLU networks by their path norm, with a factor two for every layer."""

from typing import Annotated, Literal

from pydantic import Field

from models.bounds._formulas import DEVIATION, INPUTS, REST
from models.bounds._relu_layers import LAYERED, layered
from models.bounds._signed_sums import input_signs_ball
from models.bounds._uniform_gap import (
    BOUNDED_INPUTS,
    FIXED_LOSS,
    IID,
    ONE_OUTPUT,
    UniformGapBound,
    uniform_gap,
)
from models.bounds.base import BoundReport, BoundSubject
from models.complexities.relu_networks import group_norm_factor, path_norm_of_layers


class GroupNormBall(UniformGapBound):
    """The gap over the path-norm ball of networks of one depth, of any width; chosen after training.

    The path norm is the least product of the layers' largest row l1 norms over all rescalings of neurons, so it is the
    group norm of exponents 1 and infinity. Exponential in depth: see size_independent_l1_ball for a root.
    """

    kind: Literal["group_norm_ball"]
    sign_draws: Annotated[
        int, Field(ge=100, le=100_000, description="Random sign vectors for the complexity; more tighten it.")
    ] = 1000

    statement = (
        "With probability at least 1 - delta, for every ReLU network f of L hidden layers and path norm at most Q, Q "
        "on the grid sqrt(M) 2^(k/8): R(f) - R_n(f) <= 4 sqrt(M) 1.5 2^{L-1} (Q/N) E||sum_i xi_i x~_i||_inf + "
        "M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)); loss, N and pairs as for path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every ReLU network } f \text{ "
        r"of } L \text{ hidden layers and path norm at most } Q, \\ &R(f) - R_n(f) \le 4 \sqrt{M} \cdot 1.5 \cdot "
        r"2^{L-1}\, \frac{Q}{N}\, \mathbb{E}_\xi \left\|\sum_{i=1}^N \xi_i \tilde{x}_i\right\|_\infty "
        + DEVIATION
        + INPUTS
        + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LAYERED, BOUNDED_INPUTS)
    reference = "neyshabur2015norm"
    examples = ({"kind": "group_norm_ball"}, {"kind": "group_norm_ball", "form": "expected"})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. Randomness: the stream `input_signs` of the subject."""
        found = layered(self, subject, delta)
        if isinstance(found, BoundReport):
            return found
        layers, standings = found
        norm, factor = path_norm_of_layers(layers), group_norm_factor(layers.depth)
        ball = input_signs_ball(subject, norm, factor, self.sign_draws)
        return uniform_gap(self, subject, delta, ball, standings, {"hidden_layers": float(layers.depth)})
