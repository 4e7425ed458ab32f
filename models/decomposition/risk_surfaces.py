"""The risk of one space and learner over widths and sample sizes: measured where it is, continued where that is honest.

All risks of a grid are drawn together, so that differences between its cells and continuations of its curves are
paired: seeds and test points are common to them. A measured cell is never replaced by a fit.

Along n the trained risk is fitted above what no n removes: R(f_m) where f_m is exact, to which least squares tends, the
noise elsewhere. Along m,
where f_m is exact, approximation (falling) and the rest (rising) are fitted apart and added; elsewhere the trained
risk itself, up to where it begins to rise. That is continued for other learners than least squares, too, unless it
rises: what a penalty or an early stop keeps them from grows with what f_m wins, and not like the forms of the rest. One
draw in STALLING then follows the sum, the others the risk itself, so that an interval of 95 % about reaches either.
Least squares errs without bound near n = m coefficients, and so does a learner that follows it: neither the places of a
fit nor its target may then lie on the other side of, or near, the peak. A learner is trusted there only if the grid
shows that it errs less than f~ around n = m.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from models.decomposition.intervals import Draws, standard_error, student_quantile
from models.decomposition.measured_risks import Place, RiskDraws
from models.decomposition.risk_curves import (
    FEWEST_PLACES,
    STALLING,
    RiskCurve,
    decays,
    fit_curve,
    growths,
    late_decays,
    vanishing_decays,
)
from models.randomness import Randomness

PEAK_MARGIN = 1.5
"""Least squares with m coefficients is fitted at n >= 1.5 m or n <= m / 2 only."""
THRESHOLD_MARGIN = 3
"""Least squares without a penalty is continued to a width of at most a third of n: the expected risk diverges at
m = n - 1 (Belkin, Hsu and Xu, 2020), and features that are not Gaussian feel it from farther."""
FARTHEST = 16
"""A curve is continued to this many times its last place, no further."""
SAME_FUNCTIONS = "twice the width has no more functions, and the grid no width that has"
PEAK = "the peak of least squares at n = m lies between"
NO_MEAN = (
    "least squares without a penalty has no finite expected risk here: one row that barely sees a feature may decide "
    "it alone"
)
THRESHOLD = "without a penalty the expected risk diverges at m = n, and this width is too near it"
FEW = "fewer than three usable {} in the grid, and no next one"
ONE_SEED = "one seed gives no error bar to a curve; add seeds"


@dataclass(frozen=True)
class Forecast:
    """The risk at a place, draw by draw, and whether it was measured there or is extrapolated."""

    place: Place
    draws: Draws
    measured: bool


class RiskSurface:
    """Forecasts over one grid. The order of its cells does not matter."""

    def __init__(self, draws: RiskDraws) -> None:
        self.draws = draws
        self.widths = sorted({width for width, _ in draws.trained})
        self.sizes = sorted({size for _, size in draws.trained})
        self._along_sizes: dict[int, RiskCurve | str] = {}
        self._along_widths: dict[tuple[int, bool, bool], RiskCurve | str] = {}
        self._approximation: RiskCurve | None = None

    def more_data(self, place: Place) -> Forecast | str:
        """At twice the sample size: measured, else fitted, else at the next size of the grid, or why none is known."""
        width, size = place
        fitted = self._measured((width, 2 * size)) or self.at_size(width, 2 * size)
        above = [n for n in self.sizes if n > size and (width, n) in self.draws.trained]
        return self._or_next(fitted, [(width, n) for n in above])

    def more_width(self, place: Place) -> Forecast | str:
        """At twice the width, likewise; where that has no more functions, at the next width of the grid that has."""
        width, size = place
        if self.draws.refusal(2 * width) is None and self._axis(2 * width) == self._axis(width):
            fitted: Forecast | str = SAME_FUNCTIONS
        else:
            fitted = self._measured((2 * width, size)) or self.at_width(2 * width, size)
        above = [m for m in self.widths if self._axis(m) > self._axis(width) and (m, size) in self.draws.trained]
        return self._or_next(fitted, [(m, size) for m in above])

    def _measured(self, place: Place) -> Forecast | None:
        """At a place of the grid, the same or one whose width has the same functions."""
        width, size = place
        if place not in self.draws.trained and self.draws.coefficients is not None and not self.draws.refusal(width):
            same = [m for m in self.widths if self._axis(m) == self._axis(width)]
            place = next(((m, size) for m in same if (m, size) in self.draws.trained), place)
        found = self.draws.trained.get(place)
        return None if found is None else Forecast(place, found, measured=True)

    def _or_next(self, fitted: Forecast | str, above: Sequence[Place]) -> Forecast | str:
        if isinstance(fitted, str) and above:
            return self._measured(above[0]) or fitted
        return fitted

    def at_size(self, width: int, size: int) -> Forecast | str:
        """The risk at one width of the grid and any n, by the fitted curve, or why that is not known."""
        if not self.draws.has_mean:
            return NO_MEAN
        if self._near_peak(width, size, above=True):
            return PEAK
        curve = self.along_sizes(width)
        if isinstance(curve, str):
            return curve
        return Forecast((width, size), self._floor(width) + curve.at(size), measured=False)

    def along_sizes(self, width: int) -> RiskCurve | str:
        """The curve over n of the risk above `_floor`, or why there is none."""
        if width not in self._along_sizes:
            self._along_sizes[width] = self._fitted_along_sizes(width)
        return self._along_sizes[width]

    def limit(self, width: int) -> Draws | str:
        """The risk at one width of the grid with ever more rows, or why that is not known."""
        if not self.draws.has_mean:
            return NO_MEAN
        curve = self.along_sizes(width)
        return curve if isinstance(curve, str) else self._floor(width) + curve.limit()

    def _fitted_along_sizes(self, width: int) -> RiskCurve | str:
        sizes = [n for n in self.sizes if (width, n) in self.draws.trained]
        usable = [n for n in sizes if not self._near_peak(width, n, above=True)]
        if len(sizes) >= FEWEST_PLACES > len(usable):
            return PEAK
        for earlier, later in pairwise(list(usable)):
            if self._rises((width, earlier), (width, later)):
                usable = [n for n in usable if n >= later]
        if self.draws.seeds < 2:
            return ONE_SEED
        if len(usable) < FEWEST_PLACES:
            return FEW.format("sample sizes")
        risks = torch.stack([self.draws.trained[width, n] - self._floor(width) for n in usable], dim=1)
        coefficients = self._coefficients(width) if self.draws.follows_least_squares else None
        # Least squares tends to f_m with ever more rows; a floor that is fitted would be the noise of three places.
        tends = self.draws.least_squares and width in self.draws.best
        forms = vanishing_decays(coefficients) if tends else decays(coefficients)
        return fit_curve(usable, risks, forms, Randomness(0).child("along_sizes"))

    def at_width(self, width: int, size: int) -> Forecast | str:
        """The risk at one sample size of the grid and any width, by the fitted curves, or why that is not known."""
        refusal = self.draws.refusal(width)
        if refusal is not None:
            return refusal
        if not self.draws.has_mean:
            return NO_MEAN
        beyond = self._near_peak(width, size, above=True)
        if beyond and self._near_peak(width, size, above=False):
            return PEAK
        if not beyond and self.draws.least_squares and size < THRESHOLD_MARGIN * self._axis(width):
            return THRESHOLD
        split = bool(self.draws.best) and not beyond
        curve = self.along_widths(size, beyond, split)
        if isinstance(curve, str):
            return curve
        at = self._axis(width)
        draws = curve.at(at) + (self.approximation(width) if split else self.draws.noise)
        whole = self.along_widths(size, beyond, split=False) if split and not self.draws.least_squares else ""
        if not isinstance(whole, str):
            draws = _mixed(whole.at(at) + self.draws.noise, draws)
        return Forecast((width, size), draws, measured=False)

    def along_widths(self, size: int, beyond: bool, split: bool) -> RiskCurve | str:
        """The curve over m at one sample size, or why there is none: of the risk, or (`split`) of what is above R(f_m).

        `beyond`: beyond the peak, m > n.
        """
        key = size, beyond, split
        if key not in self._along_widths:
            self._along_widths[key] = self._fitted_along_widths(*key)
        return self._along_widths[key]

    def approximation(self, width: int) -> Draws:
        """R(f_m) at any width that the space has, where f_m is exact; three widths of the grid at least."""
        if self._approximation is None:
            widths = sorted(self.draws.best)
            places = [self._axis(m) for m in widths]
            risks = torch.stack([self.draws.best[m] - self.draws.noise for m in widths], dim=1)
            streams = Randomness(0).child("approximation")
            self._approximation = fit_curve(places, risks, late_decays(places[0]), streams, may_stall=True)
        return self.draws.noise + self._approximation.at(self._axis(width))

    def _fitted_along_widths(self, size: int, beyond: bool, split: bool) -> RiskCurve | str:
        widths = [m for m in self.widths if (m, size) in self.draws.trained]
        usable = [m for m in widths if not self._near_peak(m, size, above=not beyond)]
        if len(widths) >= FEWEST_PLACES > len(usable):
            return PEAK
        if self.draws.seeds < 2:
            return ONE_SEED
        if len(usable) < FEWEST_PLACES:
            return FEW.format("widths")
        streams, places = Randomness(0).child("along_widths"), [self._axis(m) for m in usable]
        if split:
            risks = torch.stack([self.draws.trained[m, size] - self.draws.best[m] for m in usable], dim=1)
            return fit_curve(places, risks, growths(size if self.draws.follows_least_squares else None), streams)
        if any(self._rises((low, size), (high, size)) for low, high in pairwise(usable)):
            return "the risk rises with the width here"
        risks = torch.stack([self.draws.trained[m, size] - self.draws.noise for m in usable], dim=1)
        return fit_curve(places, risks, late_decays(places[0]), streams, may_stall=True)

    def _floor(self, width: int) -> Draws | float:
        return self.draws.best.get(width, self.draws.noise)

    def _axis(self, width: int) -> int:
        """What a width counts: functions where the space is linear, some widths having the same ones."""
        return self._coefficients(width) or width

    def _coefficients(self, width: int) -> int | None:
        return None if self.draws.coefficients is None else self.draws.coefficients(width)

    def _near_peak(self, width: int, size: int, above: bool) -> bool:
        """Whether a fit on the side `above` (n > m) may not see this place."""
        coefficients = self._coefficients(width)
        if coefficients is None or not self.draws.follows_least_squares:
            return False
        return size < PEAK_MARGIN * coefficients if above else 2 * size > coefficients

    def _rises(self, earlier: Place, later: Place) -> bool:
        rise = self.draws.trained[later] - self.draws.trained[earlier]
        return float(rise[0]) > student_quantile(self.draws.freedom(earlier, later)) * standard_error(rise)


def _mixed(often: Draws, seldom: Draws) -> Draws:
    """Two continuations, one draw in STALLING of the second, the value their weighted mean: the spread holds both."""
    mixed = torch.where(torch.arange(len(often)) % STALLING == 0, seldom, often)
    mixed[0] = often[0] + (seldom[0] - often[0]) / STALLING
    return mixed
