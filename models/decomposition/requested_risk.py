"""The cheapest purchase that reaches a requested risk: more rows at a width of the grid, or more width at one of its n.

The price is that of one fit in the plan's operations; rows have none of their own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from models.decomposition.intervals import Interval, interval_of
from models.decomposition.measured_risks import Place
from models.decomposition.risk_surfaces import FARTHEST, Forecast, RiskSurface
from models.estimates import ExtendedFloat
from models.hypothesis_spaces.base import HypothesisSpace
from models.learners.base import Learner

STEP = 2**0.25
"""Ratio of neighbouring places of a search, before it is narrowed down to one row or neuron."""

Cost = Callable[[int, int], float]
"""Floating-point operations of one fit at (width, sample size)."""
Bought = Literal["data", "width", "nothing"]


class RequestedRisk(BaseModel):
    """The cheapest place whose expected risk is the requested one or less, or why there is none.

    `buys`: "nothing" where the grid itself holds the place. `fewest` and `most`: where data (or width) are bought, the
    n (or m) at which the lower and the upper end of the 95 % interval reach the request; None: not within reach.
    `floor`: where nothing reaches it, the smallest risk that ever more rows are expected to leave at a width of the
    grid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requested_risk: ExtendedFloat
    because: str
    buys: Bought | None = None
    width: int | None = None
    sample_size: int | None = None
    fewest: int | None = None
    most: int | None = None
    operations: float | None = None
    risk: Interval | None = None
    floor: Interval | None = None


@dataclass(frozen=True)
class _Candidate:
    place: Place
    buys: Bought
    risk: Interval
    fewest: int | None = None
    most: int | None = None


def answered(
    requested: float | None, surface: RiskSurface, space: HypothesisSpace, learner: Learner, shape: tuple[int, int]
) -> dict[str, Any]:
    """The entry `requested_risk` of a space's reading, none without a request. `shape`: inputs and outputs."""
    if requested is None:
        return {}

    def cost(width: int, size: int) -> float:
        return learner.flops(space.with_width(width), size, *shape)

    return {"requested_risk": requested_risk(requested, surface, cost).model_dump(mode="json")}


def requested_risk(requested: float, surface: RiskSurface, cost: Cost) -> RequestedRisk:
    """The cheapest place in the grid, or on a fitted curve up to 16 times its last place."""
    found = [*_in_the_grid(requested, surface), *_beyond_the_grid(requested, surface)]
    if not found:
        return _unreachable(requested, surface)
    best = min(found, key=lambda candidate: (cost(*candidate.place), candidate.place))
    width, size = best.place
    operations, axis = cost(width, size), "m" if best.buys == "width" else "n"
    how = f"measured: {best.risk.value:.3g}, at 95 % {best.risk.lower:.3g} to {best.risk.upper:.3g}"
    if best.buys != "nothing":
        most = "more than is within reach" if best.most is None else best.most
        how = f"extrapolated: at 95 % {axis} = {best.fewest} to {most}"
    return RequestedRisk(
        requested_risk=requested,
        because=f"The risk {requested:.3g} is cheapest with m = {width}, n = {size} ({how}), "
        f"{operations:.2g} operations a fit.",
        buys=best.buys,
        width=width,
        sample_size=size,
        fewest=best.fewest,
        most=best.most,
        operations=operations,
        risk=best.risk,
    )


def _in_the_grid(requested: float, surface: RiskSurface) -> Iterator[_Candidate]:
    for place, draws in surface.draws.trained.items():
        if float(draws[0]) <= requested:
            risk = interval_of(draws, surface.draws.freedom(place), surface.draws.noise)
            yield _Candidate(place, "nothing", risk)


def _beyond_the_grid(requested: float, surface: RiskSurface) -> Iterator[_Candidate]:
    """Places between and beyond those of the grid, along every width and every sample size of it."""
    for width in surface.widths:
        sizes = [n for m, n in surface.draws.trained if m == width]
        yield from _along("data", sizes, requested, partial(surface.at_size, width), surface)
    for size in surface.sizes:
        widths = [m for m, n in surface.draws.trained if n == size]
        yield from _along("width", widths, requested, partial(surface.at_width, size=size), surface)


def _along(
    buys: Bought,
    known: list[int],
    requested: float,
    forecast: Callable[[int], Forecast | str],
    surface: RiskSurface,
) -> Iterator[_Candidate]:
    freedom = float(min(surface.draws.freedom(place) for place in surface.draws.trained))

    def risk(place: int) -> Interval | None:
        found = forecast(place)
        return None if isinstance(found, str) else interval_of(found.draws, freedom, surface.draws.noise)

    def smallest(end: Callable[[Interval], float | None]) -> int | None:
        def reaches(place: int) -> bool:
            at = risk(place)
            value = None if at is None else end(at)
            return value is not None and value <= requested

        return _first(reaches, min(known), FARTHEST * max(known))

    wanted = smallest(lambda at: at.value)
    # A place of the grid is measured, whatever the curve says of it.
    if wanted is None or wanted in known:
        return
    found, at = forecast(wanted), risk(wanted)
    if isinstance(found, str) or at is None:
        return
    yield _Candidate(found.place, buys, at, smallest(lambda at: at.lower), smallest(lambda at: at.upper))


def _first(reaches: Callable[[int], bool], low: int, high: int) -> int | None:
    """The first place from `low` to `high` that reaches it, on a geometric scan and then by bisection."""
    below, place = low - 1, float(low)
    while place <= high * 1.0001:
        above = round(place)
        if reaches(above):
            while above - below > 1:
                middle = (above + below) // 2
                below, above = (below, middle) if reaches(middle) else (middle, above)
            return above
        below, place = above, max(place * STEP, above + 1.0)
    return None


def _unreachable(requested: float, surface: RiskSurface) -> RequestedRisk:
    noise = surface.draws.noise
    if requested <= noise:
        because = f"Nothing reaches the risk {requested:.3g}: the noise alone is {noise:.3g}."
        return RequestedRisk(requested_risk=requested, because=because)
    floors = []
    for width in surface.widths:
        limit = surface.limit(width)
        if not isinstance(limit, str):
            places = [place for place in surface.draws.trained if place[0] == width]
            floors.append((width, interval_of(limit, surface.draws.freedom(max(places)), noise)))
    if not floors:
        because = (
            f"Nothing in the grid reaches the risk {requested:.3g}, and what would is not known: "
            f"{surface.limit(surface.widths[-1])}."
        )
        return RequestedRisk(requested_risk=requested, because=because)
    width, floor = min(floors, key=lambda one: one[1].value or 0.0)
    below = floor.lower > requested
    tail = "noise and approximation are above it" if below else "whether they go below it is not known"
    because = (
        f"Nothing within {FARTHEST} times the grid reaches the risk {requested:.3g}: with ever more rows m = {width} "
        f"would reach {floor.value:.3g}, at 95 % {floor.lower:.3g} to {floor.upper:.3g}; {tail}."
    )
    return RequestedRisk(requested_risk=requested, because=because, floor=floor)
