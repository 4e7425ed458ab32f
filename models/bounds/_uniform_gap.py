"""The uniform bound on the generalization gap over a norm ball, with the radius and the loss chosen after the data.

Statement. Let F_1 be a balanced class, F_Q = Q F_1, and h(z) = min(|clip f(x) - y|^2, M) with clip to [lo, hi]. With
probability at least 1 - delta, for every radius in the grid Q = sqrt(M) 2^(k/8), k integer, and every f in F_Q:

    R(f) - R_N(f) <= 4 sqrt(M) Q R^_N(F_1) + M sqrt(2 ln(pairs / (delta w_k)) / N),  w_k = 1/((pi^2/3 - 1)(|k|+1)^2).

Proof. (1) For h in [0,M], sup (P h - P_N h) - 2 R^_N(H) has mean at most 0 (symmetrisation) and bounded differences
2M/N: one point moves the supremum by M/N and N R^_N(H) by at most M/2, because for fixed other signs its mean over
xi_i lies between sup A and sup A + M/2, A the sum over the others. McDiarmid gives the deviation. (2) t -> min((clip t
- y)^2, M) is Lipschitz with constant 2 sqrt(M): clipping is 1-Lipschitz and s^2 has slope at most 2 sqrt(M) where s^2
< M; the contraction principle gives R^_N(H) <= 2 sqrt(M) R^_N(F_Q). (3) The weights w_k sum to 1 over the integers, so
a union over the grid lets the radius be chosen afterwards, and the best k among those that contain f may be taken.

(4) lo, hi and M must not depend on the N rows. A model clipped to the range of its training labels, with M = (hi -
lo)^2, depends on two rows i, j only: given those, the other N = n - 2 rows are i.i.d. and (1)-(3) apply to them, and a
union over the pairs = n(n-1) ordered pairs makes it hold for the pair that the sample chose. The report adds R_N - R_n,
computed, so that the value bounds the gap R - R_n of all n rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from models.arrays import Inputs
from models.assumptions import Assumption, AssumptionStanding, standing
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.errors import NumericalFailure
from models.estimates import Estimate, mean_estimate
from models.risks import capped_losses, predictions, range_loss_cap
from models.samples import Sample

IID = Assumption(name="iid_training", text="The training rows are i.i.d. from the law that the risk is about.")
FIXED_LOSS = Assumption(
    name="loss_fixed_before_sample",
    text="The output range and the loss cap M are fixed before the sample, or are functions of two training labels.",
)
ONE_OUTPUT = Assumption(name="one_output", text="f has one output: the contraction principle is for real functions.")

STEPS_PER_OCTAVE = 8
WEIGHT_SUM = math.pi**2 / 3 - 1
MONTE_CARLO_SHARE = 0.05
"""The part of delta that pays for the random signs; the rest pays for the sample."""
LOWEST_STEP = -400


@dataclass(frozen=True)
class _Rows:
    """The rows that the concentration is about, and the number of choices that a union bound pays for."""

    sample: Sample
    pairs: float
    fixed: AssumptionStanding


def uniform_gap(
    bound: Bound,
    subject: BoundSubject,
    delta: float,
    norm: float,
    unit_complexity: Callable[[Inputs, float], float],
    assumptions: tuple[AssumptionStanding, ...],
) -> BoundReport:
    """The bound for a model of one output whose norm, in label units, is `norm`.

    `unit_complexity(inputs, failure_probability)`: an upper limit of R^_N(F_1) on these rows that holds with
    probability 1 - failure_probability over its own randomness, which is independent of the sample.

    Raises:
        NumericalFailure: `norm` is not finite.
    """
    if not math.isfinite(norm):
        raise NumericalFailure("The norm of the model's parameters is not finite.")
    rows = _rows(subject)
    if rows.sample.size < 1:
        return bound.refused(subject, delta, "generalization_gap", "At least three training rows are needed.")
    cap, size = subject.loss_cap, rows.sample.size
    complexity = unit_complexity(rows.sample.inputs, MONTE_CARLO_SHARE * delta)
    step, radius = _best_radius(norm, complexity, cap, size, rows.pairs, (1 - MONTE_CARLO_SHARE) * delta)
    contraction, deviation = _terms(step, radius, complexity, cap, size, rows.pairs, (1 - MONTE_CARLO_SHARE) * delta)
    empirical = _capped_risk(subject, subject.training)
    left_out = _capped_risk(subject, rows.sample).value - empirical.value
    population = _capped_risk(subject, subject.held_out) if subject.held_out.size else None
    value = contraction + deviation + left_out
    return BoundReport(
        kind=bound.kind,
        quantity="generalization_gap",
        delta=delta,
        value=value,
        terms=(
            BoundTerm(name="complexity", value=contraction),
            BoundTerm(name="deviation", value=deviation),
            BoundTerm(name="rows_left_out", value=left_out),
        ),
        inputs={
            "norm": norm,
            "radius": radius,
            "unit_ball_complexity_upper": complexity,
            "lipschitz_constant": 2 * math.sqrt(cap),
            "loss_cap": cap,
            "rows": float(size),
            "range_choices_in_union": rows.pairs,
            "radius_weight": radius_weight(step),
            "delta_for_monte_carlo": MONTE_CARLO_SHARE * delta,
            "delta_for_sample": (1 - MONTE_CARLO_SHARE) * delta,
        },
        # R <= M needs no theorem, so a gap below M - R_n is what a bound has to beat.
        trivial_value=cap - empirical.value,
        vacuous=value >= cap - empirical.value,
        assumptions=(
            standing(IID, "unchecked", "Rows drawn at random from one table or law are; drifting ones are not."),
            rows.fixed,
            standing(ONE_OUTPUT, "checked"),
            *assumptions,
        ),
        reference=bound.reference,
        # The gap's own empirical risk is a number, not an estimate: only the held-out mean has an error.
        measured=None
        if population is None
        else Estimate(
            value=population.value - empirical.value,
            standard_error=population.standard_error,
            method="monte_carlo",
        ),
    )


def outputs_refusal(bound: Bound, subject: BoundSubject, delta: float) -> BoundReport | None:
    """The refusal where the model has several outputs, else None."""
    if subject.training.labels.shape[1] == 1:
        return None
    reason = f"The model has {subject.training.labels.shape[1]} outputs; this bound is for one output."
    return bound.refused(subject, delta, "generalization_gap", reason, (standing(ONE_OUTPUT, "failed", reason),))


def _capped_risk(subject: BoundSubject, sample: Sample) -> Estimate:
    return mean_estimate(capped_losses(predictions(subject.model, sample.inputs), sample.labels, subject.loss_cap))


def _rows(subject: BoundSubject) -> _Rows:
    labels, limits = subject.training.labels[:, 0], subject.model.output_range
    order = labels.argsort(stable=True)
    learnt = (
        limits is not None
        and float(limits.lower[0]) == float(labels.min())
        and float(limits.upper[0]) == float(labels.max())
        and math.isclose(subject.loss_cap, range_loss_cap(limits.lower, limits.upper), rel_tol=1e-12)
    )
    if not learnt:
        because = "They are not the range of the training labels and its square, so they are taken as chosen before."
        return _Rows(subject.training, 1.0, standing(FIXED_LOSS, "declared", because))
    kept = order[1:-1].sort().values
    sample = Sample(subject.training.inputs[kept], subject.training.labels[kept])
    size = subject.training.size
    because = "They come from the smallest and the largest training label; those two rows are left out."
    return _Rows(sample, float(size * (size - 1)), standing(FIXED_LOSS, "checked", because))


def radius_weight(step: int) -> float:
    """w_k, the part of delta for the radius sqrt(M) 2^(k/8)."""
    return 1 / (WEIGHT_SUM * (abs(step) + 1) ** 2)


def _terms(
    step: int, radius: float, complexity: float, cap: float, size: int, pairs: float, delta: float
) -> tuple[float, float]:
    """Complexity term 4 sqrt(M) Q R^ and deviation term, in label units squared."""
    deviation = cap * math.sqrt(2 * (math.log(pairs / delta) - math.log(radius_weight(step))) / size)
    return 4 * math.sqrt(cap) * radius * complexity, deviation


def _best_radius(
    norm: float, complexity: float, cap: float, size: int, pairs: float, delta: float
) -> tuple[int, float]:
    """The step k and the radius sqrt(M) 2^(k/8) >= norm with the least sum of terms."""
    scale = math.sqrt(cap)
    first = LOWEST_STEP
    if norm > scale * 2 ** (LOWEST_STEP / STEPS_PER_OCTAVE):
        # One step more where rounding of the logarithm fell short of the norm.
        first = math.ceil(STEPS_PER_OCTAVE * math.log2(norm / scale))
        first += scale * 2 ** (first / STEPS_PER_OCTAVE) < norm
    steps = range(first, max(first, 0) + 1)

    def total(step: int) -> float:
        return sum(_terms(step, scale * 2 ** (step / STEPS_PER_OCTAVE), complexity, cap, size, pairs, delta))

    best = min(steps, key=total)
    return best, scale * 2 ** (best / STEPS_PER_OCTAVE)
