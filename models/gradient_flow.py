"""Gradient descent and gradient flow on a linear model in closed form: the optimisation error at every time."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Labels

Coefficients = Float[Tensor, "m k"]
Path = Float[Tensor, "t m k"]
Filter = Callable[[Tensor], Tensor]


LARGEST_EXACT = 2048
"""Side of a Gram matrix up to which its largest eigenvalue is computed exactly."""


def largest_eigenvalue(features: Features) -> float:
    """lambda_max of G = Phi^T Phi / n: exact by the smaller Gram matrix up to LARGEST_EXACT, else by power iteration.

    Gradient descent on (1/n) |Phi a - y|^2 is stable for step sizes below 1 / lambda_max. Power iteration gives a
    value from below.
    """
    n, m = features.shape
    if min(n, m) <= LARGEST_EXACT:
        gram = features.T @ features if m <= n else features @ features.T
        return max(0.0, float(torch.linalg.eigvalsh(gram)[-1]) / n)
    vector = features.T @ (features @ features.abs().mean(dim=0))
    for _ in range(100):
        norm = vector.norm()
        if float(norm) == 0.0:
            return 0.0
        vector = features.T @ (features @ (vector / norm)) / n
    return float(vector.norm())


def linear_trajectory(
    features: Features, labels: Labels, start: Coefficients, step_size: float, steps: Sequence[int]
) -> Path:
    """a_k of gradient descent on R_n(a) = (1/n) |Phi a - y|^2 from a_0 = `start`, at each k of `steps`.

    With Phi = U S V^T, e = s^2 / n and r_0 = y - Phi a_0,
    a_k = a_0 + V g_k(e) S U^T r_0 / n,  g_k(e) = (1 - (1 - 2 step_size e)^k) / e.
    """
    filters = [_descent_filter(step_size, step) for step in steps]
    return _filtered(features, labels, start, filters)


def gradient_flow(features: Features, labels: Labels, start: Coefficients, times: Sequence[float]) -> Path:
    """a(t) of da/dt = -grad R_n(a) from a(0) = `start`: as above with g_t(e) = (1 - exp(-2 t e)) / e.

    The limit t -> infinity (`math.inf` is legal) is the empirical minimiser nearest to the start.
    """
    filters = [_flow_filter(time) for time in times]
    return _filtered(features, labels, start, filters)


def _descent_filter(step_size: float, step: int) -> Filter:
    def apply(e: Tensor) -> Tensor:
        contraction = 2 * step_size * e
        # Where the factor is near 1, 1 - q^k loses digits that expm1 and log1p keep.
        slow = contraction < 0.5
        gained = -torch.expm1(step * torch.log1p(-torch.where(slow, contraction, torch.zeros_like(e))))
        return torch.where(slow, gained, 1 - (1 - contraction) ** step) / e

    return apply


def _flow_filter(time: float) -> Filter:
    return lambda e: -torch.expm1(-2 * time * e) / e


def _filtered(features: Features, labels: Labels, start: Coefficients, filters: list[Filter]) -> Path:
    n, m = features.shape
    left, singular, right = torch.linalg.svd(features, full_matrices=False)
    seen = singular > max(n, m) * torch.finfo(features.dtype).eps * singular[:1].sum()
    left, singular, right = left[:, seen], singular[seen], right[seen]
    driving = singular[:, None] * (left.T @ (labels - features @ start)) / n
    return torch.stack([start + right.T @ (g(singular**2 / n)[:, None] * driving) for g in filters])
