"""The complexity of the losses over a ball, searched from below."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.bounds._ball_directions import FeatureBall
from models.bounds._uniform_gap import Rows
from models.bounds.base import BoundSubject
from models.risks import predictions

SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""t of the functions (1 - t) f0 + t Q g, which lie in the ball of radius Q with f0 and g."""


def searched_loss_complexity(subject: BoundSubject, rows: Rows, ball: FeatureBall, radius: float, draws: int) -> float:
    """The mean over sign vectors of max_f (1/N) sum_i xi_i (h_f(i) - M/2) over some f of the ball of radius Q.

    h_f = min(|clip f - y|^2, M). M/2 is subtracted because its mean over signs is 0 and h - M/2 is half as large: one
    sign moves the supremum by at most M/N, so by McDiarmid the complexity is at least this mean less M sqrt(ln(1/p) /
    (2 N draws)), with probability 1 - p over the signs.

    The functions: f^ and 0; what lies between one of them and Q g, for g that agrees with xi times the slope of h at
    f^, at the middle of the range, or 1; fits of y where xi = -1, and of the end of the range far from y elsewhere.
    Randomness: the stream `loss_signs` of the subject.
    """
    labels, cap = rows.sample.labels[:, 0].to(torch.float64), subject.loss_cap
    limits = subject.model.output_range
    ends = (float(labels.min()), float(labels.max()))
    if limits is not None:
        ends = (float(limits.lower[0]), float(limits.upper[0]))
    middle = sum(ends) / 2
    bits = torch.randint(
        0, 2, (draws, rows.sample.size), generator=subject.randomness.generator("loss_signs"), dtype=torch.int8
    )
    signs = bits.to(torch.float64) * 2 - 1

    def aligned(outputs: Float[Tensor, "draws n"]) -> Float[Tensor, " draws"]:
        clipped = outputs if limits is None else outputs.clamp(*ends)
        losses = (clipped - labels).square().clamp(max=cap)
        return (signs * (losses - cap / 2)).mean(dim=1)

    # The clipped model has the same losses as the model, but is not in the ball: the model itself is a start.
    model = _unclipped(subject, rows)
    starts = (model, torch.zeros_like(model))
    best = torch.stack([aligned(start.expand_as(signs)) for start in starts]).amax(dim=0)
    slopes = (model - labels, middle - labels, torch.ones_like(labels))
    towards_all = radius * ball.aligned(rows.sample.inputs, torch.cat([signs * slope for slope in slopes]))
    for towards in towards_all.split(draws):
        for start in starts:
            for share in SHARES:
                best = torch.maximum(best, aligned((1 - share) * start + share * towards))
    far = torch.where(labels > middle, ends[0], ends[1]).to(torch.float64)
    for fit in ball.fitted(rows.sample.inputs, torch.where(signs < 0, labels, far), radius):
        best = torch.maximum(best, aligned(fit))
    return float(best.mean())


def _unclipped(subject: BoundSubject, rows: Rows) -> Float[Tensor, " n"]:
    model = subject.model
    raw = type(model)(model.space, model.parameters, model.input_scaling, model.output_scaling)
    return predictions(raw, rows.sample.inputs)[:, 0].to("cpu", torch.float64)
