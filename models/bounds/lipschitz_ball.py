"""Uniform bound on the gap by a Lipschitz constant alone: what the dimension makes of smoothness."""

import math
from typing import Literal

from models.arrays import Inputs
from models.assumptions import Assumption, standing
from models.bounds._formulas import DEVIATION, REST
from models.bounds._relu_layers import relu_layers
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
from models.complexities.classical_balls import cell_counts, lipschitz_ball_complexity, lipschitz_rate
from models.complexities.relu_networks import path_norm_without_biases

KNOWN_CONSTANT = Assumption(
    name="lipschitz_constant_known", text="A Lipschitz constant of f is known from its weights (layered ReLU networks)."
)


class LipschitzBall(UniformGapBound):
    """The gap over all functions of a Lipschitz constant, clipped to the range; the constant is chosen after training.

    |f(x) - f(x')| <= L ||x - x'||_inf with L the path norm without biases. The complexity falls like n^{-1/d}: here to
    show the curse of dimensionality beside bounds whose rate is n^{-1/2} in every dimension.
    """

    kind: Literal["lipschitz_ball"]

    statement = (
        "With probability at least 1 - delta, for every f with |f(x) - f(x')| <= L ||x - x'||_inf, L on the grid "
        "sqrt(M) 2^(k/8): R(f) - R_n(f) <= 4 sqrt(M) min_J [ B S_0 + sum_{j<=J} (L s 2^{-j}/2) S_j + L s 2^{-J}/2 ] + "
        "M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)), S_j = (1/N) sum over dyadic cells of level j of "
        "sqrt(rows in it), s the side of the sample's cube, B = sqrt(M)/2; loss, N and pairs as for path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every } f \text{ with } |f(x) - "
        r"f(x')| \le Q\, \|x - x'\|_\infty, \\ &R(f) - R_n(f) \le 4 \sqrt{M} \min\limits_J \left[B S_0 + "
        r"\sum_{j=1}^J \frac{Q s}{2^{j+1}} S_j + \frac{Q s}{2^{J+1}}\right] "
        + DEVIATION
        + r"&S_j = \frac{1}{N} \sum_{\text{cells } C \text{ of level } j} \sqrt{N_C}, \quad B = \frac{\sqrt{M}}{2}, "
        r"\quad s = \text{side of the sample's cube}, \\ " + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, KNOWN_CONSTANT, BOUNDED_INPUTS)
    reference = "e2022mathematical"
    examples = ({"kind": "lipschitz_ball"}, {"kind": "lipschitz_ball", "form": "expected"})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. No randomness."""
        several = class_refusal(self, subject, delta)
        if several is not None:
            return several
        layers = relu_layers(subject.model)
        if layers is None:
            reason = f"No Lipschitz constant is computed for the space {subject.model.space.kind!r} of this model."
            refusal = (standing(KNOWN_CONSTANT, "failed", reason),)
            return self.refused(subject, delta, "generalization_gap", reason, refusal)
        half_range = math.sqrt(subject.loss_cap) / 2
        sup_bound, dimension = subject.input_sup_bound, subject.training.inputs.shape[1]

        def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
            counts = subject.kept("cell counts", lambda: cell_counts(inputs))
            return lambda radius: lipschitz_ball_complexity(counts, radius, half_range)

        def of_every_sample(size: int) -> Radius:
            # [-C, C]^d has the side 2C, which the constant of a function of the unit cube absorbs.
            return lambda radius: lipschitz_rate(size, dimension, 2 * radius * (sup_bound or 0.0), half_range)

        always = None if sup_bound is None else of_every_sample
        ball = Ball(path_norm_without_biases(layers), of_sample, always, certain=True)
        known = standing(KNOWN_CONSTANT, "checked", "The path norm without biases.")
        return uniform_gap(self, subject, delta, ball, (known,), {"input_dimension": float(dimension)})
