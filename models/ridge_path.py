"""Ridge regression for many penalties at once: fit, size, degrees of freedom and two estimates of the risk."""

from dataclasses import asdict, dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Labels
from models.errors import NumericalFailure

Criterion = Literal["leave_one_out", "generalized_cross_validation"]


@dataclass(frozen=True)
class RidgePathPoint:
    """What a^ = argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2 is like, H = Phi (Phi^T Phi + n penalty)^{-1} Phi^T.

    With several outputs all squares are summed over them.

    `empirical_risk`: (1/n) |y - H y|^2. `norm_squared`: |a^|^2. `effective_degrees_of_freedom`: tr H.
    `leave_one_out`: (1/n) sum_i |r_i / (1 - H_ii)|^2, r = y - H y (Allen's PRESS): exactly the mean loss at each row of
    a fit without it that keeps the weight n x penalty of |a|^2 against the sum of losses. Given features and scaling
    are not refitted. `generalized_cross_validation`: (1/n) |r|^2 / (1 - tr H / n)^2 (Golub, Heath and Wahba).
    """

    penalty: float
    empirical_risk: float
    norm_squared: float
    effective_degrees_of_freedom: float
    leave_one_out: float
    generalized_cross_validation: float

    def record(self) -> dict[str, float]:
        """By name, for JSON."""
        return asdict(self)


def ridge_path(features: Features, labels: Labels, multiples: Float[Tensor, " c"]) -> list[RidgePathPoint]:
    """The path over penalties that are `multiples` > 0 of the largest eigenvalue of Phi^T Phi / n.

    Empty where that is 0. One eigendecomposition of the smaller Gram matrix, whose eigenvalues carry an error of about
    eps times the largest, so that multiples should stay well above eps.

    Raises:
        NumericalFailure: features or labels are not finite.
    """
    if not bool(torch.isfinite(features).all() and torch.isfinite(labels).all()):
        raise NumericalFailure("A feature or a label is not finite.")
    n, m = features.shape
    # `rotated` is U S of Phi = U S V^T; eigenvalues of Phi^T Phi / n.
    if m <= n:
        eigenvalues, vectors = torch.linalg.eigh(features.T @ features / n)
        eigenvalues, rotated = eigenvalues.clamp(min=0), features @ vectors
    else:
        eigenvalues, vectors = torch.linalg.eigh(features @ features.T / n)
        eigenvalues = eigenvalues.clamp(min=0)
        rotated = vectors * torch.sqrt(n * eigenvalues)
    if not float(eigenvalues[-1]):
        return []
    projected, squares = rotated.T @ labels / n, rotated**2 / n
    smallest = torch.finfo(features.dtype).eps
    points = []
    for penalty in eigenvalues[-1] * multiples:
        weights = 1 / (eigenvalues + penalty)
        coefficients = weights[:, None] * projected
        losses = ((labels - rotated @ coefficients) ** 2).sum(dim=1)
        kept = (1 - squares @ weights).clamp(min=smallest)
        freedom = (eigenvalues * weights).sum()
        numbers = (
            penalty,
            losses.mean(),
            (coefficients**2).sum(),
            freedom,
            (losses / kept**2).mean(),
            losses.mean() / (1 - freedom / n).clamp(min=smallest) ** 2,
        )
        points.append(RidgePathPoint(*(float(number) for number in numbers)))
    return points


def best_penalty(path: list[RidgePathPoint], criterion: Criterion) -> float:
    """The penalty with the smallest value of `criterion`; the first of equals."""
    return min(path, key=lambda point: float(getattr(point, criterion))).penalty
