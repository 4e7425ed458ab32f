"""Trigonometric polynomials: the grid of frequencies of a Fourier series."""

import math
from itertools import combinations_with_replacement, product
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Inputs
from models.hypothesis_spaces._tensor_products import MOST_FUNCTIONS, Table, TensorProductSpace
from models.onnx_graph import OnnxGraph


class Trigonometric(TensorProductSpace):
    """Products of 1, sqrt(2) cos(2 pi k t_i), sqrt(2) sin(2 pi k t_i) over the coordinates, frequencies k on a grid.

    `box`: |k|_inf <= K, m = (2K + 1)^d functions; `total`: |k|_1 <= K, m = sum_j 2^j C(d, j) C(K, j). Orthonormal in
    L2 of the uniform measure on the box, which becomes a torus: f takes the same values on opposite faces, so a target
    that does not converges slowly. Frequencies are in shells: a smaller K gives the first functions of a larger one.
    """

    kind: Literal["trigonometric"]
    frequency: Annotated[
        int | None, Field(ge=0, le=MOST_FUNCTIONS // 2, description="K, the largest frequency; None: from width.")
    ] = None
    frequencies: Annotated[
        Literal["box", "total"], Field(description="box: every |k_i| <= K; total: |k_1| + .. + |k_d| <= K.")
    ] = "box"

    resolution_field: ClassVar[str] = "frequency"
    finest: ClassVar[int] = MOST_FUNCTIONS // 2
    statement: ClassVar[str] = "f(x) = Σ_{|k|_∞ ≤ K} c_k e^{2πi k·t} in real form,  m = (2K + 1)^d"
    formula: ClassVar[str] = (
        r"\begin{split} f(x) &= \sum_{|k|_\infty \le K} c_k\, e^{2\pi i\, k \cdot t}, \quad c_{-k} = \overline{c_k}, "
        r"\quad m = (2K + 1)^d, \\ t &= \frac{x - \ell}{u - \ell}, \quad [\ell, u]^d \text{ the box} \end{split}"
    )
    reference: ClassVar[str] = "devore1998nonlinear"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "trigonometric", "frequency": 1},
        {"kind": "trigonometric", "width": 70, "frequencies": "total", "lower": -2.0, "upper": 2.0},
    )

    def count(self, resolution: int, dimension: int) -> int:
        """(2K + 1)^d, or sum_j 2^j C(d, j) C(K, j)."""
        if self.frequencies == "box":
            return (2 * resolution + 1) ** dimension
        pairs, term = 1, 1
        for j in range(1, min(resolution, dimension) + 1):
            # Each quotient of consecutive terms is exact in the product, not alone.
            term = term * 2 * (dimension - j + 1) * (resolution - j + 1) // (j * j)
            pairs += term
        return pairs

    def factors(self, resolution: int, dimension: int) -> int:
        """d, or min(K, d) where the total frequency is bounded."""
        most = dimension if self.frequencies == "box" else min(resolution, dimension)
        return max(1, most) if resolution else 1

    def products(self, resolution: int, dimension: int) -> list[tuple[int, ...]]:
        """By shell of |k|. The cosine k of coordinate i is column 1 + (k - 1) d + i, its sine K d columns later."""

        def column(axis: int, wave: int) -> int:
            sine = 0 if wave % 2 else resolution * dimension
            return 1 + (wave - 1) // 2 * dimension + axis + sine

        functions = self._box if self.frequencies == "box" else self._total
        return [
            tuple(column(axis, wave) for axis, wave in function if wave) or (0,)
            for function in functions(resolution, dimension)
        ]

    def _box(self, resolution: int, dimension: int) -> list[tuple[tuple[int, int], ...]]:
        """(axis, wave): wave 0 is 1, wave 2k - 1 the cosine and 2k the sine of frequency k."""
        if resolution == 0:
            return [()]
        waves = product(range(2 * resolution + 1), repeat=dimension)
        return [
            tuple(enumerate(chosen)) for chosen in sorted(waves, key=lambda chosen: ((max(chosen) + 1) // 2, chosen))
        ]

    def _total(self, resolution: int, dimension: int) -> list[tuple[tuple[int, int], ...]]:
        return [
            tuple((axis, 2 * axes.count(axis) - 1 + sine) for axis, sine in zip(support, sines, strict=True))
            for total in range(resolution + 1)
            for axes in combinations_with_replacement(range(dimension), total)
            for support in [sorted(set(axes))]
            for sines in product((0, 1), repeat=len(support))
        ]

    def table(self, units: Inputs, resolution: int) -> Table:
        """1, then sqrt(2) cos of every frequency and coordinate, then sqrt(2) sin."""
        waves = units @ _multiples(resolution, units.shape[1]).to(units)
        length = math.sqrt(2)
        return torch.cat([torch.ones_like(units[:, :1]), length * torch.cos(waves), length * torch.sin(waves)], dim=1)

    def onnx_table(self, graph: OnnxGraph, units: str, resolution: int, dimension: int) -> str:
        """MatMul, Cos, Sin, Mul, Concat; the constant is cos(0 t)."""
        first = graph.apply("Gather", units, graph.integers("first_column", [0]), axis=1)
        ones = graph.apply("Cos", graph.apply("Mul", first, graph.constant("zero", 0.0)))
        if resolution == 0:
            return ones
        waves = graph.apply("MatMul", units, graph.constant("multiples", _multiples(resolution, dimension)))
        length = graph.constant("length", math.sqrt(2))
        both = (graph.apply("Mul", graph.apply(operator, waves), length) for operator in ("Cos", "Sin"))
        return graph.apply("Concat", ones, *both, axis=1)


def _multiples(resolution: int, dimension: int) -> Tensor:
    """2 pi [I, 2 I, .., K I], shape (d, K d)."""
    frequencies = torch.arange(1, resolution + 1, dtype=torch.float64)[None]
    return torch.kron(frequencies, 2 * math.pi * torch.eye(dimension, dtype=torch.float64))
