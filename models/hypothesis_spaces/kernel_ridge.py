"""The span of a kernel over the training inputs, where ridge is kernel ridge regression."""

from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from models.arrays import Features, Inputs, Outputs, Parameters
from models.errors import InvalidData, NumericalFailure, refuse
from models.hypothesis_spaces.base import LinearSpace
from models.kernels import KernelName, kernel_matrix, kernel_nodes
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness

MOST_ANCHORS = 5_000
"""The Cholesky factor is stored: 200 MB here, and 4e10 operations to compute."""

JITTERS = (1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
"""Relative to the mean of the kernel's diagonal; the first with which the factorisation succeeds."""


class KernelRidge(LinearSpace):
    """f(x) = sum_i alpha_i k(x_i, x) over the inputs x_1 .. x_m of the sample (the anchors).

    Coordinates are whitened: K + j I = L L^T with K_il = k(x_i, x_l), phi(x) = L^{-1} (k(x_1, x), .., k(x_m, x)) and
    a = L^T alpha, so that |a|^2 = alpha^T (K + j I) alpha is the squared norm of f in the kernel's space, up to the
    jitter j, and the learner `ridge` is kernel ridge regression. j is 1e-10 of the mean of K's diagonal, ten times
    more as often as rounding makes the factorisation fail, and serves equal rows as well.

    The kernels (models/kernels.py) are limits: `arc_cosine` of relu random features, `gaussian` of cosine and fourier
    ones, `ntk` of the two-layer relu network. With fewer anchors than rows this is the Nystrom method on the first
    rows, which are a random subset where rows are i.i.d.
    """

    kind: Literal["kernel_ridge"]
    width: Annotated[
        int | None, Field(ge=1, le=MOST_ANCHORS, description="Most anchors, the first rows; None: every row.")
    ] = None
    kernel: Annotated[KernelName, Field(description="k.")] = "gaussian"
    bandwidth: Annotated[float | None, Field(gt=0, le=1e6, description="s of the gaussian kernel; None: sqrt(d).")] = (
        None
    )

    random: ClassVar[bool] = False
    nested: ClassVar[bool] = False
    depends_on_sample: ClassVar[bool] = True
    statement: ClassVar[str] = "f(x) = Σᵢ αᵢ k(xᵢ, x) = a·L⁻¹k(X, x),  K + jI = LLᵀ,  ‖f‖_k² = |a|² − j|α|²"
    formula: ClassVar[str] = (
        r"\begin{split} f(x) &= \sum_{i=1}^m \alpha_i\, k(x_i, x) = a \cdot L^{-1} k(X, x), \\ K + jI &= L L^\top, "
        r"\quad K_{il} = k(x_i, x_l), \quad a = L^\top \alpha, \\ \|f\|_k^2 &= \alpha^\top K \alpha = |a|^2 - j\, "
        r"|\alpha|^2 \end{split}"
    )
    reference: ClassVar[str] = "cho2009kernel"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "kernel_ridge", "width": 100},
        {"kind": "kernel_ridge", "width": 80, "kernel": "arc_cosine"},
        {"kind": "kernel_ridge", "width": 80, "kernel": "ntk"},
    )

    @model_validator(mode="after")
    def _bandwidth_belongs_to_gaussian(self) -> "KernelRidge":
        if self.kernel != "gaussian" and self.bandwidth is not None:
            refuse("/bandwidth", "Only the gaussian kernel has a bandwidth.")
        return self

    def with_width(self, width: int) -> "KernelRidge":
        """The same kernel with at most `width` anchors."""
        return KernelRidge(**{**self.model_dump(), "width": width})

    def for_sample(self, sample_size: int, standardised: bool) -> "KernelRidge":
        """The same with its number of anchors.

        Raises:
            InvalidData: every row is to be an anchor and there are more than 5,000.
        """
        if self.width is not None:
            return self.with_width(min(self.width, sample_size))
        if sample_size > MOST_ANCHORS:
            raise InvalidData(
                f"kernel_ridge on all {sample_size:,} rows: at most {MOST_ANCHORS:,} can be anchors. Set width to use "
                "the first rows, or take random_features.",
                "/hypothesis_space/width",
            )
        return self.with_width(sample_size)

    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """Raises InvalidData: there is nothing to draw without a sample."""
        raise InvalidData("kernel_ridge is built on the inputs of a sample.", "/hypothesis_space")

    def draw_on(self, inputs: Inputs, output_dimension: int, randomness: Randomness, dtype: torch.dtype) -> Parameters:
        """`anchors` (m, d) and `factor` (m, m) = L, frozen; `coefficients` (m, k) = 0. No randomness.

        Raises:
            InvalidData: too many rows.
            NumericalFailure: K is not finite, or far from positive definite.
        """
        count = self.for_sample(inputs.shape[0], standardised=False).width
        anchors = inputs[:count].to(torch.float64)
        factor = _cholesky(kernel_matrix(self.kernel, anchors, anchors, self.bandwidth))
        coefficients = torch.zeros(anchors.shape[0], output_dimension)
        drawn = {"anchors": anchors, "factor": factor, "coefficients": coefficients}
        return {name: value.to(inputs.device, dtype).contiguous() for name, value in drawn.items()}

    def features(self, parameters: Parameters, inputs: Inputs) -> Features:
        """L^{-1} k(X, x_i)."""
        crossed = kernel_matrix(self.kernel, parameters["anchors"], inputs, self.bandwidth)
        return torch.linalg.solve_triangular(parameters["factor"], crossed, upper=False).T

    def evaluate(self, parameters: Parameters, inputs: Inputs) -> Outputs:
        """k(x_i, X) alpha with alpha = L^{-T} a: a solution for each output instead of one for each row."""
        return kernel_matrix(self.kernel, inputs, parameters["anchors"], self.bandwidth) @ _dual(parameters)

    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """The kernel's nodes, then MatMul with alpha."""
        crossed = kernel_nodes(graph, self.kernel, inputs, parameters["anchors"], self.bandwidth)
        return graph.apply("MatMul", crossed, graph.constant("dual", _dual(parameters)))

    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """m (d + m + k), of which m k are trained; without a width, of 5,000 anchors."""
        m = MOST_ANCHORS if self.width is None else self.width
        return m * (input_dimension + m + output_dimension)

    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """The kernel (a product and some forty operations an anchor), and the triangular solution."""
        m = MOST_ANCHORS if self.width is None else self.width
        return m * (2.0 * input_dimension + 40.0 + m + 2.0 * output_dimension)


def _dual(parameters: Parameters) -> Float[Tensor, "m k"]:
    return torch.linalg.solve_triangular(parameters["factor"].T, parameters["coefficients"], upper=True)


def _cholesky(gram: Float[Tensor, "m m"]) -> Float[Tensor, "m m"]:
    gram = (gram + gram.T) / 2
    mean = gram.diagonal().mean()
    if not bool(torch.isfinite(gram).all()):
        raise NumericalFailure("A kernel value is not finite.")
    for jitter in JITTERS:
        factor, failed = torch.linalg.cholesky_ex(gram + jitter * mean * torch.eye(len(gram)).to(gram))
        if not int(failed):
            return factor
    raise NumericalFailure("The kernel matrix of the sample is not positive definite to six digits.")
