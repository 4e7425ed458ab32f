"""What to buy next on a table: the learning curve, the next width and the end of training, compared."""

from models.decomposition.advice import SIGNIFICANT, Advice
from models.decomposition.table_curves import TableCurves, two_way
from models.decomposition.table_grid import TableOutcome
from models.estimates import Estimate, in_words


def table_advice(
    outcome: TableOutcome, place: int, curves: TableCurves, optimization: Estimate, wider: TableOutcome | None
) -> Advice:
    """What is expected to lower the learner's risk most, by more than two standard errors, or nothing.

    data: the learner's curve at 2n. width: the next width of the grid at the same n, measured, seeds and test rows
    paired. training: the optimization term, all of which is the most that longer training can win.
    """
    size, trained = outcome.sample_sizes[place], outcome.trained[:, place]
    gains: dict[str, tuple[Estimate, str]] = {}
    if curves.trained is not None:
        saved = curves.trained.step(size, 2 * size)
        gains["data"] = saved, f"twice the rows (n = {2 * size})"
    if wider is not None:
        gains["width"] = two_way(trained - wider.trained[:, place]), "the next width of the grid"
    if optimization.value > 0:
        gains["training"] = optimization, "training to the end"
    standing = {buy: gain for buy, gain in gains.items() if _stands_out(gain[0])}
    risk = in_words(two_way(trained))
    if not standing:
        known = "; more sample sizes would tell what data buy" if curves.trained is None else ""
        because = f"Buy nothing: no purchase is expected to lower the risk {risk} by more than its error bar{known}."
        return Advice(buy="nothing", because=because)
    buy = max(standing, key=lambda name: standing[name][0].value)
    gain, what = standing[buy]
    others = "; ".join(f"{text}: {in_words(other)}" for name, (other, text) in gains.items() if name != buy)
    because = f"Buy {buy}: {what} is expected to lower the risk {risk} by {in_words(gain)}"
    because += f" ({others})." if others else "."
    return Advice.model_validate({"buy": buy, "because": because})


def _stands_out(gain: Estimate) -> bool:
    return gain.value > 0 and gain.value > SIGNIFICANT * (gain.standard_error or 0.0)
