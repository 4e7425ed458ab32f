"""The certificate of a randomized linear model, from the rows and the centre of the prior."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.assumptions import standing
from models.bounds._frozen_features import coefficients_of, features_of, frozen_standings
from models.bounds._gibbs import RANDOMIZED, Form, best_posterior, measured_gibbs_risk
from models.bounds._uniform_gap import IID, ONE_OUTPUT, Rows, radius_weight
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm

PRIORS_BELOW, PRIORS_ABOVE = 2, 6
"""Steps of 2^(1/2) tried around the deviation at which the distance to the centre costs about m/2."""


def randomized_certificate(
    bound: Bound,
    form: Form,
    subject: BoundSubject,
    delta: float,
    rows: Rows,
    centre: Float[Tensor, " m"] | None,
    prior_rows: int,
) -> BoundReport:
    """The best over the prior deviations t = sqrt(M) 2^(k/2), each at its share w_k of delta.

    `centre` None: 0. `prior_rows` were spent on it. In label units squared.
    """
    limits = subject.model.output_range
    if rows.sample.size < 1 or limits is None:
        reason = "No training row is left beside those that set the clipping range and the prior."
        return bound.refused(subject, delta, "randomized_risk", reason)
    coefficients = coefficients_of(subject.model)
    middle = torch.zeros_like(coefficients) if centre is None else centre
    features, labels = features_of(subject.model, rows.sample.inputs), rows.sample.labels[:, 0]
    ends, cap = (float(limits.lower[0]), float(limits.upper[0])), subject.loss_cap
    typical = float(torch.linalg.vector_norm(coefficients - middle)) / math.sqrt(len(coefficients))
    start = round(2 * math.log2(max(typical / math.sqrt(cap), 1e-30)))
    priors = {step: math.sqrt(cap) * 2 ** (step / 2) for step in range(start - PRIORS_BELOW, start + PRIORS_ABOVE + 1)}
    found = {
        step: best_posterior(
            form, features, labels, coefficients, middle, prior, ends, delta * radius_weight(step) / rows.pairs
        )
        for step, prior in priors.items()
    }
    step = min(found, key=lambda step: found[step].value)
    best, value = found[step], cap * found[step].value
    return BoundReport(
        kind=bound.kind,
        quantity="randomized_risk",
        delta=delta,
        value=value,
        terms=(
            BoundTerm(name="empirical_gibbs_risk", value=cap * best.empirical),
            BoundTerm(name="confidence_margin", value=cap * (best.value - best.empirical)),
        ),
        inputs={
            "divergence": best.divergence,
            "posterior_deviation": best.posterior,
            "prior_deviation": priors[step],
            "prior_weight": radius_weight(step),
            "prior_rows": float(prior_rows),
            "rows": float(rows.sample.size),
            "range_choices_in_union": rows.pairs,
            "loss_cap": cap,
        },
        trivial_value=cap,
        vacuous=value >= cap,
        assumptions=(
            standing(IID, "unchecked", "Rows drawn at random from one table or law are; drifting ones are not."),
            rows.fixed,
            standing(ONE_OUTPUT, "checked"),
            *frozen_standings(),
            standing(RANDOMIZED, "declared", "The service predicts with f^; who relies on this must randomize."),
        ),
        reference=bound.reference,
        measured=measured_gibbs_risk(subject, coefficients, best.posterior),
    )
