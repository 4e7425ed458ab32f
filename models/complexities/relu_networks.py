"""Norms of layered ReLU networks and the empirical Rademacher complexities of their balls.

A network is h_0 = x, h_l = max(0, W_l h_{l-1} + c_l) for l = 1..L, f = a.h_L + b, with one output. Every norm is that
of the network of the homogeneous inputs x~ = (x, 1); a bias is a weight from a neuron that is the constant 1, because
max(0, 1) = 1 carries the constant through the layers.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs
from models.complexities.path_norm_ball import homogeneous

BALANCING_SWEEPS = 50
LARGEST_DECOMPOSED = 1100
"""Eigenvalues of larger matrices would take seconds."""


@dataclass(frozen=True)
class ReluLayers:
    """`weights` W_1 .. W_L, `biases` c_1 .. c_L, `outer` a and `offset` b; float64. Widths may differ by layer."""

    weights: tuple[Float[Tensor, "_ _"], ...]
    biases: tuple[Float[Tensor, "_"], ...]
    outer: Float[Tensor, "_"]
    offset: float

    @property
    def depth(self) -> int:
        """L, the number of hidden layers."""
        return len(self.weights)


def path_norm_of_layers(layers: ReluLayers) -> float:
    """Sum over the paths from x~ to the output of the product of |weights|, a path for each bias; plus |b|.

    For L = 1 it is sum_j |a_j| (||w_j||_1 + |c_j|). One pass of matrix-vector products.
    """
    return float(layers.outer.abs() @ _path_lengths(layers, with_biases=True)) + abs(layers.offset)


def path_norm_without_biases(layers: ReluLayers) -> float:
    """The same over the paths from x only: a Lipschitz constant, |f(x) - f(x')| <= it times ||x - x'||_inf.

    max(0, .) is 1-Lipschitz, so each neuron's constant is at most the |weights| times those of the layer before.
    """
    return float(layers.outer.abs() @ _path_lengths(layers, with_biases=False))


def _path_lengths(layers: ReluLayers, *, with_biases: bool) -> Float[Tensor, "_"]:
    lengths = layers.weights[0].new_ones(layers.weights[0].shape[1])
    for weights, biases in zip(layers.weights, layers.biases, strict=True):
        lengths = weights.abs() @ lengths
        if with_biases:
            lengths = lengths + biases.abs()
    return lengths


def group_norm_factor(depth: int) -> float:
    """1.5 2^{L-1}: the complexity of the unit path-norm ball is at most this times (1/n) E||sum_i xi_i x~_i||_inf.

    The ball of depth L is the absolutely convex hull of the neurons max(0, g), g in the ball of depth L - 1: rescaling
    neurons, which ReLU permits, makes every hidden row an element of the ball below it. For Z_g = sum_i xi_i max(0,
    g(x_i)), E sup |Z| <= 2 E sup Z (g = 0 gives 0, and -xi has the law of xi) and E sup Z <= E sup sum_i xi_i g(x_i) by
    contraction: a factor 2 a layer. The first layer costs 1.5 (models.complexities.path_norm_ball).
    """
    return 1.5 * 2.0 ** (depth - 1)


def size_independent_l1(inputs: Inputs, depth: int) -> float:
    """An upper limit of the complexity of the unit path-norm ball of depth L: the depth under a root.

    (1/n) max_j (sum_i x~_ij^2)^{1/2} sqrt(2 (L ln 2 + ln(2D))), D = d + 1. In the hull above, for t > 0 and convex
    increasing G(u) = e^{tu}: E sup G(|Z|) <= E sup G(Z) + E sup G(-Z) = 2 E sup G(Z) <= 2 E sup G(|sum_i xi_i g(x_i)|),
    contraction inside G. After L layers 2^L E exp(t ||sum_i xi_i x~_i||_inf) <= 2^L 2D exp(t^2 B^2 / 2), B^2 the
    largest sum of squares of a column; take logarithms, divide by t and choose t.
    """
    return size_independent_l1_factor(depth, inputs.shape[1] + 1, _largest_column(homogeneous(inputs)), inputs.shape[0])


def size_independent_l1_factor(depth: int, columns: int, largest_column: float, size: int) -> float:
    """The same from B = `largest_column`, which is sqrt(n) C for inputs bounded by C."""
    return largest_column * math.sqrt(2 * (depth * math.log(2) + math.log(2 * columns))) / size


def _largest_column(rows: Float[Tensor, "n columns"]) -> float:
    return math.sqrt(float((rows.to(torch.float64) ** 2).sum(dim=0).max()))


def size_independent_frobenius(inputs: Inputs, depth: int) -> float:
    """An upper limit of the complexity of networks whose layers' Frobenius norms multiply to at most 1.

    (1/n) (sqrt(2 L ln 2) + 1) (sum_i ||x~_i||_2^2)^{1/2}. As for l1, with the supremum over a layer's matrix of given
    Frobenius norm attained at a single nonzero row: 2^L E exp(t X), X = ||sum_i xi_i x~_i||_2, E X <= B = (sum_i
    ||x~_i||_2^2)^{1/2}, and ln E exp(t (X - E X)) <= t^2 B^2 / 2 because a sign moves X by at most 2 ||x~_i||_2.
    """
    return size_independent_frobenius_factor(depth, float(torch.linalg.vector_norm(homogeneous(inputs)))) / len(inputs)


def size_independent_frobenius_factor(depth: int, length: float) -> float:
    """(sqrt(2 L ln 2) + 1) B for B = (sum_i ||x~_i||_2^2)^{1/2}; over n it is the complexity."""
    return (math.sqrt(2 * depth * math.log(2)) + 1) * length


def frobenius_product(layers: ReluLayers) -> float:
    """The product of the Frobenius norms of [[W_1, c_1], [0, k_1]], .., [a, b], for the best constants k_l.

    The neuron that carries the constant may have any scale: with values k_1 .. k_L > 0 (k_0 = 1) layer l is [[W_l,
    c_l/k_{l-1}], [0, k_l/k_{l-1}]] and the last row (a, b/k_L), the same function. The k_l are improved one at a time,
    each in closed form. Without an offset the last layer needs no constant.
    """
    squares = [float((weights**2).sum()) for weights in layers.weights]
    squares.append(float((layers.outer**2).sum()))
    tops = [float((biases**2).sum()) for biases in layers.biases]
    tops.append(layers.offset**2)
    constants = [1.0] * layers.depth
    for _ in range(BALANCING_SWEEPS):
        for index in range(layers.depth):
            before = constants[index - 1] if index else 1.0
            after = constants[index + 1] if index + 1 < layers.depth else 0.0
            # Minimise (A + k^2/p^2)(B + C/k^2) over k: k^4 = A C p^2 / B.
            a, b = squares[index] + tops[index] / before**2, squares[index + 1]
            c = tops[index + 1] + after**2
            constants[index] = (a * c * before**2 / b) ** 0.25 if b > 0 and a > 0 else 1.0
            constants[index] = max(constants[index], 1e-150)
    total = 1.0
    for index in range(layers.depth):
        before = constants[index - 1] if index else 1.0
        total *= math.sqrt(squares[index] + (tops[index] + constants[index] ** 2) / before**2)
    return total * math.sqrt(squares[-1] + tops[-1] / constants[-1] ** 2)


@dataclass(frozen=True)
class SpectralNorms:
    """Of the augmented matrices A_1 .. A_{L+1}: `spectral` s_l, and `ratios` b_l / s_l with b_l the sum of row lengths.

    `width` is the largest side of a matrix.
    """

    spectral: tuple[float, ...]
    ratios: tuple[float, ...]
    width: int


def spectral_norms(layers: ReluLayers) -> SpectralNorms:
    """s_l = ||A_l||_2 and b_l = sum over the rows of A_l of their l2 norm, A_l = [[W_l, c_l], [0, 1]], last (a, b)."""
    matrices = []
    for weights, biases in zip(layers.weights, layers.biases, strict=True):
        rows = torch.cat([weights, biases[:, None]], dim=1)
        last = torch.zeros_like(rows[:1])
        last[0, -1] = 1.0
        matrices.append(torch.cat([rows, last]))
    matrices.append(torch.cat([layers.outer, layers.outer.new_tensor([layers.offset])])[None, :])
    spectral = tuple(_spectral_norm(matrix) for matrix in matrices)
    lengths = [float(torch.linalg.vector_norm(matrix, dim=1).sum()) for matrix in matrices]
    ratios = tuple(length / norm if norm > 0 else 1.0 for length, norm in zip(lengths, spectral, strict=True))
    return SpectralNorms(spectral, ratios, max(max(matrix.shape) for matrix in matrices))


def _spectral_norm(matrix: Float[Tensor, "r c"]) -> float:
    """From the smaller Gram matrix; for large ones an upper value, min(||A||_F, (||A||_1 ||A||_inf)^{1/2})."""
    if min(matrix.shape) > LARGEST_DECOMPOSED:
        sums = matrix.abs()
        mixed = math.sqrt(float(sums.sum(dim=0).max()) * float(sums.sum(dim=1).max()))
        return min(mixed, float(torch.linalg.vector_norm(matrix)))
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    return math.sqrt(max(float(torch.linalg.eigvalsh(small @ small.T)[-1]), 0.0))


def spectral_entropy_root(inputs: Inputs, ratios: tuple[float, ...], width: int) -> float:
    """sqrt(E) such that the networks with ||A_l||_2 <= 1 and b_l <= ratio_l have ln N(e) <= E / e^2.

    N(e) counts balls of radius e in (sum_i |f(x_i) - g(x_i)|^2)^{1/2}; E = 2 ||X~||_F^2 ln(2 W^2) (sum_l
    ratio_l^{2/3})^3; for a product S of spectral norms multiply the root by S. Maurey's lemma covers {X A^T : rows of A
    of total length b} within e by ceil(b^2 ||X||_F^2 / e^2) <= twice that many picks among 2 W^2 atoms (0 alone, where
    the quotient is below 1). Projecting on the convex set of those with ||A||_2 <= 1 as well brings the centres into
    the class without loss. Layer by layer the errors e_l = alpha_l e add up, alpha_l proportional to ratio_l^{2/3}.
    """
    length = float(torch.linalg.vector_norm(homogeneous(inputs)))
    return spectral_entropy_factor(ratios, width) * length


def spectral_entropy_factor(ratios: tuple[float, ...], width: int) -> float:
    """The same for ||X~||_F = 1."""
    return math.sqrt(2 * math.log(2 * width**2)) * sum(ratio ** (2 / 3) for ratio in ratios) ** 1.5


def dudley(entropy_root: float, size: int) -> float:
    """Complexity of a class in [0,1] with ln N(e) <= E/e^2 in the l2 distance of n values, c = 12 sqrt(E)/n:

    min_a 4a + (12/sqrt(n)) int_a^1 sqrt(E/n)/u du = min_a 4a + c ln(1/a), which is least at a = c/4 < 1. At most 1.
    """
    c = 12 * entropy_root / size
    return min(1.0, c * (1 + math.log(4 / c))) if 0 < c < 4 else min(1.0, c)
