"""What to buy next, from the whole grid: twice the data, twice the width or longer training, or nothing.

What is expected of a purchase is measured where the grid holds it, otherwise extrapolated or bounded, otherwise said
to be unknown. The advice is the largest expected saving whose 95 % interval is above 0. Training that is not measured
counts with the whole optimization term, the most that training to its end wins. Where no saving is known to be above 0
and some are not known at all, the advice is that of the cell's own terms, which say what they could save at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.decomposition.advice import NOISE_FLOOR, Advice, Prospect
from models.decomposition.intervals import (
    Interval,
    interval_around,
    interval_of,
    standard_error,
    student_quantile,
)
from models.decomposition.risk_surfaces import NO_MEAN, Forecast, Place, RiskSurface
from models.decomposition.terms import DecompositionCell
from models.estimates import Estimate, in_words

Remedy = Literal["data", "width", "training"]


@dataclass(frozen=True)
class _Gain:
    """What a purchase saves, its degrees of freedom, and whether that is only the most it can save."""

    saved: Estimate
    freedom: float
    at_most: bool = False

    @property
    def stands_out(self) -> bool:
        return self.saved.value > student_quantile(self.freedom) * (self.saved.standard_error or 0.0)


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
        "training": _trained(cell, surface.freedom(place)),
    }
    expected = {remedy: prospect for remedy, (prospect, _) in purchases.items()}
    buy, because = _choice(cell, purchases)
    if not surface.draws.has_mean and NO_MEAN not in because:
        because = f"{because} What is measured holds for these seeds: {NO_MEAN}."
    return Advice(buy=buy, because=because, expected=expected)


def _choice(
    cell: DecompositionCell, purchases: dict[Remedy, _Purchase]
) -> tuple[Literal["data", "width", "training", "nothing"], str]:
    risk = in_words(cell.risks["trained"])
    noise = cell.risks.get("noise")
    if noise is not None and cell.risks["trained"].value - noise.value <= NOISE_FLOOR * noise.value:
        return "nothing", f"Buy nothing: the risk {risk} is at the noise {in_words(noise)}, within {NOISE_FLOOR:.0%}."
    if cell.gram is not None and cell.advice.buy == "nothing":
        return "nothing", cell.advice.because
    gains = {remedy: gain for remedy, (_, gain) in purchases.items() if gain is not None and gain.stands_out}
    if gains:
        buy = max(gains, key=lambda remedy: gains[remedy].saved.value)
        prospect, gain = purchases[buy][0], gains[buy]
        verb = "can lower" if gain.at_most else f"is expected ({prospect.method}) to lower"
        others = [_in_words(*found) for remedy, found in purchases.items() if remedy != buy and _open(found[0], cell)]
        aside = f" ({'; '.join(others)})" if others else ""
        return buy, f"Buy {buy}: {prospect.change} {verb} the risk {risk} by {_saved(gain)}{aside}."
    unknown = {remedy: prospect for remedy, (prospect, gain) in purchases.items() if gain is None}
    if cell.advice.buy in unknown:
        prospect = unknown[cell.advice.buy]
        caveat = f"what {prospect.change} gives is not known: {prospect.unknown}"
        return cell.advice.buy, f"{cell.advice.because.removesuffix('.')}; {caveat}."
    reasons = "".join(f"; {prospect.change} is not known: {prospect.unknown}" for prospect in unknown.values())
    hopeful = any(gain is not None and gain.saved.value > 0 for _, gain in purchases.values())
    more = "; add seeds or test points" if hopeful else ""
    because = f"Buy nothing: no purchase is known to lower the risk {risk} by more than its error bar{more}{reasons}."
    return "nothing", because


def _open(prospect: Prospect, cell: DecompositionCell) -> bool:
    """Whether there is such a purchase: what is solved exactly and without a penalty cannot be trained longer."""
    trains = (prospect.width, prospect.sample_size) == (cell.width, cell.sample_size)
    return not trains or "steps" in cell.learner or "penalty" in cell.learner


def _in_words(prospect: Prospect, gain: _Gain | None) -> str:
    return f"{prospect.change}: {'not known' if gain is None else _saved(gain)}"


def _saved(gain: _Gain) -> str:
    if gain.at_most and gain.saved.value <= 0:
        return "nothing to win"
    return f"{'at most ' if gain.at_most else ''}{in_words(gain.saved)}"


def _grown(found: Forecast | str, wanted: Place, cell: DecompositionCell, surface: RiskSurface) -> _Purchase:
    """The prospect of a forecast at a larger width or sample size, which may be the next one of the grid instead."""
    place = cell.width, cell.sample_size
    if isinstance(found, str):
        change = _change(place, wanted)
        return Prospect(change=change, width=wanted[0], sample_size=wanted[1], unknown=found), None
    own = surface.draws.trained[place]
    saved = own - found.draws
    if found.measured:
        freedom, apart = surface.freedom(found.place), surface.freedom(place, found.place)
    else:
        freedom = apart = surface.freedom_of_curves(place)
    prospect = Prospect(
        change=_change(place, found.place),
        width=found.place[0],
        sample_size=found.place[1],
        method="measured" if found.measured else "extrapolated",
        risk=interval_of(found.draws, freedom, surface.draws.noise),
        saving=interval_of(saved, apart),
    )
    method: Literal["monte_carlo", "extrapolated"] = "monte_carlo" if found.measured else "extrapolated"
    return prospect, _Gain(Estimate(value=float(saved[0]), standard_error=standard_error(saved), method=method), apart)


def _change(place: Place, bought: Place) -> str:
    """ "twice the rows (n = 4096)"."""
    factor = bought[0] / place[0] if bought[0] > place[0] else bought[1] / place[1]
    times = "twice" if factor == 2 else f"{factor:.3g} times"
    return f"{times} the width (m = {bought[0]})" if bought[0] > place[0] else f"{times} the rows (n = {bought[1]})"


def _trained(cell: DecompositionCell, freedom: float) -> _Purchase:
    """Twice the steps are measured where a formula gives them, and otherwise end between here and f~ if the risk moves
    steadily; without steps f~ is had by no penalty.
    """
    optimization, steps = cell.risk_terms["optimization"], cell.learner.get("steps")
    saving = interval_around(optimization, freedom)
    here, end = (interval_around(cell.risks[risk], freedom) for risk in ("trained", "best_on_sample"))
    at = {"width": cell.width, "sample_size": cell.sample_size}
    if steps is None:
        change = "no penalty" if "penalty" in cell.learner else "longer training"
        known = Prospect(change=change, **at, method="measured", risk=end, saving=saving)
        return known, _Gain(optimization, freedom)
    change = f"twice the steps ({2 * steps})"
    longer = cell.twice_the_steps
    if longer is not None:
        risk, saved = interval_around(longer.risk, freedom), interval_around(longer.saving, freedom)
        return Prospect(change=change, **at, method="measured", risk=risk, saving=saved), _Gain(longer.saving, freedom)
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
    return bound, _Gain(optimization, freedom, at_most=True)
