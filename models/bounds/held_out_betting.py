"""Held-out certificate: a betting confidence bound on the population risk, nearly exact and capacity-free."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from models.assumptions import Assumption, AssumptionStanding, standing
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.estimates import mean_estimate
from models.risks import capped_losses, predictions

IID = Assumption(name="iid_held_out", text="The held-out rows are i.i.d. from the law that the risk is about.")
INDEPENDENT = Assumption(
    name="independent_of_training",
    text="The held-out rows are independent of the training sample, of the model and of the loss cap M.",
)
FIXED_ORDER = Assumption(
    name="fixed_order", text="The order of the rows was fixed without looking at the losses; the bound depends on it."
)
WITHIN_RANGE = Assumption(
    name="labels_within_range",
    text="Labels lie in the output range, so that the capped risk is the risk. The bound itself does not need it.",
)

BISECTION_STEPS = 60


class HeldOutBetting(Bound):
    """Upper confidence bound on E min(|f(x) - y|^2, M) from held-out losses, by betting against a mean mu.

    Valid at any n >= 1. It speaks of the one model that was trained, and of no other. Where labels leave the output
    range, the risk without the cap can be larger than the bound; the count of such held-out rows is reported.
    """

    kind: Literal["held_out_betting"]

    statement = (
        "With probability at least 1 - delta over the held-out rows: R(f) <= M inf{ mu in [0,1] : "
        "max_t sum_{i<=t} ln(1 - nu_i (l_i - mu)) > ln(1/delta) }, l_i = min(|f(x_i) - y_i|^2, M)/M, "
        "nu_i = min(1, sqrt(2 ln(1/delta) / (n s_{i-1}^2))), s_i^2 = (1/4 + sum_{j<=i} (l_j - m_j)^2)/(i+1), "
        "m_i = (1/2 + sum_{j<=i} l_j)/(i+1); R(f) <= M where no mu is rejected"
    )
    assumptions = (IID, INDEPENDENT, FIXED_ORDER, WITHIN_RANGE)
    reference = "waudbysmith2024betting"
    examples = ({"kind": "held_out_betting"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the population risk; rows in the order of a random permutation (stream `held_out_order`)."""
        size = subject.held_out.size
        if size == 0:
            return self.refused(subject, delta, "population_risk", "There is no held-out row.")
        outputs = predictions(subject.model, subject.held_out.inputs)
        losses = capped_losses(outputs, subject.held_out.labels, subject.loss_cap).to("cpu", torch.float64)
        order = torch.randperm(size, generator=subject.randomness.generator("held_out_order"))
        measured = mean_estimate(losses)
        outside = rows_outside_range(subject)
        value = subject.loss_cap * betting_upper_bound(losses[order] / subject.loss_cap, delta)
        return BoundReport(
            kind=self.kind,
            quantity="population_risk",
            delta=delta,
            value=value,
            terms=(
                BoundTerm(name="held_out_capped_risk", value=measured.value),
                BoundTerm(name="confidence_margin", value=value - measured.value),
            ),
            inputs={
                "held_out_rows": float(size),
                "held_out_labels_outside_range": float(outside),
                "loss_cap": subject.loss_cap,
            },
            trivial_value=subject.loss_cap,
            vacuous=value >= subject.loss_cap,
            assumptions=(
                standing(IID, "unchecked", "Rows drawn at random from one table or law are; drifting ones are not."),
                standing(INDEPENDENT, "checked", "Training, scaling, clipping and M used the training rows only."),
                standing(FIXED_ORDER, "checked", "A permutation drawn from the seed."),
                _within_range(outside, size),
            ),
            reference=self.reference,
            measured=measured,
        )


def rows_outside_range(subject: BoundSubject) -> int:
    """Held-out rows with a label outside the model's output range; 0 for a model that is not clipped."""
    output_range, labels = subject.model.output_range, subject.held_out.labels
    if output_range is None:
        return 0
    outside = (labels < output_range.lower.to(labels)) | (labels > output_range.upper.to(labels))
    return int(outside.any(dim=1).sum())


def _within_range(outside: int, size: int) -> AssumptionStanding:
    if outside:
        because = f"{outside} of {size} held-out rows lie outside: read the bound as one of the capped risk only."
        return standing(WITHIN_RANGE, "failed", because)
    return standing(WITHIN_RANGE, "unchecked", f"None of {size} held-out rows lies outside; others may.")


def betting_upper_bound(losses: Float[Tensor, " n"], delta: float) -> float:
    """Upper confidence bound, in [0,1], on the common mean of i.i.d. losses in [0,1], in the order given.

    Why it holds: nu_i in [0,1] depends on l_1 .. l_{i-1} only. At the true mean mu the wealth prod_{i<=t} (1 - nu_i
    (l_i - mu)) is a nonnegative martingale of mean 1 (each factor is at least mu >= 0), so by Ville's inequality it
    ever exceeds 1/delta with probability at most delta. Each factor is nondecreasing in mu and so is the maximal
    wealth: the rejected mu are an interval up to 1, whose lower end is found by bisection; the end that is rejected
    is returned (within 2^-60 above the infimum), or 1 where mu = 1 is not rejected.

    Raises:
        ValueError: there is no loss, a loss is outside [0,1], or delta is outside (0,1).
    """
    if losses.numel() == 0 or not 0 < delta < 1:
        raise ValueError("at least one loss and delta in (0,1) are needed")
    losses = losses.to(torch.float64)
    if not bool(((losses >= 0) & (losses <= 1)).all()):
        raise ValueError("losses must lie in [0,1]")
    threshold = math.log(1 / delta)
    bets = _bets(losses, threshold)

    def rejected(mean: float) -> bool:
        return float(torch.log1p(-bets * (losses - mean)).cumsum(0).amax()) > threshold

    if not rejected(1.0):
        return 1.0
    accepted, refuted = 0.0, 1.0
    for _ in range(BISECTION_STEPS):
        middle = (accepted + refuted) / 2
        if rejected(middle):
            refuted = middle
        else:
            accepted = middle
    return refuted


def _bets(losses: Float[Tensor, " n"], threshold: float) -> Float[Tensor, " n"]:
    """nu_i, each from the losses before the i-th: regularised running mean and variance, started at 1/2 and 1/4."""
    counts = torch.arange(1, losses.numel() + 1, dtype=torch.float64)
    means = (0.5 + losses.cumsum(0)) / (1 + counts)
    variances = (0.25 + ((losses - means) ** 2).cumsum(0)) / (1 + counts)
    before = torch.cat([variances.new_tensor([0.25]), variances[:-1]])
    return torch.sqrt(2 * threshold / (losses.numel() * before)).clamp(max=1.0)
