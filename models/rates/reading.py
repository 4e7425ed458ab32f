"""What a measured rate says, in a sentence."""

from models.decomposition.intervals import Interval
from models.rates.power_law import PowerLaw
from models.theoretical_rates import TheoreticalRate

AS_PROMISED = 0.05
"""An exponent so near to the promised one is called the same, also where its interval is shorter."""


def reading(kind: str, law: PowerLaw | None, theory: TheoreticalRate | None) -> str:
    """The exponent with its interval, whether it is one at all, and how it stands to the theory."""
    if law is None:
        return f"{kind}: at fewer than three widths the error exceeds round-off, so it has no exponent."
    sentence = f"{kind}: the squared error falls like m^{_told(law.exponent)} over these widths"
    if not law.is_straight:
        way = "ever faster" if law.curvature.upper < 0 else "ever more slowly"
        sentence += f", {way}, so that no single exponent describes it"
    if theory is None:
        return sentence + ". No theorem here tells its rate for this target."
    promised = f"m^{theory.exponent:.3g} is promised ({theory.because})"
    if law.exponent.lower > theory.exponent + AS_PROMISED:
        why = "the widths are too small for the rate to show, or the search missed the best functions"
        return f"{sentence}. {promised}: it falls more slowly than that, so {why}."
    if law.exponent.upper < theory.exponent - AS_PROMISED:
        return f"{sentence}. {promised}, and it falls faster."
    return f"{sentence}. {promised}, as measured."


def _told(interval: Interval) -> str:
    return f"{interval.value:.2f} (95 %: {interval.lower:.2f} to {interval.upper:.2f})"
