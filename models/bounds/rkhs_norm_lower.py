"""Lower end of the target's norm in a kernel's space: what interpolating it at points costs."""

import math
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.assumptions import standing
from models.bounds._known_target import TARGET, model_norm, refusal
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.kernels import KernelName, kernel_matrix

RIDGES = tuple(10.0**-power for power in range(2, 13))
"""Relative to the kernel's mean diagonal; each gives an alpha, and any alpha a bound."""


class RkhsNormLower(Bound):
    """||f*||_k >= alpha.y / sqrt(alpha^T K alpha) for any points and any alpha, y = f*(X); certain.

    y_i = <f*, k(x_i, .)>, so alpha.y = <f*, sum alpha_i k(x_i, .)> and Cauchy-Schwarz divides. The supremum over alpha
    is the norm of the interpolant, sqrt(y^T K^{-1} y); alpha = (K + e I)^{-1} y is tried for several e, since rounding
    is subtracted from alpha.y and added to alpha^T K alpha. This is the inverse theorem of kernel spaces: functions of
    norm at most B that tend to f* at every point bound the right side by B, so that it grows without end with the
    points exactly where f* is outside the space. The kernel has its default bandwidth.
    """

    kind: Literal["rkhs_norm_lower"]
    certain: ClassVar[bool] = True
    kernel: Annotated[KernelName, Field(description="k, at the bandwidth sqrt(d) where it has one.")] = "gaussian"
    points: Annotated[int, Field(ge=1, le=2000, description="Points x_i, drawn from the law of the inputs.")] = 300

    statement = "||f*||_k >= max over alpha of sum_i alpha_i f*(x_i) / sqrt(sum_il alpha_i alpha_l k(x_i, x_l))"
    formula = (
        r"\|f^*\|_k \ge \max\limits_\alpha \frac{\sum_i \alpha_i f^*(x_i)}{\sqrt{\sum_{i,l} \alpha_i \alpha_l\, "
        r"k(x_i, x_l)}}"
    )
    assumptions = (TARGET,)
    reference = "cho2009kernel"
    examples = ({"kind": "rkhs_norm_lower"}, {"kind": "rkhs_norm_lower", "kernel": "arc_cosine", "points": 100})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound; it does not fail, so its delta is 0. Randomness: the stream `rkhs_points` of the subject."""
        problem = subject.problem
        if problem is None:
            return refusal(self, subject, "rkhs_norm", TARGET, "The data are a table: f* is unknown.")
        inputs = problem.inputs(self.points, subject.randomness, "rkhs_points")
        gram = kernel_matrix(self.kernel, inputs, inputs, None)
        value = interpolation_norm(gram, problem.target.evaluate(inputs)[:, 0])
        return BoundReport(
            kind=self.kind,
            quantity="rkhs_norm",
            side="lower",
            delta=0.0,
            value=value,
            terms=(BoundTerm(name="norm_of_interpolant", value=value),),
            inputs={"points": float(self.points), **model_norm(subject.model)},
            trivial_value=0.0,
            vacuous=value <= 0,
            assumptions=(standing(TARGET, "checked"),),
            reference=self.reference,
        )


def interpolation_norm(gram: Float[Tensor, "n n"], values: Float[Tensor, " n"]) -> float:
    """The best over the ridges of alpha.y / sqrt(alpha^T K alpha), less what rounding can add; 0 where y = 0."""
    size = len(values)
    unit = 16 * size * torch.finfo(torch.float64).eps
    basis = torch.linalg.eigh((gram + gram.T) / 2)
    turned = basis.eigenvectors.T @ values
    best = 0.0
    for ridge in RIDGES:
        damped = basis.eigenvalues.clamp(min=0) + ridge * float(gram.diagonal().mean())
        alpha = basis.eigenvectors @ (turned / damped)
        above = float(alpha @ values) - unit * float(alpha.abs() @ values.abs())
        below = float(alpha @ gram @ alpha) + unit * float(alpha.abs() @ gram.abs() @ alpha.abs())
        if above > 0 and below > 0:
            best = max(best, above / math.sqrt(below))
    return best
