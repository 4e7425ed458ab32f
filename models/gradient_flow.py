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
    features: Features,
    labels: Labels,
    start: Coefficients,
    step_size: float,
    steps: Sequence[int],
    *,
    weight_decay: float = 0.0,
    schedule: Callable[[int], float] | None = None,
) -> Path:
    """a_k of gradient descent on R_n(a) + (weight_decay/2) |a|^2 from a_0 = `start`, at each k of `steps`.

    R_n(a) = (1/n) |Phi a - y|^2. With Phi = U S V^T, e = s^2 / n, mu = weight_decay / 2 and r_0 = y - Phi a_0,
    a_k = a_0 + V g_k(e + mu) (S U^T r_0 / n - mu V^T a_0) - g_k(mu) mu (I - V V^T) a_0,
    g_k(e) = (1 - prod_{j < k} (1 - 2 step_size schedule(j) e)) / e.
    Without a `schedule` every factor is 1. Time and memory of a schedule grow with k times the rank.
    """
    filters = [_descent_filter(step_size, step, schedule) for step in steps]
    return _filtered(features, labels, start, filters, weight_decay / 2)


def gradient_flow(features: Features, labels: Labels, start: Coefficients, times: Sequence[float]) -> Path:
    """a(t) of da/dt = -grad R_n(a) from a(0) = `start`: as above with g_t(e) = (1 - exp(-2 t e)) / e.

    The limit t -> infinity (`math.inf` is legal) is the empirical minimiser nearest to the start.
    """
    filters = [_flow_filter(time) for time in times]
    return _filtered(features, labels, start, filters, 0.0)


def _descent_filter(step_size: float, step: int, schedule: Callable[[int], float] | None) -> Filter:
    def scheduled(e: Tensor) -> Tensor:
        factors = torch.tensor([schedule(j) for j in range(step)] if schedule else [], dtype=e.dtype, device=e.device)
        contractions = 2 * step_size * factors[:, None] * e
        slow = (contractions < 0.5).all(dim=0)
        logarithms = torch.log1p(-torch.where(slow, contractions, torch.zeros_like(contractions)))
        return torch.where(slow, -torch.expm1(logarithms.sum(dim=0)), 1 - (1 - contractions).prod(dim=0)) / e

    def constant(e: Tensor) -> Tensor:
        contraction = 2 * step_size * e
        # Where the factor is near 1, 1 - q^k loses digits that expm1 and log1p keep.
        slow = contraction < 0.5
        gained = -torch.expm1(step * torch.log1p(-torch.where(slow, contraction, torch.zeros_like(e))))
        return torch.where(slow, gained, 1 - (1 - contraction) ** step) / e

    return constant if schedule is None else scheduled


def _flow_filter(time: float) -> Filter:
    return lambda e: -torch.expm1(-2 * time * e) / e


def _filtered(features: Features, labels: Labels, start: Coefficients, filters: list[Filter], mu: float) -> Path:
    n, m = features.shape
    left, singular, right = torch.linalg.svd(features, full_matrices=False)
    seen = singular > max(n, m) * torch.finfo(features.dtype).eps * singular[:1].sum()
    left, singular, right = left[:, seen], singular[seen], right[seen]
    driving = singular[:, None] * (left.T @ (labels - features @ start)) / n - mu * (right @ start)
    moved = [start + right.T @ (g(singular**2 / n + mu)[:, None] * driving) for g in filters]
    if mu:
        # What the features do not see only decays.
        unseen, decay = start - right.T @ (right @ start), torch.full((1,), mu, dtype=start.dtype, device=start.device)
        moved = [a - mu * g(decay) * unseen for a, g in zip(moved, filters, strict=True)]
    return torch.stack(moved)
