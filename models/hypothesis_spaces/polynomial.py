"""Polynomials of bounded total degree, in the orthonormal basis of Legendre."""

import math
from itertools import combinations_with_replacement
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Inputs
from models.hypothesis_spaces._tensor_products import Table, TensorProductSpace
from models.onnx_graph import OnnxGraph


class Polynomial(TensorProductSpace):
    """Polynomials of total degree at most p: m = C(d + p, d) functions prod_i P~_{q_i}(t_i), |q|_1 <= p.

    P~_q(t) = sqrt(2q + 1) P_q(2t - 1) with Legendre's P_q: orthonormal in L2 of the uniform measure on the box. A
    basis changes no least-squares fit, so monomials would give the same functions in exact arithmetic and lose all
    digits in floating point. Degrees are graded: a smaller p gives the first functions of a larger one.

    Least squares with n = p + 1 equally spaced points in d = 1 is interpolation, and shows the Runge phenomenon.
    """

    kind: Literal["polynomial"]
    degree: Annotated[int | None, Field(ge=0, le=256, description="p, the total degree; None: from width.")] = None

    resolution_field: ClassVar[str] = "degree"
    finest: ClassVar[int] = 256
    statement: ClassVar[str] = "f(x) = Σ_{|q|₁ ≤ p} a_q Πᵢ √(2qᵢ+1) P_{qᵢ}(2tᵢ − 1),  m = C(d + p, d)"
    formula: ClassVar[str] = (
        r"\begin{split} f(x) &= \sum_{|q|_1 \le p} a_q \prod_{i=1}^d \sqrt{2 q_i + 1}\, P_{q_i}(2 t_i - 1), \quad m "
        r"= \binom{d + p}{d}, \\ t &= \frac{x - \ell}{u - \ell}, \quad [\ell, u]^d \text{ the box}, \quad P_q \text{ "
        r"Legendre polynomials} \end{split}"
    )
    reference: ClassVar[str] = "trefethen2013approximation"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "polynomial", "degree": 3},
        {"kind": "polynomial", "width": 60, "lower": -3.0, "upper": 3.0},
    )

    def count(self, resolution: int, dimension: int) -> int:
        """C(d + p, d)."""
        return math.comb(dimension + resolution, dimension)

    def factors(self, resolution: int, dimension: int) -> int:
        """min(p, d) coordinates at most enter a function."""
        return max(1, min(resolution, dimension))

    def products(self, resolution: int, dimension: int) -> list[tuple[int, ...]]:
        """By degree: multisets of coordinates; P~_q of coordinate i is column 1 + (q - 1) d + i."""
        return [
            tuple(1 + (axes.count(axis) - 1) * dimension + axis for axis in sorted(set(axes))) or (0,)
            for degree in range(resolution + 1)
            for axes in combinations_with_replacement(range(dimension), degree)
        ]

    def table(self, units: Inputs, resolution: int) -> Table:
        """1, then P~_q of every coordinate for q = 1..p, by (q + 1) P_{q+1} = (2q + 1) s P_q - q P_{q-1}."""
        centred = 2 * units - 1
        columns = [torch.ones_like(units[:, :1])]
        before, legendre = torch.ones_like(centred), centred
        for degree in range(1, resolution + 1):
            columns.append(math.sqrt(2 * degree + 1) * legendre)
            ahead = (2 * degree + 1) / (degree + 1) * centred * legendre - degree / (degree + 1) * before
            before, legendre = legendre, ahead
        return torch.cat(columns, dim=1)

    def onnx_table(self, graph: OnnxGraph, units: str, resolution: int, dimension: int) -> str:
        """The recurrence, unrolled; P_0 is 0 s + 1, which takes the number of rows from the input."""
        one = graph.constant("one", 1.0)
        centred = graph.apply("Sub", graph.apply("Mul", units, graph.constant("two", 2.0)), one)
        before = graph.apply("Add", graph.apply("Mul", units, graph.constant("zero", 0.0)), one)
        columns = [graph.apply("Gather", before, graph.integers("first_column", [0]), axis=1)]
        legendre = centred
        for degree in range(1, resolution + 1):
            columns.append(graph.apply("Mul", legendre, graph.constant("length", math.sqrt(2 * degree + 1))))
            if degree < resolution:
                step = graph.apply("Mul", centred, graph.constant("ahead", (2 * degree + 1) / (degree + 1)))
                back = graph.apply("Mul", before, graph.constant("back", degree / (degree + 1)))
                before, legendre = legendre, graph.apply("Sub", graph.apply("Mul", step, legendre), back)
        return graph.apply("Concat", *columns, axis=1)
