"""What to buy next: data, width, training or nothing, read off the three risk terms."""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from models.estimates import Estimate

Purchase = Literal["data", "width", "training", "nothing"]

SIGNIFICANT = 2.0
"""A value counts when it exceeds this many of its standard errors."""
NOISE_FLOOR = 0.05
"""An excess risk below this fraction of the noise variance is not worth buying anything for."""
ARITHMETIC_FLOOR = 1e-10
"""An excess risk below this fraction of E|f*|^2 is what single precision leaves behind."""


class Advice(BaseModel):
    """What to buy next, in a word and a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    buy: Purchase
    because: str


def advise(terms: Mapping[str, Estimate], noise_variance: float, target_mean_square: float) -> Advice:
    """The remedy of the largest risk term that stands out of its error bar and of the noise.

    `terms`: "approximation", "estimation", "optimization", their sum "excess", and "beyond_approximation", which is
    R(f^) - R(f_m), all in label units squared. Where the optimization term is negative, stopping early or a penalty
    gives back a part of the estimation error, and what more data can still win is "beyond_approximation".

    A term must exceed two standard errors and a floor: 5 % of the noise variance, or 1e-10 of E|f*|^2. Raising one
    term alone never moves the advice away from it. Optimization that is negative or within its error bar never
    advises training. No randomness.
    """
    floor = max(NOISE_FLOOR * noise_variance, ARITHMETIC_FLOOR * target_mean_square)
    excess = terms["excess"]
    if not _stands_out(excess, floor):
        below = excess.value <= floor
        reason = f"is at most {floor:.3g}, the floor set by the noise" if below else "is within its error bar"
        return Advice(buy="nothing", because=f"The excess risk {_words(excess)} {reason}.")

    regularizing = terms["optimization"].value < 0
    given_back = ", less what the learner's regularization gives back," if regularizing else ""
    contenders: dict[Purchase, tuple[str, Estimate, str]] = {
        "width": ("approximation error", terms["approximation"], "a larger space lowers it"),
        "data": (
            f"estimation error{given_back}",
            terms["beyond_approximation"] if regularizing else terms["estimation"],
            "a larger sample lowers it",
        ),
        "training": ("optimization error", terms["optimization"], "more steps or a smaller penalty lower it"),
    }
    standing = {buy: entry for buy, entry in contenders.items() if _stands_out(entry[1], floor)}
    if not standing:
        return Advice(
            buy="nothing",
            because=f"The excess risk {_words(excess)} is real, but none of its terms stands out; add seeds first.",
        )
    buy = max(standing, key=lambda candidate: standing[candidate][1].value)
    name, term, remedy = standing[buy]
    close = [other for other in standing if other != buy and not _clearly_larger(term, standing[other][1])]
    rival = f", though not clearly above what {close[0]} would win" if close else ""
    bound = ", by references that more effort may still improve" if term.method == "best_of_restarts" else ""
    return Advice(buy=buy, because=f"The {name} {_words(term)} is the largest term{rival}{bound}; {remedy}.")


def _stands_out(term: Estimate, floor: float) -> bool:
    return term.value > floor and term.value > SIGNIFICANT * (term.standard_error or 0.0)


def _clearly_larger(first: Estimate, second: Estimate) -> bool:
    spread = math.hypot(first.standard_error or 0.0, second.standard_error or 0.0)
    return first.value - second.value > SIGNIFICANT * spread


def _words(term: Estimate) -> str:
    return f"{term.value:.3g}" + ("" if term.standard_error is None else f" ± {term.standard_error:.1g}")
