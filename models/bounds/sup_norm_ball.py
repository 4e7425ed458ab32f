"""Uniform bound on the gap over all bounded functions: why a class must be smaller than that."""

import math
from typing import Literal

from models.arrays import Inputs
from models.bounds._formulas import DEVIATION, REST
from models.bounds._uniform_gap import (
    BOUNDED_INPUTS,
    FIXED_LOSS,
    IID,
    ONE_OUTPUT,
    Ball,
    Radius,
    UniformGapBound,
    class_refusal,
    uniform_gap,
)
from models.bounds.base import BoundReport, BoundSubject
from models.complexities.classical_balls import distinct_share, sup_norm_ball_complexity


class SupNormBall(UniformGapBound):
    """The gap over every function with values in the range: the complexity is half of the range at any n.

    Such functions fit any labels, so no number of rows says anything of other points; the bound is vacuous unless
    inputs repeat. It stands in the table as the zero of the scale. The form `expected` is refused.
    """

    kind: Literal["sup_norm_ball"]

    statement = (
        "With probability at least 1 - delta, for every f clipped to the range: R(f) - R_n(f) <= 4 sqrt(M) R^_N + "
        "M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)), R^_N = sqrt(M)/2 where the inputs differ: above M "
        "whatever N is; loss, N and pairs as for path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every } f \text{ clipped to the "
        r"range}, \\ &R(f) - R_n(f) \le 4 \sqrt{M}\, \hat{R}_N "
        + DEVIATION
        + r"&\hat{R}_N = \frac{\sqrt{M}}{2} \text{ where the inputs differ, so that } 4 \sqrt{M}\, \hat{R}_N = 2M, \\ "
        + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, BOUNDED_INPUTS)
    reference = "e2022mathematical"
    examples = ({"kind": "sup_norm_ball"}, {"kind": "sup_norm_ball", "sides": "two"})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. No randomness."""
        several = class_refusal(self, subject, delta)
        if several is not None:
            return several
        half_range = math.sqrt(subject.loss_cap) / 2

        def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
            share = subject.kept("distinct share", lambda: distinct_share(inputs))
            return lambda radius: sup_norm_ball_complexity(share, half_range)

        ball = Ball(half_range, of_sample, certain=True)
        return uniform_gap(self, subject, delta, ball, ())
