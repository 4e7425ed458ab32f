"""Uniform bound on the gap of layered ReLU networks by the product of their Frobenius norms."""

import math
from typing import Literal

from models.arrays import Inputs
from models.bounds._formulas import DEVIATION, REST
from models.bounds._relu_layers import LAYERED, layered
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
from models.complexities.relu_networks import (
    frobenius_product,
    size_independent_frobenius,
    size_independent_frobenius_factor,
)


class SizeIndependentFrobeniusBall(UniformGapBound):
    """The gap over networks of one depth whose layers' Frobenius norms have a bounded product, of any width.

    Biases are columns of the matrices; the neuron that carries the constant is scaled to make the product least.
    """

    kind: Literal["size_independent_frobenius_ball"]

    statement = (
        "With probability at least 1 - delta, for every ReLU network f of L hidden layers with prod_l ||A_l||_F <= Q, "
        "A_l the matrices with biases, Q on the grid sqrt(M) 2^(k/8): R(f) - R_n(f) <= 4 sqrt(M) (Q/N) "
        "(sqrt(2 L ln 2) + 1) (sum_i ||x~_i||_2^2)^{1/2} + M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)); "
        "loss, N and pairs as for path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every ReLU network } f \text{ "
        r"of } L \text{ hidden layers with } \prod_{l=1}^{L+1} \|A_l\|_F \le Q, \\ &R(f) - R_n(f) \le 4 \sqrt{M}\, "
        r"\frac{Q}{N} \left(\sqrt{2 L \ln 2} + 1\right) \left(\sum_{i=1}^N \|\tilde{x}_i\|_2^2\right)^{1/2} "
        + DEVIATION
        + r"&A_l \text{ the matrices with biases}, \quad \tilde{x} = (x, 1), \\ "
        + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LAYERED, BOUNDED_INPUTS)
    reference = "golowich2018size"
    examples = (
        {"kind": "size_independent_frobenius_ball"},
        {"kind": "size_independent_frobenius_ball", "form": "expected"},
    )

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. No randomness."""
        found = layered(self, subject, delta)
        if isinstance(found, BoundReport):
            return found
        layers, standings = found
        sup_bound, dimension = subject.input_sup_bound, subject.training.inputs.shape[1]

        def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
            return scaled(size_independent_frobenius(inputs, layers.depth))

        def of_every_sample(size: int) -> Radius:
            length = math.sqrt(size * (dimension * (sup_bound or 0.0) ** 2 + 1))
            return scaled(size_independent_frobenius_factor(layers.depth, length) / size)

        always = None if sup_bound is None else of_every_sample
        ball = Ball(frobenius_product(layers), of_sample, always, certain=True)
        return uniform_gap(self, subject, delta, ball, standings, {"hidden_layers": float(layers.depth)})
