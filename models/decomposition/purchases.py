"""What to buy next, from the whole grid: twice the data, twice the width or longer training, or nothing.

What is expected of a purchase is measured where the grid holds it, otherwise extrapolated or bounded, otherwise said
to be unknown. The advice is the largest expected saving whose 95 % interval is above 0. Training that is not measured
counts with the whole optimization term, the most that training to its end wins. Where no saving is known to be above 0,
the advice is that of the cell's own terms if what they name is not known at all, for they say what it could save at
most, or if it saves two standard errors, which is no proof with few seeds: the sentence says so.

Where a few seeds decide a risk, as at the peak of least squares, its mean and every difference to it have errors as
large as themselves, whatever is bought. A measured purchase then counts, too, if it lowers the risk on the logarithmic
scale, seed by seed, and a saving reaches at least from `RiskSurface.least_risk` to the upper end of what is bought.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.decomposition.advice import NOISE_FLOOR, ROUND_OFF, SIGNIFICANT, Advice, Prospect
from models.decomposition.intervals import (
    SKEWED,
    SLIGHTLY_SKEWED,
    Interval,
    interval_around,
    interval_of,
    standard_error,
)
from models.decomposition.measured_risks import NORMAL, Place
from models.decomposition.risk_surfaces import NO_MEAN, Forecast, RiskSurface
from models.decomposition.terms import DecompositionCell
from models.estimates import Estimate, closed_form, in_words

Remedy = Literal["data", "width", "training"]


@dataclass(frozen=True)
class _Gain:
    """What a purchase saves, the lower end of its interval, and whether that is only the most it can save.

    `by_seed`: where a few seeds decide the risk, how it falls on the logarithmic scale, in words.
    """

    saved: Estimate
    lower: float
    at_most: bool = False
    by_seed: str | None = None

    @property
    def stands_out(self) -> bool:
        return self.saved.value > 0 and (self.lower > 0 or self.by_seed is not None)

    @property
    def is_likely(self) -> bool:
        """Two standard errors: of few seeds, whose t is larger, no proof."""
        return not self.at_most and self.saved.value > SIGNIFICANT * (self.saved.standard_error or math.inf)


_Purchase = tuple[Prospect, _Gain | None]


def advised(cells: Sequence[DecompositionCell], surface: RiskSurface) -> list[DecompositionCell]:
    """The cells of one space and learner with the advice of the whole grid, in their order."""
    return [cell.model_copy(update={"advice": grid_advice(cell, surface)}) for cell in cells]


def grid_advice(cell: DecompositionCell, surface: RiskSurface) -> Advice:
    """The advice of one cell; `cell.advice`, that of its terms alone, stands where it names the noise."""
    place = cell.width, cell.sample_size
    purchases: dict[Remedy, _Purchase] = {
        "data": _grown(surface.more_data(place), (place[0], 2 * place[1]), cell, surface),
        "width": _grown(surface.more_width(place), (2 * place[0], place[1]), cell, surface),
        "training": _trained(cell, surface),
    }
    expected = {remedy: prospect for remedy, (prospect, _) in purchases.items()}
    buy, because = _choice(cell, purchases, surface)
    if not surface.draws.has_mean and NO_MEAN not in because:
        same = "" if cell.learner["kind"] == "least_squares" else f"{cell.learner['kind']} returned least squares, and "
        because = f"{because} What is measured holds for these seeds: {same}{NO_MEAN}."
    return Advice(buy=buy, because=because, expected=expected)


def _choice(
    cell: DecompositionCell, purchases: dict[Remedy, _Purchase], surface: RiskSurface
) -> tuple[Literal["data", "width", "training", "nothing"], str]:
    risk = in_words(cell.risks["trained"])
    noise = cell.risks.get("noise")
    if noise is not None and cell.risks["trained"].value - noise.value <= NOISE_FLOOR * noise.value:
        return "nothing", f"Buy nothing: the risk {risk} is at the noise {in_words(noise)}, within {NOISE_FLOOR:.0%}."
    if cell.gram is not None and cell.advice.buy == "nothing" and cell.advice.because.endswith(f"{ROUND_OFF}."):
        return "nothing", cell.advice.because
    gains = {remedy: gain for remedy, (_, gain) in purchases.items() if gain is not None and gain.stands_out}
    if gains:
        buy = max(gains, key=lambda remedy: gains[remedy].saved.value)
        prospect, gain = purchases[buy][0], gains[buy]
        verb = "can lower" if gain.at_most else f"is expected ({prospect.method}) to lower"
        others = [_in_words(*found) for remedy, found in purchases.items() if remedy != buy and _open(found[0], cell)]
        aside = f" ({'; '.join(others)})" if others else ""
        return buy, f"Buy {buy}: {prospect.change} {verb} the risk {risk} by {_saved(gain)}{aside}."
    named = cell.advice.buy
    if named != "nothing" and (likely := purchases[named][1]) is not None and likely.is_likely:
        prospect, seeds = purchases[named][0], surface.draws.seeds
        return named, (
            f"{cell.advice.because.removesuffix('.')}; {prospect.change} is expected ({prospect.method}) to lower the "
            f"risk {risk} by {_saved(likely)}, which {seeds} seeds leave uncertain: add seeds."
        )
    unknown = {remedy: prospect for remedy, (prospect, gain) in purchases.items() if gain is None}
    if cell.advice.buy in unknown:
        prospect = unknown[cell.advice.buy]
        caveat = f"what {prospect.change} gives is not known: {prospect.unknown}"
        return cell.advice.buy, f"{cell.advice.because.removesuffix('.')}; {caveat}."
    if "data" in unknown and _surely_above(cell, surface):
        least = surface.draws.least_risk((cell.width, cell.sample_size))
        prospect = unknown["data"]
        return "data", (
            f"Buy data: the risk {risk} is {least:.3g} at least, by the logarithms of the seeds, and that of the best "
            f"of the space {in_words(cell.risks['best_in_space'])}; what {prospect.change} gives is not known: "
            f"{prospect.unknown}."
        )
    reasons = "".join(f"; {prospect.change} is not known: {prospect.unknown}" for prospect in unknown.values())
    hopeful = any(gain is not None and gain.saved.value > 0 for _, gain in purchases.values())
    more = "; add seeds or test points" if hopeful else ""
    because = f"Buy nothing: no purchase is known to lower the risk {risk} by more than its error bar{more}{reasons}."
    return "nothing", because


def _surely_above(cell: DecompositionCell, surface: RiskSurface) -> bool:
    """Whether the risk is far above that of the best of the space however much a few seeds dominate its mean."""
    place = cell.width, cell.sample_size
    best = cell.risks.get("best_in_space")
    if best is None or cell.gram is None or not surface.draws.few_seeds_decide(place):
        return False
    return surface.draws.least_risk(place) > interval_around(best, surface.draws.freedom(place)).upper


def _open(prospect: Prospect, cell: DecompositionCell) -> bool:
    """Whether there is such a purchase: what is solved exactly and without a penalty cannot be trained longer."""
    trains = (prospect.width, prospect.sample_size) == (cell.width, cell.sample_size)
    return not trains or "steps" in cell.learner or "penalty" in cell.learner


def _in_words(prospect: Prospect, gain: _Gain | None) -> str:
    return f"{prospect.change}: {'not known' if gain is None else _saved(gain)}"


def _saved(gain: _Gain) -> str:
    if gain.at_most and gain.saved.value <= 0:
        return "nothing to win"
    error = gain.saved.standard_error or 0.0
    least = f", {gain.lower:.2g} at least" if gain.lower > 0 and gain.saved.value < error * NORMAL else ""
    by_seed = "" if gain.by_seed is None else f", {gain.by_seed}"
    return f"{'at most ' if gain.at_most else ''}{in_words(gain.saved)}{least}{by_seed}"


def _grown(found: Forecast | str, wanted: Place, cell: DecompositionCell, surface: RiskSurface) -> _Purchase:
    """The prospect of a forecast at a larger width or sample size, which may be the next one of the grid instead."""
    place = cell.width, cell.sample_size
    if isinstance(found, str):
        change = _change(place, wanted)
        return Prospect(change=change, width=wanted[0], sample_size=wanted[1], unknown=found), None
    own = surface.draws.trained[place]
    saved = own - found.draws
    if found.measured:
        freedom, apart = surface.draws.freedom(found.place), surface.draws.freedom(place, found.place)
    else:
        freedom = apart = surface.draws.freedom_of_curves(place)
    noise = surface.draws.noise
    along_rows = found.measured or found.place[0] == place[0]
    risk = interval_of(found.draws, freedom, noise, SKEWED if along_rows else SLIGHTLY_SKEWED)
    now = interval_of(own, freedom, noise, SKEWED)
    saving = _no_more_than_there_is(interval_of(saved, apart), now, noise)
    few = surface.draws.few_seeds_decide(place)
    if few:
        saving = _from(max(saving.lower, min(surface.draws.least_risk(place) - risk.upper, float(saved[0]))), saving)
    by_seed = None
    if found.measured:
        if surface.draws.few_seeds_decide(found.place):
            risk = _from(max(risk.lower, min(surface.draws.least_risk(found.place), float(found.draws[0]))), risk)
        if few and surface.draws.falls(place, found.place):
            typical = [math.exp(_mean_log(surface.draws.by_seed[at], noise)) for at in (place, found.place)]
            by_seed = f"in the geometric mean of the seeds from {noise + typical[0]:.3g} to {noise + typical[1]:.3g}"
        if not surface.draws.has_mean:
            risk, saving = _endless(risk), Interval(value=saving.value, lower=-math.inf, upper=math.inf)
    prospect = Prospect(
        change=_change(place, found.place),
        width=found.place[0],
        sample_size=found.place[1],
        method="measured" if found.measured else "extrapolated",
        risk=risk,
        saving=saving,
    )
    method: Literal["monte_carlo", "extrapolated"] = "monte_carlo" if found.measured else "extrapolated"
    estimate = Estimate(value=float(saved[0]), standard_error=standard_error(saved), method=method)
    return prospect, _Gain(estimate, saving.lower, by_seed=by_seed)


def _no_more_than_there_is(saving: Interval, now: Interval, noise: float) -> Interval:
    """No purchase saves more than the risk above the noise."""
    most = now.upper - noise
    value = None if saving.value is None else min(saving.value, most)
    return Interval(value=value, lower=min(saving.lower, most), upper=min(saving.upper, most))


def _from(lower: float, interval: Interval) -> Interval:
    return interval.model_copy(update={"lower": lower})


def _endless(interval: Interval) -> Interval:
    """Where an expectation is infinite, no upper end holds it."""
    return interval.model_copy(update={"upper": math.inf})


def _mean_log(risks: Sequence[float], noise: float) -> float:
    return sum(math.log(risk - noise) for risk in risks) / len(risks)


def _change(place: Place, bought: Place) -> str:
    """ "twice the rows (n = 4096)"."""
    factor = bought[0] / place[0] if bought[0] > place[0] else bought[1] / place[1]
    times = "twice" if factor == 2 else f"{factor:.3g} times"
    return f"{times} the width (m = {bought[0]})" if bought[0] > place[0] else f"{times} the rows (n = {bought[1]})"


def _trained(cell: DecompositionCell, surface: RiskSurface) -> _Purchase:
    """Twice the steps are measured where a formula gives them, and otherwise end between here and f~ if the risk moves
    steadily; without steps f~ is had by no penalty, and without a penalty there is nothing left to train.
    """
    noise, freedom = surface.draws.noise, surface.draws.freedom((cell.width, cell.sample_size))
    optimization, steps = cell.risk_terms["optimization"], cell.learner.get("steps")
    here, end = (interval_around(cell.risks[risk], freedom, noise) for risk in ("trained", "best_on_sample"))
    saving = _no_more_than_there_is(interval_around(optimization, freedom), here, noise)
    at = {"width": cell.width, "sample_size": cell.sample_size}
    if steps is None and "penalty" not in cell.learner:
        change = f"longer training (of {cell.learner['kind']}, which is solved exactly: it changes nothing)"
        none = Interval(value=0.0, lower=0.0, upper=0.0)
        return Prospect(change=change, **at, method="exact", risk=here, saving=none), _Gain(closed_form(0.0), 0.0)
    if steps is None:
        gain = _Gain(optimization, saving.lower)
        if surface.draws.features_vanish:
            # What these seeds show is still worth buying; of the expectation there is no end to tell.
            end, saving = _endless(end), saving.model_copy(update={"lower": -math.inf})
        known = Prospect(change="no penalty", **at, method="measured", risk=end, saving=saving)
        return known, gain
    change = f"twice the steps ({2 * steps})"
    longer = cell.twice_the_steps
    if longer is not None:
        risk = interval_around(longer.risk, freedom, noise)
        saved = _no_more_than_there_is(interval_around(longer.saving, freedom), here, noise)
        return Prospect(change=change, **at, method="measured", risk=risk, saving=saved), _Gain(
            longer.saving, saved.lower
        )
    if saving.upper < 0:
        reason = "it errs less than the best on the sample, and what is on the way there was not measured"
        return Prospect(change=change, **at, unknown=reason), None
    bound = Prospect(
        change=change,
        **at,
        method="bound",
        risk=Interval(lower=min(here.lower, end.lower), upper=max(here.upper, end.upper)),
        saving=Interval(lower=min(saving.lower, 0.0), upper=saving.upper),
    )
    return bound, _Gain(optimization, saving.lower, at_most=True)
