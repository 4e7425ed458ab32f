"""What every held-out certificate shares: the losses, their order, the assumptions and the report."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from models.assumptions import Assumption, AssumptionStanding, standing
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.estimates import mean_estimate

IID = Assumption(name="iid_held_out", text="The held-out rows are i.i.d. from the law that the risk is about.")
INDEPENDENT = Assumption(
    name="independent_of_training",
    text="The held-out rows are independent of the training sample, of the model and of the loss cap M.",
)
WITHIN_RANGE = Assumption(
    name="labels_within_range",
    text="Labels lie in the output range, so that the capped risk is the risk. The bound itself does not need it.",
)

Limit = Callable[[Float[Tensor, " n"], float], float]
"""Upper confidence limit, in [0,1], on the mean of losses in [0,1] at failure probability delta."""


def held_out_certificate(
    bound: Bound,
    subject: BoundSubject,
    delta: float,
    limit: Limit,
    assumptions: tuple[AssumptionStanding, ...] = (),
) -> BoundReport:
    """M times the limit of the losses min(|f(x_i) - y_i|^2, M)/M, in the order of a random permutation.

    The order is drawn from the stream `held_out_order`, so that it was fixed without looking at the losses.
    """
    size = subject.held_out.size
    if size == 0:
        return bound.refused(subject, delta, "population_risk", "There is no held-out row.")
    losses = subject.held_out_losses
    order = torch.randperm(size, generator=subject.randomness.generator("held_out_order"))
    measured = mean_estimate(losses)
    outside = rows_outside_range(subject)
    value = subject.loss_cap * limit(losses[order] / subject.loss_cap, delta)
    return BoundReport(
        kind=bound.kind,
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
        assumptions=(*held_out_standings(), *assumptions, _within_range(outside, size)),
        reference=bound.reference,
        measured=measured,
    )


def held_out_standings() -> tuple[AssumptionStanding, ...]:
    """How the two assumptions on the rows stand for every model of this service."""
    return (
        standing(IID, "unchecked", "Rows drawn at random from one table or law are; drifting ones are not."),
        standing(INDEPENDENT, "checked", "Training, scaling, clipping and M used the training rows only."),
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
