"""Uniform bound on the generalization gap of a linear space by the norm of its coefficients."""

from typing import Annotated, Literal

import torch
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
from models.complexities.rkhs_ball import rkhs_ball_complexity


class RkhsBall(UniformGapBound):
    """The gap over the ball of the kernel k(x,x') = phi(x).phi(x') that contains the model, chosen after training.

    For frozen random features the kernel is that of the drawn features, so that no approximation of a limiting kernel
    enters. An output offset is one more feature, the constant. Nothing bounds k(x,x) before the sample, so the form
    `expected` is refused.
    """

    kind: Literal["rkhs_ball"]
    sign_draws: Annotated[
        int, Field(ge=100, le=100_000, description="Random sign vectors for the complexity; more tighten it.")
    ] = 1000

    statement = (
        "With probability at least 1 - delta, for every f = phi.a of norm ||a||_2 <= Q, Q on the grid sqrt(M) 2^(k/8): "
        "R(f) - R_n(f) <= 4 sqrt(M) (Q/N) E sqrt(xi^T K xi) + M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)), "
        "K_il = phi(x_i).phi(x_l); loss min(|clip f - y|^2, M), N = n - 2 rows beside the two that set the clipping "
        "range (pairs = n(n-1)), or N = n and pairs = 1 where the range was given"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every } f = \varphi \cdot a "
        r"\text{ of norm } \|a\|_2 \le Q, \\ &R(f) - R_n(f) \le 4 \sqrt{M}\, \frac{Q}{N}\, \mathbb{E}_\xi "
        r"\sqrt{\xi^\top K \xi} " + DEVIATION + r"&K_{il} = \varphi(x_i) \cdot \varphi(x_l), \\ " + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LINEAR, FROZEN, BOUNDED_INPUTS)
    reference = "bartlett2002rademacher"
    examples = ({"kind": "rkhs_ball"}, {"kind": "rkhs_ball", "sign_draws": 4000})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. Randomness: the stream `feature_signs` of the subject."""
        refusal = linear_refusal(self, subject, delta, "generalization_gap")
        if refusal is not None:
            return refusal

        def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
            drawn = signed_features(subject, inputs, self.sign_draws)
            return scaled(rkhs_ball_complexity(drawn, failure_probability).upper)

        norm = float(torch.linalg.vector_norm(coefficients_of(subject.model)))
        return uniform_gap(self, subject, delta, Ball(norm, of_sample), frozen_standings())
