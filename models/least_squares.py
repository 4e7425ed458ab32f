"""Penalised least squares in closed form, for features of any shape and condition."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Labels
from models.errors import NumericalFailure

Coefficients = Float[Tensor, "m k"]

TRUSTED_LOSS = 1e-6
"""Cholesky is kept while condition number x machine epsilon is below this; refinement then recovers the digits."""


def ridge_solution(features: Features, labels: Labels, penalty: float) -> tuple[Coefficients, str]:
    """argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2, and the factorisation that was used.

    Penalty 0: the least-squares solution of smallest norm. Singular values below max(n, m) eps s_max count as 0.
    Cholesky of the smaller Gram matrix (m x m, or n x n by duality) with one step of refinement where its condition
    number allows, otherwise the singular value decomposition of Phi.

    Raises:
        NumericalFailure: features or labels are not finite.
    """
    if not bool(torch.isfinite(features).all() and torch.isfinite(labels).all()):
        raise NumericalFailure("A feature or a label is not finite.")
    by_cholesky = _cholesky_solution(features, labels, penalty)
    if by_cholesky is not None:
        return by_cholesky, "cholesky"
    return _svd_solution(features, labels, penalty), "svd"


def _cholesky_solution(features: Features, labels: Labels, penalty: float) -> Coefficients | None:
    n, m = features.shape
    rows = features if m <= n else features.T
    gram = rows.T @ rows / n
    trace = float(gram.diagonal().sum())
    gram.diagonal().add_(penalty)
    factor, failed = torch.linalg.cholesky_ex(gram)
    largest_condition = TRUSTED_LOSS / torch.finfo(features.dtype).eps
    if int(failed) or trace == 0.0:
        return None
    if penalty == 0.0 or (trace + penalty) / penalty > largest_condition:
        inverse = torch.cholesky_inverse(factor)
        condition = float(torch.linalg.matrix_norm(gram, 1) * torch.linalg.matrix_norm(inverse, 1))
        if not condition < largest_condition:
            return None
    if m <= n:
        solution = torch.cholesky_solve(features.T @ labels / n, factor)
        residual = features.T @ (labels - features @ solution) / n - penalty * solution
        return solution + torch.cholesky_solve(residual, factor)
    # a = Phi^T z with (Phi Phi^T / n + penalty) z = y / n.
    dual = torch.cholesky_solve(labels / n, factor)
    residual = labels / n - features @ (features.T @ dual) / n - penalty * dual
    return features.T @ (dual + torch.cholesky_solve(residual, factor))


def _svd_solution(features: Features, labels: Labels, penalty: float) -> Coefficients:
    left, singular, right = _numerical_svd(features)
    filters = singular / (singular**2 + len(features) * penalty)
    return right.T @ (filters[:, None] * (left.T @ labels))


def _numerical_svd(features: Features) -> tuple[Tensor, Tensor, Tensor]:
    """U, s, V^T without the singular values below max(n, m) eps s_max.

    Those are round-off; with a tiny penalty they would still carry weight s / (n penalty).
    """
    left, singular, right = torch.linalg.svd(features, full_matrices=False)
    seen = singular > max(features.shape) * torch.finfo(features.dtype).eps * singular[:1].sum()
    return left[:, seen], singular[seen], right[seen]


@dataclass(frozen=True)
class MinimumNormSolution:
    """Phi^+ y, the numerical rank of Phi, and s_max / s_rank (1 where the rank is 0)."""

    coefficients: Coefficients
    rank: int
    condition_number: float


def minimum_norm_solution(features: Features, labels: Labels) -> MinimumNormSolution:
    """The least-squares solution of smallest norm by the singular value decomposition, whatever the condition.

    Raises:
        NumericalFailure: features or labels are not finite.
    """
    if not bool(torch.isfinite(features).all() and torch.isfinite(labels).all()):
        raise NumericalFailure("A feature or a label is not finite.")
    left, singular, right = _numerical_svd(features)
    solution = right.T @ ((left.T @ labels) / singular[:, None])
    condition = float(singular[0] / singular[-1]) if len(singular) else 1.0
    return MinimumNormSolution(solution, len(singular), condition)
