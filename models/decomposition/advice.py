"""What to buy next: data, width, training or nothing, read off the three risk terms."""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from models.decomposition.intervals import Interval
from models.estimates import Estimate, in_words

Purchase = Literal["data", "width", "training", "nothing"]

SIGNIFICANT = 2.0
"""A value counts when it exceeds this many of its standard errors."""
NOISE_FLOOR = 0.05
"""An excess risk below this fraction of the noise variance is not worth buying anything for."""
ROUND_OFF = "round-off"
ARITHMETIC_FLOOR = 1e-10
"""An excess risk below this fraction of E|f*|^2 is what single precision leaves behind."""


class Prospect(BaseModel):
    """What is expected of one purchase: the risk after it and what it saves, in label units squared.

    `change` says what is bought. `method`: "measured" in this grid, "extrapolated" by fitted curves, "bound" where only
    the two ends are known, and then without values, "exact" where it is known to change nothing. No risk's interval
    reaches below the noise that is known, or 0. Where nothing is known, `unknown` says why and the rest is None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: str
    width: int
    sample_size: int
    method: Literal["measured", "extrapolated", "bound", "exact"] | None = None
    risk: Interval | None = None
    saving: Interval | None = None
    unknown: str | None = None


class Advice(BaseModel):
    """What to buy next, in a word and a sentence, and what is expected of each purchase by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    buy: Purchase
    because: str
    expected: dict[Literal["data", "width", "training"], Prospect] = {}


def advise(terms: Mapping[str, Estimate], noise_variance: float, target_mean_square: float) -> Advice:
    """The remedy of the largest risk term that stands out of its error bar, where the excess risk is worth a remedy.

    `terms`: "approximation", "estimation", "optimization", their sum "excess", and "beyond_approximation", which is
    R(f^) - R(f_m), all in label units squared. Where the optimization term is negative, stopping early or a penalty
    gives back a part of the estimation error, and more data can win at most "beyond_approximation": all of it only if
    the regularization is lowered with the larger sample, because its own bias is in it.

    The excess risk must exceed two standard errors and a floor: 5 % of the noise variance, or 1e-10 of E|f*|^2. A term
    must exceed two standard errors and a third of the floor, which the largest of three always does. Raising one term
    alone never moves the advice away from it. Optimization that is negative or within its error bar never advises
    training. No randomness.
    """
    noise_floor, arithmetic_floor = NOISE_FLOOR * noise_variance, ARITHMETIC_FLOOR * target_mean_square
    floor, excess = max(noise_floor, arithmetic_floor), terms["excess"]
    if excess.value <= floor:
        small = f"below {NOISE_FLOOR:.0%} of the noise variance" if noise_floor > arithmetic_floor else ROUND_OFF
        return _nothing(f"the excess risk {in_words(excess)} is {small}")
    if not _stands_out(excess, floor):
        return _nothing(f"the excess risk {in_words(excess)} is within its error bar; add seeds or test points")

    regularizing = terms["optimization"].value < 0
    contenders: dict[Purchase, tuple[str, Estimate]] = {
        "width": ("approximation error", terms["approximation"]),
        "data": ("estimation error net of regularization", terms["beyond_approximation"])
        if regularizing
        else ("estimation error", terms["estimation"]),
        "training": ("optimization error", terms["optimization"]),
    }
    standing = {buy: entry for buy, entry in contenders.items() if _stands_out(entry[1], floor / 3)}
    if not standing:
        return _nothing(f"no part of the excess risk {in_words(excess)} stands out of its error bar; add seeds")
    buy = max(standing, key=lambda candidate: standing[candidate][1].value)
    name, term = standing[buy]
    others = (entry for other, entry in contenders.items() if other != buy)
    rivals = [entry for entry in others if entry[1].value > 0 and not _clearly_larger(term, entry[1])]
    rival, against = max(rivals, key=lambda entry: entry[1].value, default=("", None))
    action = {
        "width": "width",
        "data": "data and retune the regularization" if regularizing else "data",
        "training": "training (more steps or a smaller penalty)",
    }[buy]
    largest = "largest" if against is None or against.value <= term.value else "largest certain"
    because = f"Buy {action}: {name} {in_words(term)} is the {largest} part of the excess risk {excess.value:.3g}"
    if against is not None:
        because += f"; {rival} {in_words(against)} may be larger: add seeds"
    caveat = " The split rests on restarts; more effort may shift it." if term.method == "best_of_restarts" else ""
    return Advice(buy=buy, because=f"{because}.{caveat}")


def _nothing(because: str) -> Advice:
    return Advice(buy="nothing", because=f"Buy nothing: {because}.")


def _stands_out(term: Estimate, floor: float) -> bool:
    return term.value > floor and term.value > SIGNIFICANT * (term.standard_error or 0.0)


def _clearly_larger(first: Estimate, second: Estimate) -> bool:
    spread = math.hypot(first.standard_error or 0.0, second.standard_error or 0.0)
    return first.value - second.value > SIGNIFICANT * spread
