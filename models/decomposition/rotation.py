"""Means of losses over seeds and test rows, with error bars that know which rows also trained.

A loss l(s, i) is that of row i under the function of seed s that did not see it. Where test rows are held out once,
the error of the mean is that of rows plus that of seeds. In cross-validation rows also train for each other, and no
unbiased estimate of the variance exists (Bengio and Grandvalet, 2004); the error of independent rows alone is too short
(Bates, Hastie and Tibshirani, 2023). What is estimated is R(n), the risk averaged over samples of n rows. To first
order in the rows the mean moves by (1/N) sum_i [t(z_i) + n g(z_i)], t and g the effect of a row that tests and of one
that trains (Hoeffding). The parts of it:

    rows     Var t / N, from each row's loss averaged over the seeds;
    shared   n^2 Var g / N <= (n / N) tau^2, tau^2 the variance of the risk over independent samples, because its n
             first-order terms n Var g are a part of tau^2;
    seeds    the variance of the seeds' means over S: draws, orders, and what is not of first order.

t and g may be correlated, at most fully: error^2 = (sqrt(rows) + sqrt(shared))^2 + seeds. tau^2 is the variance between
the folds of one seed, after each row's mean over the other seeds is taken off, less that of the rows within them,
divided by 1 - o, o the share of rows that two of their samples have in common. Towards n = N this divides by little and
is noisy, so that `shared` takes the least value of the sizes up to n from which the risk has not risen: the effect of
one row more falls along a learning curve.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.estimates import Estimate, Method
from models.table_splits import arc


@dataclass(frozen=True)
class Rotation:
    """`fold`[s, i]: the fold that tests row i in seed s; `sample_sizes` ascending. With one fold, rows only test."""

    folds: int
    fold: Int[Tensor, "s i"]
    sample_sizes: tuple[int, ...]

    def estimate(self, losses: Float[Tensor, "s j i"], place: int, method: Method = "monte_carlo") -> Estimate:
        """The mean over seeds and rows at the sample size of this place."""
        seen = losses[:, : place + 1] if self.folds > 1 else losses[:, place : place + 1]
        error = float(self.standard_errors(seen)[-1])
        return Estimate(value=float(losses[:, place].mean()), standard_error=error, method=method)

    def standard_errors(self, losses: Float[Tensor, "s j i"]) -> Float[Tensor, " j"]:
        """Of the means at the first j sample sizes. One seed has no error of seeds, one row none of rows."""
        seeds, _, rows = losses.shape
        row_part = losses.mean(dim=0).var(dim=-1) / rows if rows > 1 else torch.zeros(losses.shape[1]).to(losses)
        seed_part = losses.mean(dim=-1).var(dim=0) / seeds if seeds > 1 else torch.zeros_like(row_part)
        return ((row_part.sqrt() + self.shared(losses).sqrt()) ** 2 + seed_part).sqrt()

    def shared(self, losses: Float[Tensor, "s j i"]) -> Float[Tensor, " j"]:
        """(n / N) tau^2, the variance that comes from rows that train in several folds and seeds; 0 with one fold.

        With one seed a row's own effect cannot be taken out of its fold's mean, and the estimate is noisier.
        """
        if self.folds == 1:
            return torch.zeros(losses.shape[1]).to(losses)
        sizes = losses.shape[1]
        shares = torch.tensor(self.sample_sizes[:sizes]).to(losses) / losses.shape[2]
        parts = shares * self._between_samples(losses) / (1 - self.overlaps[:sizes])
        means = losses.mean(dim=(0, 2)).abs()
        least = []
        for place in range(len(parts)):
            falling = means[: place + 1] >= means[place]
            least.append(parts[: place + 1][falling].min())
        return torch.stack(least)

    def _between_samples(self, losses: Float[Tensor, "s j i"]) -> Float[Tensor, " j"]:
        seeds = losses.shape[0]
        # A row's own effect is its mean over the other seeds, so that nothing of this seed's folds is taken away.
        others = (losses.sum(dim=0) - losses) / (seeds - 1) if seeds > 1 else losses.mean(dim=(0, 2))[:, None]
        left = losses - others
        member = torch.nn.functional.one_hot(self.fold, self.folds).to(losses)
        counts = member.sum(dim=1)[:, None]
        means = torch.einsum("sji,siv->sjv", left, member) / counts
        within = torch.einsum("sji,siv->sjv", (left - self.by_row(means)) ** 2, member) / (counts - 1)
        between = means.var(dim=2) - (within / counts).mean(dim=2)
        return between.mean(dim=0).clamp(min=0)

    def by_row(self, values: Float[Tensor, "s j v"]) -> Float[Tensor, "s j i"]:
        """A number of each fold, at the rows that it tests."""
        return values.gather(2, self.fold[:, None].expand(-1, values.shape[1], -1))

    @cached_property
    def overlaps(self) -> Float[Tensor, " j"]:
        """For each n, the share of rows that the samples of two folds of one seed have in common, on average."""
        rows = self.fold.shape[1]
        ends = torch.tensor([arc(rows, self.folds, fold)[1] for fold in range(self.folds)])
        behind = (torch.arange(rows) - ends[:, None]) % rows
        pairs = self.folds * (self.folds - 1)
        common = []
        for size in self.sample_sizes:
            times = (behind < size).sum(dim=0)
            common.append(int((times * (times - 1)).sum()) / (pairs * size))
        return torch.tensor(common, dtype=torch.float64)

    def widening(self, losses: Float[Tensor, "s j i"]) -> float:
        """How far the error at the largest n exceeds that of rows and seeds alone, which a bootstrap of both gives.

        One factor serves the whole curve, so that what its sizes have in common cancels in their differences.
        """
        alone = Rotation(1, self.fold, self.sample_sizes).standard_errors(losses)[-1]
        return float(self.standard_errors(losses)[-1] / alone) if self.folds > 1 and alone > 0 else 1.0
