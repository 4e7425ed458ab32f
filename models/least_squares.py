"""Penalised least squares in closed form, for features of any shape and condition."""

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
    n, m = features.shape
    left, singular, right = torch.linalg.svd(features, full_matrices=False)
    cut = max(n, m) * torch.finfo(features.dtype).eps * singular[:1].sum()
    # Singular values below the cut are round-off; with a tiny penalty they would still carry weight s / (n penalty).
    seen = singular > cut
    left, singular, right = left[:, seen], singular[seen], right[seen]
    filters = singular / (singular**2 + n * penalty)
    return right.T @ (filters[:, None] * (left.T @ labels))


def leave_one_out_penalty(features: Features, labels: Labels, candidates: Float[Tensor, " c"]) -> float:
    """The candidate with the smallest leave-one-out risk (1/n) sum_i |r_i / (1 - H_ii)|^2 (Allen's PRESS).

    H = Phi (Phi^T Phi + n penalty)^{-1} Phi^T and r = y - H y, all candidates from one eigendecomposition.
    """
    n, m = features.shape
    if m <= n:
        eigenvalues, vectors = torch.linalg.eigh(features.T @ features / n)
        rotated = features @ vectors
        eigenvalues = eigenvalues.clamp(min=0)
    else:
        eigenvalues, vectors = torch.linalg.eigh(features @ features.T / n)
        eigenvalues = eigenvalues.clamp(min=0)
        rotated = vectors * torch.sqrt(n * eigenvalues)
    projected, squares = rotated.T @ labels / n, rotated**2 / n
    risks = []
    for penalty in candidates:
        weights = 1 / (eigenvalues + penalty)
        residuals = labels - rotated @ (weights[:, None] * projected)
        kept = (1 - squares @ weights).clamp(min=torch.finfo(features.dtype).eps)
        risks.append(((residuals / kept[:, None]) ** 2).mean())
    return float(candidates[torch.stack(risks).argmin()])
