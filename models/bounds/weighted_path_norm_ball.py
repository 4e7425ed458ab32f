"""Uniform bound on the gap of residual networks by their weighted path norm, whatever their depth and width."""

from typing import Annotated, Literal

import torch
from pydantic import Field

from models.assumptions import Assumption, standing
from models.bounds._formulas import DEVIATION, INPUTS, REST
from models.bounds._signed_sums import input_signs_ball
from models.bounds._uniform_gap import (
    BOUNDED_INPUTS,
    FIXED_LOSS,
    IID,
    ONE_OUTPUT,
    UniformGapBound,
    class_refusal,
    uniform_gap,
)
from models.bounds.base import BoundReport, BoundSubject
from models.hypothesis_spaces.residual import Residual
from models.learned_model import LearnedModel

RESIDUAL = Assumption(
    name="residual_relu", text="f is a residual network z_{l+1} = z_l + U_l max(0, W_l z_l), f = alpha.z_L, z_0 = V x~."
)


class WeightedPathNormBall(UniformGapBound):
    """The gap over the ball of the weighted path norm || |alpha|^T prod_l (I + 3 |U_l| |W_l|) |V| ||_1.

    Complexity. Let P_l(q) be the functions w.z_l of weighted path norm at most q, X = ||sum_i xi_i x~_i||_inf. Then
    w.z_l = w.V x~ + sum over layers k < l and neurons j of c_kj max(0, g_kj) with g_kj in P_k, and the norms satisfy
    ||wV||_1 + 3 sum |c_kj| ||g_kj|| <= q. So |sum_i xi_i w.z_l(x_i)| <= q max(X, Y_l / 3), Y_l = sup |sum_i xi_i
    max(0, g(x_i))| over g in P_k(1), k < l. E Y_l <= 2 E sup |sum_i xi_i g(x_i)| by contraction, hence r_l <= E X +
    (2/3) r_{l-1} for r_l = E sup over P_l(1), and r_L <= 3 (1 - (2/3)^{L+1}) E X. No layer costs more than the factor
    that its norm already pays.
    """

    kind: Literal["weighted_path_norm_ball"]
    sign_draws: Annotated[
        int, Field(ge=100, le=100_000, description="Random sign vectors for the complexity; more tighten it.")
    ] = 1000

    statement = (
        "With probability at least 1 - delta, for every residual ReLU network f of L layers and weighted path norm at "
        "most Q, Q on the grid sqrt(M) 2^(k/8): R(f) - R_n(f) <= 4 sqrt(M) 3 (1 - (2/3)^{L+1}) (Q/N) E||sum_i xi_i "
        "x~_i||_inf + M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)); loss, N, pairs as for path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every residual network } f "
        r"\text{ of } L \text{ layers and weighted path norm at most } Q, \\ &R(f) - R_n(f) \le 4 \sqrt{M} \cdot 3 "
        r"\left(1 - \left(\tfrac{2}{3}\right)^{L+1}\right) \frac{Q}{N}\, \mathbb{E}_\xi \left\|\sum_{i=1}^N \xi_i "
        r"\tilde{x}_i\right\|_\infty "
        + DEVIATION
        + r"&Q \ge \left\|\, |\alpha|^\top \prod_l \left(I + 3 |U_l| |W_l|\right) |V| \,\right\|_1, \\ "
        + INPUTS
        + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, RESIDUAL, BOUNDED_INPUTS)
    reference = "e2019residual"
    examples = ({"kind": "weighted_path_norm_ball"}, {"kind": "weighted_path_norm_ball", "form": "expected"})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. Randomness: the stream `input_signs` of the subject."""
        several = class_refusal(self, subject, delta)
        if several is not None:
            return several
        space = subject.model.space
        if not isinstance(space, Residual):
            reason = f"The space {space.kind!r} of this model is no residual network of max(0, t)."
            refusal = (standing(RESIDUAL, "failed", reason),)
            return self.refused(subject, delta, "generalization_gap", reason, refusal)
        norm, factor = weighted_path_norm(space, subject.model), weighted_path_norm_factor(space.depth)
        ball = input_signs_ball(subject, norm, factor, self.sign_draws)
        numbers = {"layers": float(space.depth)}
        return uniform_gap(self, subject, delta, ball, (standing(RESIDUAL, "checked"),), numbers)


def weighted_path_norm_factor(depth: int) -> float:
    """3 (1 - (2/3)^{L+1}): 1 without a layer, where f is linear in x~, and below 3 at any depth."""
    return 3 * (1 - (2 / 3) ** (depth + 1))


def weighted_path_norm(space: Residual, model: LearnedModel) -> float:
    """Of x -> unscale( f( scale(x) ) ) as a network of the raw x~: scalings are folded into V and alpha."""
    parameters = {name: value.to(torch.float64) for name, value in model.parameters.items()}
    first = parameters["input_weights"] / model.input_scaling.scale
    parameters["input_weights"] = first
    parameters["input_biases"] = parameters["input_biases"] - first @ model.input_scaling.shift
    norm = float(space.weighted_path_norm(parameters)[0])
    return norm * abs(float(model.output_scaling.scale[0])) + abs(float(model.output_scaling.shift[0]))
