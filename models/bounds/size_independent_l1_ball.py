"""Uniform bound on the gap of layered ReLU networks by their path norm, with the depth under a root."""

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
    path_norm_of_layers,
    size_independent_l1,
    size_independent_l1_factor,
)


class SizeIndependentL1Ball(UniformGapBound):
    """The gap over the path-norm ball of networks of one depth, of any width; chosen after training.

    The published bound multiplies the layers' largest row l1 norms; rescaling neurons makes that product the path
    norm, which is never larger. For one hidden layer path_norm_ball, computed from the sample, is usually smaller.
    """

    kind: Literal["size_independent_l1_ball"]

    statement = (
        "With probability at least 1 - delta, for every ReLU network f of L hidden layers and path norm at most Q, Q "
        "on the grid sqrt(M) 2^(k/8): R(f) - R_n(f) <= 4 sqrt(M) (Q/N) sqrt(2 (L ln 2 + ln(2D))) max_j (sum_i "
        "x~_ij^2)^{1/2} + M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)); loss, N, pairs as for path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every ReLU network } f \text{ "
        r"of } L \text{ hidden layers and path norm at most } Q, \\ &R(f) - R_n(f) \le 4 \sqrt{M}\, \frac{Q}{N} "
        r"\sqrt{2 \left(L \ln 2 + \ln(2D)\right)}\, \max\limits_j \left(\sum_{i=1}^N \tilde{x}_{ij}^2\right)^{1/2} "
        + DEVIATION
        + r"&\tilde{x} = (x, 1), \quad D = d + 1, \\ "
        + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LAYERED, BOUNDED_INPUTS)
    reference = "golowich2018size"
    examples = ({"kind": "size_independent_l1_ball"}, {"kind": "size_independent_l1_ball", "form": "expected"})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. No randomness."""
        found = layered(self, subject, delta)
        if isinstance(found, BoundReport):
            return found
        layers, standings = found
        sup_bound, columns = subject.input_sup_bound, subject.training.inputs.shape[1] + 1

        def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
            return scaled(size_independent_l1(inputs, layers.depth))

        def of_every_sample(size: int) -> Radius:
            largest = math.sqrt(size) * max(1.0, sup_bound or 0.0)
            return scaled(size_independent_l1_factor(layers.depth, columns, largest, size))

        always = None if sup_bound is None else of_every_sample
        ball = Ball(path_norm_of_layers(layers), of_sample, always, certain=True)
        return uniform_gap(self, subject, delta, ball, standings, {"hidden_layers": float(layers.depth)})
