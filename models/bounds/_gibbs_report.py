"""The certificate of a randomized linear model, from the rows and the centre of the prior."""

import math

from jaxtyping import Float
from torch import Tensor

from models.assumptions import standing
from models.bounds._frozen_features import coefficients_of, frozen_standings
from models.bounds._gibbs import RANDOMIZED, Choice, Form, linear_rows, measured_gibbs_risk, pac_bayes_limit, posteriors
from models.bounds._uniform_gap import IID, ONE_OUTPUT, Rows, radius_weight
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm

PRIORS_BELOW, PRIORS_ABOVE = 2, 6
"""Steps of 2^(1/2) tried around the deviation at which the distance to the centre costs about m/2."""

CHOICE_ROWS = 2000
"""Rows on which the two deviations are chosen."""
FINALISTS = 12


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
    coefficients, cap, size = coefficients_of(subject.model), subject.loss_cap, rows.sample.size
    difference = coefficients if centre is None else coefficients - centre
    distance = float((difference**2).sum())
    start = round(2 * math.log2(max(math.sqrt(distance / len(difference) / cap), 1e-30)))
    steps = range(start - PRIORS_BELOW, start + PRIORS_ABOVE + 1)
    seen = subject.kept(
        ("linear rows", prior_rows), lambda: linear_rows(subject.model, rows.sample, coefficients, limits)
    )
    some = seen.first(CHOICE_ROWS)

    def chosen_by(deviation: float) -> float:
        return subject.kept(("Gibbs risk of some", prior_rows, deviation), lambda: some.empirical(deviation))

    def share(step: int) -> float:
        return delta * radius_weight(step) / rows.pairs

    def promised(by: Form, step: int, choice: Choice, empirical: float) -> float:
        return pac_bayes_limit(by, empirical, choice.divergence, size, share(step))

    tried = [
        (step, choice) for step in steps for choice in posteriors(distance, len(difference), math.sqrt(cap), step, size)
    ]
    if not tried:
        # Every divergence is above n: one of them shows that the bound is vacuous.
        prior = math.sqrt(cap) * 2 ** (start / 2)
        tried = [(start, Choice(prior, prior, distance / (2 * prior**2)))]
    # s is free and t is paid for by its weight, so both may be chosen on some of the rows.
    # A closed form sorts, because an inversion takes as long as a hundred of them.
    ranked = [(step, choice, chosen_by(choice.posterior)) for step, choice in tried]
    ranked.sort(key=lambda one: promised("quadratic", *one))
    step, best, _ = min(ranked[:FINALISTS], key=lambda one: promised(form, *one))
    empirical = seen.empirical(best.posterior)
    limit = pac_bayes_limit(form, empirical, best.divergence, size, share(step))
    value = cap * limit
    return BoundReport(
        kind=bound.kind,
        quantity="randomized_risk",
        delta=delta,
        value=value,
        terms=(
            BoundTerm(name="empirical_gibbs_risk", value=cap * empirical),
            BoundTerm(name="confidence_margin", value=cap * (limit - empirical)),
        ),
        inputs={
            "divergence": best.divergence,
            "posterior_deviation": best.posterior,
            "prior_deviation": best.prior,
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
