"""The risks of a grid as they were measured, with what their error bars can and cannot tell."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from models.decomposition.intervals import Draws, falls, least_mean, standard_error, student_quantile

Place = tuple[int, int]
"""(width, sample size)."""

NORMAL = 1.96
"""Standard errors of a normal law that an interval of 95 % reaches to."""


@dataclass(frozen=True)
class RiskDraws:
    """Joint draws of the risks of a grid; row 0 is the data's.

    `by_seed`: the trained risk of each seed. `best`: R(f_m) by width where f_m is exact, else empty. `noise`: what no
    purchase removes, 0 where unknown. `coefficients`: m of linear least squares at any width, None in other spaces.
    `refusal`: why the space has no such width, or None. `follows_least_squares`: whether the learner's risk may peak
    where that of f~ does. `least_squares`: whether the learner returned f~ everywhere. `has_mean`: whether an expected
    risk exists; `features_vanish`: in such a space that of f~ does not. `independent_seeds`: not on a table, whose
    seeds share rows.
    """

    trained: Mapping[Place, Draws]
    best: Mapping[int, Draws]
    noise: float
    by_seed: Mapping[Place, tuple[float, ...]]
    coefficients: Callable[[int], int] | None
    refusal: Callable[[int], str | None]
    follows_least_squares: bool
    least_squares: bool = False
    has_mean: bool = True
    features_vanish: bool = False
    independent_seeds: bool = True

    @property
    def seeds(self) -> int:
        """S."""
        return len(next(iter(self.by_seed.values())))

    def freedom(self, place: Place, other: Place | None = None) -> float:
        """Degrees of freedom of the error of a measured risk, or of its difference to another (Satterthwaite).

        S - 1 for the part that seeds show, ever more as test points dominate; of one seed it is not told.
        """
        if self.seeds < 2:
            return math.inf
        draws, by_seed = self.trained[place], torch.tensor(self.by_seed[place], dtype=torch.float64)
        if other is not None:
            draws, by_seed = draws - self.trained[other], by_seed - by_seed.new_tensor(self.by_seed[other])
        share = float(by_seed.var(unbiased=True)) / self.seeds
        return (self.seeds - 1) * max(1.0, standard_error(draws) ** 2 / share) ** 2 if share > 0 else math.inf

    def least_risk(self, place: Place) -> float:
        """A lower end, at level 97.5 %, of a measured expected risk, however much a few seeds dominate its mean.

        `least_mean` of what is above the noise, less what the test points may add.
        """
        if not self.independent_seeds:
            return self.noise
        above = least_mean([risk - self.noise for risk in self.by_seed[place]])
        return self.noise + max(above - NORMAL * self._points_error(place), 0.0)

    def few_seeds_decide(self, place: Place) -> bool:
        """Whether the interval of a measured risk is as long as the risk: a few seeds dominate its mean."""
        draws = self.trained[place]
        reach = student_quantile(self.freedom(place)) * standard_error(draws)
        return not self.has_mean or reach >= float(draws[0]) - self.noise

    def falls(self, place: Place, other: Place) -> bool:
        """Whether the risk above the noise is smaller at the other place seed by seed, on the logarithmic scale."""
        if not self.independent_seeds:
            return False
        above = ([risk - self.noise for risk in self.by_seed[at]] for at in (place, other))
        return falls(*above)

    def _points_error(self, place: Place) -> float:
        by_seed = torch.tensor(self.by_seed[place], dtype=torch.float64)
        of_seeds = float(by_seed.var(unbiased=True)) / self.seeds if self.seeds > 1 else 0.0
        return math.sqrt(max(standard_error(self.trained[place]) ** 2 - of_seeds, 0.0))

    def freedom_of_curves(self, place: Place) -> float:
        """Of what the curves through a place say: the least of the measured risks that they rest on."""
        resting = (at for at in self.trained if at[0] == place[0] or at[1] == place[1])
        return min(self.freedom(at) for at in resting)
