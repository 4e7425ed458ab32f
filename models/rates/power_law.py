"""The exponent of a power law from errors at several widths, with intervals that know what the errors share."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.decomposition.intervals import Interval, student_quantile
from models.estimates import Estimate, Method

LARGE_FREEDOM = 1e4
ROUND_OFF = 1e-24
"""Squared errors below this share of E|f*|^2 are the arithmetic's, not the space's."""


@dataclass(frozen=True)
class PowerLaw:
    """Error(m) = c m^exponent over `widths`, by least squares of ln error on ln m.

    `local`: exponents between neighbouring widths. `curvature`: of the parabola through the same points, the change of
    the local exponent as m grows e-fold; an interval without 0 says that this is no power law over these widths.
    """

    widths: tuple[int, ...]
    exponent: Interval
    local: tuple[Interval, ...]
    curvature: Interval

    @property
    def is_straight(self) -> bool:
        """Whether a power law is consistent with the errors."""
        return self.curvature.lower <= 0 <= self.curvature.upper


def mean_errors(errors: Float[Tensor, "s w i"], method: Method) -> tuple[Estimate, ...]:
    """The mean error of each width; the variance of its error bar is that of seeds and that of points, added."""
    variances = _covariance(errors).diagonal()
    pairs = zip(errors.mean(dim=(0, 2)).tolist(), variances.sqrt().tolist(), strict=True)
    return tuple(Estimate(value=mean, standard_error=error, method=method) for mean, error in pairs)


def power_law(widths: Sequence[int], errors: Float[Tensor, "s w i"], scale: float) -> PowerLaw | None:
    """From |f* - f_m|^2 of seed s, width w, test point i; `scale` is E|f*|^2.

    Widths whose error is round-off are left out; None where fewer than three remain.

    The mean errors e_w share seeds and test points: their covariance is Cov_s(e_sw)/S + Cov_i(e_wi)/N, the share of
    both counted twice as for every cell. Exponent, local exponents and curvature are linear in ln e, of which the
    covariance is that of e divided by e e^T (first order). Intervals of 95 % take Student's quantile at S - 1 degrees
    of freedom, or the normal one for a single search; the interval does not know what a search missed.
    """
    clear = [w for w, mean in enumerate(errors.mean(dim=(0, 2)).tolist()) if mean > ROUND_OFF * scale]
    if len(clear) < 3:
        return None
    errors, widths, seeds = errors[:, clear], [widths[w] for w in clear], len(errors)
    means, covariance = errors.mean(dim=(0, 2)), _covariance(errors)
    quantile = student_quantile(float(seeds - 1) if seeds > 1 else LARGE_FREEDOM)
    logs, scaled = means.log(), covariance / torch.outer(means, means)
    steps = torch.tensor(widths, dtype=torch.float64).log()

    def interval(weights: Float[Tensor, " w"]) -> Interval:
        # Below 0 by rounding only, where what the errors share leaves nothing.
        value, variance = float(weights @ logs), max(0.0, float(weights @ scaled @ weights))
        reach = quantile * variance**0.5
        return Interval(value=value, lower=value - reach, upper=value + reach)

    centred = steps - steps.mean()
    line = torch.linalg.pinv(torch.stack([torch.ones_like(centred), centred], dim=1))
    parabola = torch.linalg.pinv(torch.stack([torch.ones_like(centred), centred, centred**2], dim=1))
    local = []
    for place in range(len(widths) - 1):
        weights = torch.zeros_like(steps)
        weights[place + 1], weights[place] = 1.0, -1.0
        local.append(interval(weights / (steps[place + 1] - steps[place])))
    return PowerLaw(tuple(widths), interval(line[1]), tuple(local), interval(2 * parabola[2]))


def _covariance(errors: Float[Tensor, "s w i"]) -> Float[Tensor, "w w"]:
    seeds, _, points = errors.shape
    covariance = torch.cov(errors.mean(dim=0)) / points
    return covariance + torch.cov(errors.mean(dim=2).T) / seeds if seeds > 1 else covariance
