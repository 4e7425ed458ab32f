"""Continuous piecewise multilinear functions on a uniform mesh: finite elements of the first order."""

from itertools import product
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs
from models.hypothesis_spaces._tensor_products import MOST_FUNCTIONS, Table, TensorProductSpace
from models.onnx_graph import OnnxGraph


class PiecewiseLinear(TensorProductSpace):
    """f(x) = sum over nodes v of a_v prod_i max(0, 1 - |c t_i - v_i|), v in {0..c}^d: a_v is the value at node v / c.

    Mesh size h = 1/c, m = (c + 1)^d nodes. For f* with two derivatives the error in L2 is O(h^2) = O(m^{-2/d}): halving
    it multiplies the nodes by 2^{d/2}. Outside the box f continues constantly along each coordinate. Meshes of
    different widths are nested as spaces only where one divides the other, and never as features.
    """

    kind: Literal["piecewise_linear"]
    cells: Annotated[
        int | None, Field(ge=1, le=MOST_FUNCTIONS - 1, description="c, cells along each axis; None: from width.")
    ] = None

    resolution_field: ClassVar[str] = "cells"
    coarsest: ClassVar[int] = 1
    finest: ClassVar[int] = MOST_FUNCTIONS - 1
    nested: ClassVar[bool] = False
    statement: ClassVar[str] = "f(x) = Σ_v a_v Πᵢ max(0, 1 − |tᵢ/h − vᵢ|),  m = (1/h + 1)^d,  error O(m^{−2/d})"
    formula: ClassVar[str] = (
        r"\begin{split} f(x) &= \sum_{v \in \{0, \dots, c\}^d} a_v \prod_{i=1}^d \max\left(0,\, 1 - |c\, t_i - "
        r"v_i|\right), \quad m = (c + 1)^d, \\ t &= \frac{x - \ell}{u - \ell}, \quad [\ell, u]^d \text{ the box}, \\ "
        r"&\inf\limits_f \|f - f^*\|_{L^2} = O(m^{-2/d}) \text{ for } f^* \text{ in } C^2 \end{split}"
    )
    reference: ClassVar[str] = "devore1998nonlinear"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "piecewise_linear", "cells": 2},
        {"kind": "piecewise_linear", "width": 70, "lower": -2.0, "upper": 2.0},
    )

    @property
    def features_vanish(self) -> bool:
        """A hat does, outside the cells around its node."""
        return True

    def count(self, resolution: int, dimension: int) -> int:
        """(c + 1)^d."""
        return (resolution + 1) ** dimension

    def factors(self, resolution: int, dimension: int) -> int:
        """d hats."""
        return dimension

    def products(self, resolution: int, dimension: int) -> list[tuple[int, ...]]:
        """Nodes in lexicographic order; the hat at v_i of coordinate i is column v_i d + i."""
        nodes = product(range(resolution + 1), repeat=dimension)
        return [tuple(place * dimension + axis for axis, place in enumerate(node)) for node in nodes]

    def table(self, units: Inputs, resolution: int) -> Table:
        """The hats at 0 of every coordinate, then at 1, .., c."""
        places = torch.arange(resolution + 1).to(units)
        scaled = units.clamp(0, 1) * resolution
        return torch.relu(1 - (scaled[:, None, :] - places[:, None]).abs()).flatten(start_dim=1)

    def onnx_table(self, graph: OnnxGraph, units: str, resolution: int, dimension: int) -> str:
        """Clip by Max and Min, one Gather to repeat the columns, Sub, Abs, Relu."""
        zero, one = graph.constant("zero", 0.0), graph.constant("one", 1.0)
        clipped = graph.apply("Min", graph.apply("Max", units, zero), one)
        scaled = graph.apply("Mul", clipped, graph.constant("cells", float(resolution)))
        repeated = graph.integers("axes", list(range(dimension)) * (resolution + 1))
        places = torch.arange(resolution + 1, dtype=torch.float64).repeat_interleave(dimension)
        offsets = graph.apply("Sub", graph.apply("Gather", scaled, repeated, axis=1), graph.constant("places", places))
        return graph.apply("Relu", graph.apply("Sub", one, graph.apply("Abs", offsets)))
