"""Uniform bound on the gap of layered ReLU networks by spectral norms and the (2,1) norms of their matrices."""

import math
from typing import Literal

from models.arrays import Inputs
from models.bounds._formulas import SIZES
from models.bounds._relu_layers import LAYERED, layered
from models.bounds._uniform_gap import (
    BOUNDED_INPUTS,
    FIXED_LOSS,
    IID,
    ONE_OUTPUT,
    STEPS_PER_OCTAVE,
    Ball,
    Radius,
    UniformGapBound,
    radius_weight,
    uniform_gap,
)
from models.bounds.base import BoundReport, BoundSubject
from models.complexities.relu_networks import dudley, spectral_entropy_factor, spectral_entropy_root, spectral_norms

ROUNDING = 1e-6
"""The grid of ratios lies so much above the powers of 2^(1/8) that a ratio on one of them does not slip to the next."""


class SpectralNormBall(UniformGapBound):
    """The gap over networks with a bounded product of spectral norms and bounded ratios b_l / s_l, chosen afterwards.

    From covering numbers and Dudley's integral, with the biases as columns and every constant from the derivation in
    models/complexities/relu_networks.py (Maurey's picks rounded up, which the published statement leaves out). The
    class depends on the width through a logarithm only.
    """

    kind: Literal["spectral_norm_ball"]

    statement = (
        "With probability at least 1 - delta, for every ReLU network f with prod_l s_l <= Q and b_l / s_l <= r_l, s_l "
        "the spectral norm of layer l with its biases and b_l the sum of its rows' l2 norms, Q and r_l on grids: "
        "R(f) - R_n(f) <= 2 M c (1 + ln(4/c)) + M sqrt(2 ln(pairs/(delta w))/N) + (R_N(f) - R_n(f)), c = (24/N) "
        "(Q/sqrt(M)) sqrt(2 ln(2 W^2)) ||X~||_F (sum_l r_l^{2/3})^{3/2}; loss, N and pairs as for path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every ReLU network } f \text{ "
        r"with } \prod_l s_l \le Q, \; \frac{b_l}{s_l} \le r_l, \\ &R(f) - R_n(f) \le 2 M c \left(1 + \ln "
        r"\frac{4}{c}\right) + M \sqrt{\frac{2}{N} \ln \frac{\text{pairs}}{\delta w}} + R_N(f) - R_n(f), \\ &c = "
        r"\frac{24}{N}\, \frac{Q}{\sqrt{M}} \sqrt{2 \ln(2 W^2)}\, \|\tilde{X}\|_F \left(\sum_l "
        r"r_l^{2/3}\right)^{3/2} < 4, \\ &s_l = \|A_l\|_2, \quad b_l = \sum_i \|(A_l)_{i}\|_2 \text{ over the rows "
        r"of } A_l = \text{layer } l \text{ with its biases}, \\ &w = \text{product of the weights of the grid "
        r"points of } Q \text{ and of every } r_l, \quad W = \text{largest side of an } A_l, \\ " + SIZES
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LAYERED, BOUNDED_INPUTS)
    reference = "bartlett2017spectrally"
    examples = ({"kind": "spectral_norm_ball"}, {"kind": "spectral_norm_ball", "sides": "two"})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. No randomness."""
        found = layered(self, subject, delta)
        if isinstance(found, BoundReport):
            return found
        layers, standings = found
        norms = spectral_norms(layers)
        steps = [math.ceil(STEPS_PER_OCTAVE * math.log2(ratio) - ROUNDING / 2) for ratio in norms.ratios]
        ratios = tuple(2 ** ((step + ROUNDING) / STEPS_PER_OCTAVE) for step in steps)
        root_cap = math.sqrt(subject.loss_cap)

        def at(entropy_root: float, size: int) -> Radius:
            # The losses over M are (2/sqrt(M))-Lipschitz in f; 4 sqrt(M) times this is 2 M times their complexity.
            return lambda radius: root_cap / 2 * dudley(2 / root_cap * radius * entropy_root, size)

        def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
            return at(spectral_entropy_root(inputs, ratios, norms.width), len(inputs))

        sup_bound, dimension = subject.input_sup_bound, subject.training.inputs.shape[1]

        def of_every_sample(size: int) -> Radius:
            length = math.sqrt(size * (dimension * (sup_bound or 0.0) ** 2 + 1))
            return at(spectral_entropy_factor(ratios, norms.width) * length, size)

        always = None if sup_bound is None else of_every_sample
        log_choices = -sum(math.log(radius_weight(step)) for step in steps)
        ball = Ball(math.prod(norms.spectral), of_sample, always, certain=True, log_choices=log_choices)
        numbers = {"hidden_layers": float(layers.depth), "width": float(norms.width)}
        return uniform_gap(self, subject, delta, ball, standings, numbers)
