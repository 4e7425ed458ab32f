"""Uniform bound on the generalization gap of a linear space by the l1 norm of its coefficients."""

from typing import Annotated, Literal

from pydantic import Field

from models.arrays import Inputs
from models.bounds._formulas import DEVIATION, REST
from models.bounds._frozen_features import (
    FROZEN,
    LINEAR,
    coefficients_of,
    frozen_standings,
    linear_refusal,
)
from models.bounds._signed_sums import signed_features
from models.bounds._uniform_gap import (
    BOUNDED_INPUTS,
    FIXED_LOSS,
    IID,
    ONE_OUTPUT,
    Ball,
    Radius,
    UniformGapBound,
    scaled,
    uniform_gap,
)
from models.bounds.base import BoundReport, BoundSubject
from models.complexities.linear_balls import l1_ball_complexity


class L1Ball(UniformGapBound):
    """The gap over the l1 ball of coefficients that contains the model, chosen after training.

    The complexity grows with the logarithm of the number of features only; the l1 norm of coefficients that were
    learnt with an l2 penalty is up to sqrt(m) times their l2 norm, so this pays for sparse coefficients. An output
    offset is one more feature, the constant. Nothing bounds phi before the sample: the form `expected` is refused.
    """

    kind: Literal["l1_ball"]
    sign_draws: Annotated[
        int, Field(ge=100, le=100_000, description="Random sign vectors for the complexity; more tighten it.")
    ] = 1000

    statement = (
        "With probability at least 1 - delta, for every f = phi.a of norm ||a||_1 <= Q, Q on the grid sqrt(M) 2^(k/8): "
        "R(f) - R_n(f) <= 4 sqrt(M) (Q/N) E||sum_i xi_i phi(x_i)||_inf + M sqrt(2 ln(pairs/(delta w_k))/N) + "
        "(R_N(f) - R_n(f)); loss min(|clip f - y|^2, M), N and pairs as for rkhs_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every } f = \varphi \cdot a "
        r"\text{ of norm } \|a\|_1 \le Q, \\ &R(f) - R_n(f) \le 4 \sqrt{M}\, \frac{Q}{N}\, \mathbb{E}_\xi "
        r"\left\|\sum_{i=1}^N \xi_i \varphi(x_i)\right\|_\infty " + DEVIATION + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LINEAR, FROZEN, BOUNDED_INPUTS)
    reference = "mohri2018foundations"
    examples = ({"kind": "l1_ball"}, {"kind": "l1_ball", "sign_draws": 4000, "sides": "two"})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. Randomness: the stream `feature_signs` of the subject."""
        refusal = linear_refusal(self, subject, delta, "generalization_gap")
        if refusal is not None:
            return refusal

        def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
            drawn = signed_features(subject, inputs, self.sign_draws)
            return scaled(l1_ball_complexity(drawn, failure_probability).upper)

        norm = float(coefficients_of(subject.model).abs().sum())
        return uniform_gap(self, subject, delta, Ball(norm, of_sample), frozen_standings())
