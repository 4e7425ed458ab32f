"""Kernels in closed form, as functions of torch and as nodes of a graph.

x~ is (x, 1), whose last coordinate carries the bias; D = d + 1.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs
from models.onnx_graph import OnnxGraph

KernelName = Literal["arc_cosine", "gaussian", "ntk"]
Anchors = Float[Tensor, "m d"]
Gram = Float[Tensor, "n m"]

COINCIDENT = 2.0**-44
"""1 - |cos| loses this much, so that rounding (some 1e-15) makes no angle where there is none.

Without it two equal rows would be up to 1e-8 apart, which the NTK, linear in the angle, would show.
"""

# arccos v = sqrt(1 - v) sum_i c_i v^i within 2e-8 on [0, 1]: Abramowitz and Stegun, 4.4.46.
ARCCOS = (1.5707963050, -0.2145988016, 0.0889789874, -0.0501743046, 0.0308918810, -0.0170881256, 0.0066700901,
          -0.0012624911)  # fmt: skip


def kernel_matrix(name: KernelName, left: Inputs, right: Anchors, bandwidth: float | None) -> Gram:
    """k(x_i, x'_j), shape (n, m).

    gaussian: exp(-|x - x'|^2 / (2 s^2)), s the bandwidth (None: sqrt(d)); the limit of cosine and fourier features.

    arc_cosine: E relu(w.x~) relu(w.x~'), w uniform on the sphere of R^D: |x~| |x~'| J(t) / (2 pi D), where t is the
    angle between x~ and x~' and J(t) = sin t + (pi - t) cos t (Cho and Saul, order 1); the limit of relu features.

    ntk: of the two-layer relu network in the m^{-1/2} scaling with (w_j, c_j) ~ N(0, 2 I / D), a_j ~ N(0, 1), both
    layers trained: E s(w.x~) s(w.x~') + E a^2 s'(w.x~) s'(w.x~') x~.x~'
    = |x~| |x~'| (2/D) J(t) / (2 pi) + x~.x~' (pi - t) / (2 pi).
    """
    if name == "gaussian":
        squares = (left**2).sum(dim=1)[:, None] + (right**2).sum(dim=1) - 2 * left @ right.T
        return torch.exp(-squares.clamp(min=0) / (2 * _scale(bandwidth, left.shape[1]) ** 2))
    dimension = left.shape[1] + 1
    lengths = (left**2).sum(dim=1).add(1).sqrt()[:, None] * (right**2).sum(dim=1).add(1).sqrt()
    products = left @ right.T + 1
    angle, sine, cosine = _angle(products / lengths)
    first_order = lengths * (sine + (math.pi - angle) * cosine)
    if name == "arc_cosine":
        return first_order / (2 * math.pi * dimension)
    return (first_order * (2 / dimension) + products * (math.pi - angle)) / (2 * math.pi)


def kernel_nodes(graph: OnnxGraph, name: KernelName, inputs: str, anchors: Anchors, bandwidth: float | None) -> str:
    """Append the nodes of k(x_i, anchor_j); the name of the (n, m) value. The formulas of `kernel_matrix`."""
    squares = graph.apply("ReduceSumSquare", inputs, axes=[1], keepdims=1)
    own = (anchors**2).sum(dim=1)
    crossed = graph.apply("MatMul", inputs, graph.constant("anchors", anchors.T))
    if name == "gaussian":
        total = graph.apply("Add", squares, graph.constant("anchor_squares", own))
        distances = graph.apply("Sub", total, graph.apply("Mul", crossed, graph.constant("two", 2.0)))
        distances = graph.apply("Max", distances, graph.constant("zero", 0.0))
        factor = -1 / (2 * _scale(bandwidth, anchors.shape[1]) ** 2)
        return graph.apply("Exp", graph.apply("Mul", distances, graph.constant("factor", factor)))
    dimension = anchors.shape[1] + 1
    one = graph.constant("one", 1.0)
    length = graph.apply("Sqrt", graph.apply("Add", squares, one))
    lengths = graph.apply("Mul", length, graph.constant("anchor_lengths", (own + 1).sqrt()))
    products = graph.apply("Add", crossed, one)
    angle, sine, cosine = _angle_nodes(graph, graph.apply("Div", products, lengths))
    rest = graph.apply("Sub", graph.constant("pi", math.pi), angle)
    first_order = graph.apply("Mul", lengths, graph.apply("Add", sine, graph.apply("Mul", rest, cosine)))
    outer = 1 / (2 * math.pi * dimension)
    if name == "arc_cosine":
        return graph.apply("Mul", first_order, graph.constant("outer", outer))
    inner = graph.apply("Mul", graph.apply("Mul", products, rest), graph.constant("inner", 1 / (2 * math.pi)))
    return graph.apply("Add", graph.apply("Mul", first_order, graph.constant("outer", 2 * outer)), inner)


def _scale(bandwidth: float | None, dimension: int) -> float:
    return math.sqrt(dimension) if bandwidth is None else bandwidth


def _angle(cosines: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """t, sin t, cos t from cos t, through the half angle of |cos t|, which is well conditioned where t is small."""
    rest = (1 - cosines.abs() - COINCIDENT).clamp(min=0)
    acute = 2 * torch.asin((rest / 2).sqrt())
    angle = torch.where(cosines < 0, math.pi - acute, acute)
    return angle, torch.sin(acute), torch.sign(cosines) * (1 - rest)


def _angle_nodes(graph: OnnxGraph, cosines: str) -> tuple[str, str, str]:
    """The same. onnxruntime has no float64 arcsine: a polynomial within 2e-8, then one Newton step to round-off."""

    def constant(value: float) -> str:
        return graph.constant("number", value)

    rest = graph.apply("Sub", constant(1 - COINCIDENT), graph.apply("Abs", cosines))
    rest = graph.apply("Max", rest, constant(0.0))
    near = graph.apply("Sub", constant(1.0), rest)
    series = constant(ARCCOS[-1])
    for coefficient in reversed(ARCCOS[:-1]):
        series = graph.apply("Add", graph.apply("Mul", series, near), constant(coefficient))
    half_sine = graph.apply("Sqrt", graph.apply("Mul", rest, constant(0.5)))
    # sqrt(1 - v) / 2 = half_sine / sqrt 2. The root of sin p = half_sine lies in [0, pi/4], where cos p > 0.7.
    half = graph.apply("Mul", graph.apply("Mul", half_sine, constant(math.sqrt(0.5))), series)
    defect = graph.apply("Sub", half_sine, graph.apply("Sin", half))
    half = graph.apply("Add", half, graph.apply("Div", defect, graph.apply("Cos", half)))
    acute = graph.apply("Mul", half, constant(2.0))
    sign = graph.apply("Sign", cosines)
    quarter = constant(math.pi / 2)
    # pi/2 - sign (pi/2 - acute): acute itself, or pi - acute for a negative cosine.
    complement = graph.apply("Mul", sign, graph.apply("Sub", quarter, acute))
    angle = graph.apply("Sub", quarter, complement)
    return angle, graph.apply("Sin", acute), graph.apply("Mul", sign, near)
