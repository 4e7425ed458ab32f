"""Many penalties or many times of gradient descent at one width and sample size, from one eigendecomposition."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Labels
from models.linear_grid.products import symmetric_product

Path = Float[Tensor, "t m k"]


@dataclass(frozen=True)
class Spectrum:
    """Phi^T Phi / n = V diag(e) V^T and V^T Phi^T y / n: a(g) = V g(e) V^T Phi^T y / n for every filter g.

    Eigenvalues carry an error of about eps times the largest, as those of a Gram matrix do. A filter that stays finite
    at e = 0 makes little of it; the minimum-norm solution, 1/e, is not for a Spectrum.
    """

    eigenvalues: Float[Tensor, " r"]
    basis: Float[Tensor, "m r"]
    driving: Float[Tensor, "r k"]

    def ridge(self, penalties: Sequence[float]) -> Path:
        """argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2 for each penalty > 0: g(e) = 1 / (e + penalty)."""
        shifts = torch.tensor(penalties, dtype=self.driving.dtype, device=self.driving.device)
        return self._filtered(1 / (self.eigenvalues + shifts[:, None]))

    def descent(self, step_size: float, steps: Sequence[int], weight_decay: float = 0.0) -> Path:
        """a_k from a_0 = 0 of descent on (1/n) |Phi a - y|^2 + (weight_decay/2) |a|^2, for each k of `steps`.

        g(e) = (1 - (1 - 2 step_size e')^k) / e' at e' = e + weight_decay/2; 2 step_size k where e' is 0. As
        `models.gradient_flow.linear_trajectory`, which decomposes Phi itself.
        """
        e = self.eigenvalues + weight_decay / 2
        counts = torch.tensor(steps, dtype=e.dtype, device=e.device)[:, None]
        contraction = 2 * step_size * e
        slow = contraction < 0.5
        # Where the factor is near 1, 1 - q^k loses digits that expm1 and log1p keep.
        gained = -torch.expm1(counts * torch.log1p(-torch.where(slow, contraction, 0.0)))
        gained = torch.where(slow, gained, 1 - (1 - contraction) ** counts)
        return self._filtered(torch.where(e > 0, gained / e, 2 * step_size * counts))

    def _filtered(self, weights: Float[Tensor, "t r"]) -> Path:
        filtered = weights[:, :, None] * self.driving
        columns = filtered.permute(1, 0, 2).flatten(start_dim=1)
        return (self.basis @ columns).unflatten(1, (len(weights), -1)).permute(1, 0, 2)


def spectrum_of_gram(gram: Float[Tensor, "m m"], moments: Float[Tensor, "m k"], sample_size: int) -> Spectrum:
    """From Phi^T Phi and Phi^T y of n rows, which a grid has already."""
    eigenvalues, basis = torch.linalg.eigh(gram / sample_size)
    return Spectrum(eigenvalues.clamp(min=0), basis, basis.T @ moments / sample_size)


def spectrum_of_rows(features: Features, labels: Labels) -> Spectrum:
    """From the rows, by the smaller Gram matrix; for m > n without the eigenvalues that are only rounding."""
    n, m = features.shape
    if m <= n:
        return spectrum_of_gram(symmetric_product(features), features.T @ labels, n)
    eigenvalues, left = torch.linalg.eigh(symmetric_product(features.T) / n)
    seen = eigenvalues > m * torch.finfo(features.dtype).eps * eigenvalues[-1].clamp(min=0)
    eigenvalues, left = eigenvalues[seen], left[:, seen]
    basis = features.T @ (left / (n * eigenvalues).sqrt())
    return Spectrum(eigenvalues, basis, (eigenvalues / n).sqrt()[:, None] * (left.T @ labels))
