"""Empirical Rademacher complexity of two-layer ReLU networks with bounded path norm, whatever their width."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Inputs, Parameters
from models.complexities.linear_balls import l1_ball_complexity
from models.complexities.rademacher_sums import RademacherSums
from models.scaling import AffineScaling


@dataclass(frozen=True)
class PathWeights:
    """f(x) = sum_j outer_jk max(0, inner_j . x + biases_j): every factor in front of the sum is inside `outer`."""

    outer: Float[Tensor, "m k"]
    inner: Float[Tensor, "m d"]
    biases: Float[Tensor, " m"]


@runtime_checkable
class PathNormed(Protocol):
    """A hypothesis space whose members are two-layer ReLU networks, where `path_norm_weights` is not None."""

    def path_norm_weights(self, parameters: Parameters) -> PathWeights | None:
        """The weights of f(.; parameters) in the form above, or None where the activation is not max(0, t)."""


@dataclass(frozen=True)
class PathNormBallComplexity:
    """Bracket of the complexity of the unit ball; for path norm Q multiply by Q.

    `estimate`: Monte Carlo mean of (1/n) E ||sum_i xi_i x~_i||_inf, called e. `upper`: at least 1.5 e with
    probability 1 - failure_probability over the signs. `lower`: `lower_factor` (0.5, or 1.0 where every input is
    nonnegative) times the estimate; the complexity is at least lower_factor e.
    """

    estimate: float
    standard_error: float
    upper: float
    lower: float
    lower_factor: float


UPPER_FACTOR = 1.5


def homogeneous(inputs: Inputs) -> Features:
    """x~ = (x, 1): the last coordinate carries the bias. Shape (n, d + 1)."""
    return torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)


def path_norm_ball_complexity(
    drawn: RademacherSums, nonnegative: bool, failure_probability: float
) -> PathNormBallComplexity:
    """Bracket of R^_n(F_1), F_Q = { sum_j a_j max(0, w_j.x~) : sum_j |a_j| ||w_j||_1 <= Q, any width }.

    `drawn` are the signed sums of x~; `nonnegative`: no input is negative.

    One neuron: the supremum over convex combinations of +-neurons is attained at one of them, so by homogeneity
    R^_n(F_Q) = (Q/n) E sup_{||w||_1 <= 1} |sum_i xi_i s(w.x~_i)| with s(t) = max(0, t) = (t + |t|)/2.

    Upper end, 1.5 (Q/n) E||sum_i xi_i x~_i||_inf: the linear half gives half of E sup |sum_i xi_i w.x~_i| = E||sum_i
    xi_i x~_i||_inf. For Z_w = sum_i xi_i |w.x~_i|, w = 0 gives 0, so sup|Z| <= sup Z + sup(-Z), both of the same law,
    and contraction (|.| is 1-Lipschitz) gives E sup Z <= E||sum_i xi_i x~_i||_inf: the other half adds once that.

    Lower end: s(t) - s(-t) = t gives one half. Where all x_ij >= 0, w = e_j gives s(w.x~) = x~_j, hence factor one.

    Monte Carlo error: that of the l1 ball of x~, of which (1/n) E||sum_i xi_i x~_i||_inf is the complexity.
    """
    linear = l1_ball_complexity(drawn, failure_probability)
    lower_factor = 1.0 if nonnegative else 0.5
    return PathNormBallComplexity(
        estimate=linear.estimate,
        standard_error=linear.standard_error,
        upper=UPPER_FACTOR * linear.upper,
        lower=lower_factor * linear.estimate,
        lower_factor=lower_factor,
    )


def path_norm(weights: PathWeights, input_scaling: AffineScaling, output_scaling: AffineScaling) -> float:
    """Path norm, one output, of x -> unscale( f( scale(x) ) ) as a network of the raw x~ = (x, 1).

    With x scaled to (x - m)/s, neuron j sees w_j/s . x + (c_j - w_j/s . m), so both scalings are weights like any
    other and may depend on the sample: sum_j |a_j| r (||w_j/s||_1 + |c_j - w_j/s . m|) + |b|, where labels are
    unscaled by y r + b and the constant b is one more neuron of inner weight (0, 1).
    """
    inner = weights.inner.to(torch.float64) / input_scaling.scale
    biases = weights.biases.to(torch.float64) - inner @ input_scaling.shift
    lengths = inner.abs().sum(dim=1) + biases.abs()
    outer = weights.outer.to(torch.float64)[:, 0].abs() * output_scaling.scale[0].abs()
    return float(outer @ lengths) + abs(float(output_scaling.shift[0]))
