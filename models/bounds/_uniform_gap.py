"""The uniform bound on the generalization gap over a ball of functions; radius and loss are chosen after the data.

Statement (`form` sharp, one side). Let F_Q be balanced classes that grow with Q, and h(z) = min(|clip f(x) - y|^2, M)
with clip to [lo, hi]. With probability at least 1 - delta, for every radius in the grid Q = sqrt(M) 2^(k/8), k integer,
and every f in F_Q:

    R(f) - R_N(f) <= 4 sqrt(M) R^_N(F_Q) + M sqrt(2 ln(pairs / (delta w_k)) / N),  w_k = 1/((pi^2/3 - 1)(|k|+1)^2).

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

Other forms, c = pairs / (delta w_k). `textbook`: one McDiarmid event for the supremum and one for R^_N(H), each at half
of delta, deviation 3 M sqrt(ln(2c)/(2N)). `expected`: the supremum has mean at most 2 E R^_N(H), deviation
M sqrt(ln(c)/(2N)), and the complexity must be an upper limit for every sample. `sides` two bounds |R - R_N| by a union
over the two signs, for which R^_N(H) = R^_N(-H): c becomes 2c (in `textbook` 3/2 c, for three events).
"""

import math
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from models.arrays import Inputs
from models.assumptions import Assumption, AssumptionStanding, standing
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm, Quantity
from models.errors import NumericalFailure
from models.estimates import Estimate, mean_estimate
from models.risks import range_loss_cap
from models.samples import Sample

IID = Assumption(name="iid_training", text="The training rows are i.i.d. from the law that the risk is about.")
FIXED_LOSS = Assumption(
    name="loss_fixed_before_sample",
    text="The output range and the loss cap M are fixed before the sample, or are functions of two training labels.",
)
ONE_OUTPUT = Assumption(name="one_output", text="f has one output: the contraction principle is for real functions.")
FIXED_INPUTS = Assumption(
    name="inputs_fixed_before_sample", text="What turns a row into inputs of the class is fixed before the sample."
)

BOUNDED_INPUTS = Assumption(
    name="inputs_bounded_beforehand", text="A bound of ||x||_inf is known before the sample (form `expected` only)."
)

Form = Literal["sharp", "textbook", "expected"]
Radius = Callable[[float], float]
"""Q -> an upper limit of R^_N(F_Q)."""

STEPS_PER_OCTAVE = 8
WEIGHT_SUM = math.pi**2 / 3 - 1
MONTE_CARLO_SHARE = 0.05
"""The part of delta that pays for the random signs; the rest pays for the sample."""
LOWEST_STEP = -400


class UniformGapBound(Bound, ABC):
    """A bound on the gap over a ball of functions; see the module for the forms."""

    form: Annotated[
        Form,
        Field(description="sharp and textbook: complexity of the sample; expected: of every sample of known range."),
    ] = "sharp"
    sides: Annotated[Literal["one", "two"], Field(description="Bound the gap, or its absolute value.")] = "one"


@dataclass(frozen=True)
class Ball:
    """Balls F_Q and the one that was reached.

    `norm`: of the model, in label units. `of_sample(inputs, failure_probability)`: complexities on these rows, which
    hold with probability 1 - failure_probability over randomness that is independent of the sample. `of_every_sample`
    (N): complexities that hold for every sample of N rows, or None where there are none. `certain`: `of_sample` needs
    no randomness. `log_choices`: logarithm of the inverse weight of what else about the ball was chosen after the data.
    """

    norm: float
    of_sample: Callable[[Inputs, float], Radius]
    of_every_sample: Callable[[int], Radius] | None = None
    certain: bool = False
    log_choices: float = 0.0


def scaled(unit: float) -> Radius:
    """Q -> Q times the complexity of the unit ball."""
    return lambda radius: radius * unit


@dataclass(frozen=True)
class Rows:
    """The rows that the concentration is about, and the number of choices that a union bound pays for.

    `kept`: their places in the training sample, in order; None: all of them.
    """

    sample: Sample
    pairs: float
    fixed: AssumptionStanding
    kept: Tensor | None = None


def deviation(form: Form, sides: Literal["one", "two"], log_choices: float, delta: float, size: int) -> float:
    """The deviation term for M = 1; `log_choices` = ln of the number of equally likely choices in the union."""
    log_inverse = log_choices - math.log(delta)
    if form == "textbook":
        return 3 * math.sqrt((log_inverse + math.log(2 if sides == "one" else 3)) / (2 * size))
    log_inverse += math.log(2) if sides == "two" else 0.0
    return math.sqrt((2 if form == "sharp" else 0.5) * log_inverse / size)


def uniform_gap(
    bound: UniformGapBound,
    subject: BoundSubject,
    delta: float,
    ball: Ball,
    assumptions: tuple[AssumptionStanding, ...],
    inputs: dict[str, float] | None = None,
) -> BoundReport:
    """The bound for a model of one output in the ball. `inputs`: further numbers for the report.

    Raises:
        NumericalFailure: the norm is not finite.
    """
    if not math.isfinite(ball.norm):
        raise NumericalFailure("The norm of the model's parameters is not finite.")
    rows = rows_of_fixed_loss(subject)
    size, cap = rows.sample.size, subject.loss_cap
    if size < 1:
        return bound.refused(subject, delta, "generalization_gap", "At least three training rows are needed.")
    if bound.form == "expected" and ball.of_every_sample is None:
        reason = "No bound of the inputs is known before the sample, so no complexity holds for every sample."
        refusal = (*assumptions, standing(BOUNDED_INPUTS, "failed", reason))
        return bound.refused(subject, delta, "generalization_gap", reason, refusal)
    certain = ball.certain or bound.form == "expected"
    share = 0.0 if certain else MONTE_CARLO_SHARE
    if bound.form == "expected" and ball.of_every_sample is not None:
        complexity = ball.of_every_sample(size)
        bounded = standing(BOUNDED_INPUTS, "checked", "The law of the inputs is known to be bounded.")
        assumptions = (*assumptions, bounded)
    else:
        complexity = ball.of_sample(rows.sample.inputs, share * delta)

    def terms(step: int, radius: float) -> tuple[float, float]:
        log_choices = math.log(rows.pairs) - math.log(radius_weight(step)) + ball.log_choices
        fluctuation = cap * deviation(bound.form, bound.sides, log_choices, (1 - share) * delta, size)
        return 4 * math.sqrt(cap) * complexity(radius), fluctuation

    step, radius = _best_radius(ball.norm, math.sqrt(cap), terms)
    contraction, fluctuation = terms(step, radius)
    empirical = float(subject.training_losses.mean())
    left_out = mean_over(subject, rows) - empirical
    if bound.sides == "two":
        left_out = abs(left_out)
    value = contraction + fluctuation + left_out
    # R <= M needs no theorem, so a gap below M - R_n is what a bound has to beat; |R - R_n| <= max(R_n, M - R_n).
    trivial = cap - empirical if bound.sides == "one" else max(empirical, cap - empirical)
    return BoundReport(
        kind=bound.kind,
        quantity="generalization_gap",
        delta=delta,
        value=value,
        terms=(
            BoundTerm(name="complexity", value=contraction),
            BoundTerm(name="deviation", value=fluctuation),
            BoundTerm(name="rows_left_out", value=left_out),
        ),
        inputs={
            "norm": ball.norm,
            "radius": radius,
            "unit_ball_complexity_upper": complexity(radius) / radius,
            "lipschitz_constant": 2 * math.sqrt(cap),
            "loss_cap": cap,
            "empirical_capped_risk": empirical,
            "rows": float(size),
            "range_choices_in_union": rows.pairs,
            "radius_weight": radius_weight(step),
            "delta_for_monte_carlo": share * delta,
            "delta_for_sample": (1 - share) * delta,
            **(inputs or {}),
        },
        trivial_value=trivial,
        vacuous=value >= trivial,
        assumptions=(
            standing(IID, "unchecked", "Rows drawn at random from one table or law are; drifting ones are not."),
            rows.fixed,
            standing(ONE_OUTPUT, "checked"),
            *assumptions,
        ),
        reference=bound.reference,
        measured=measured_gap(subject, absolute=bound.sides == "two"),
    )


def measured_gap(subject: BoundSubject, *, absolute: bool = False) -> Estimate | None:
    """R - R_n of the capped loss, R from the held-out rows; None without such rows.

    The gap's own empirical risk is a number, not an estimate: only the held-out mean has an error.
    """
    if not subject.held_out.size:
        return None
    population = mean_estimate(subject.held_out_losses)
    gap = population.value - float(subject.training_losses.mean())
    return Estimate(value=abs(gap) if absolute else gap, standard_error=population.standard_error, method="monte_carlo")


def mean_over(subject: BoundSubject, rows: Rows) -> float:
    """R_N: the mean capped loss of the rows."""
    losses = subject.training_losses
    return float((losses if rows.kept is None else losses[rows.kept]).mean())


def class_refusal(
    bound: Bound, subject: BoundSubject, delta: float, quantity: Quantity = "generalization_gap"
) -> BoundReport | None:
    """The refusal where the model has several outputs, or missing inputs are filled from the sample, else None.

    With a fill v, the mean of the training rows, f sees x_0 + v 1{missing}: the class { f(x_0 + v 1{missing}) } is
    another one for each sample, and nothing above speaks of a union over v in R. A weight could take v in where the
    indicator 1{missing} is an input, as weights take in a scaling; but a column that misses values in test rows only
    has no indicator, a neuron with frozen weights cannot take it in, and the clipped labels' pair does not fix v. So
    the refusal stays; held-out certificates, for which the filled model is one fixed function, need none of this.
    """
    if subject.filled_from_sample:
        reason = "Missing values are filled with the training rows' means, so that the class depends on the sample."
        return bound.refused(subject, delta, quantity, reason, (standing(FIXED_INPUTS, "failed", reason),))
    if subject.training.labels.shape[1] == 1:
        return None
    reason = f"The model has {subject.training.labels.shape[1]} outputs; this bound is for one output."
    return bound.refused(subject, delta, quantity, reason, (standing(ONE_OUTPUT, "failed", reason),))


def rows_of_fixed_loss(subject: BoundSubject) -> Rows:
    """The training rows given which clipping range and loss cap are fixed numbers: see (4) above."""
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
        return Rows(subject.training, 1.0, standing(FIXED_LOSS, "declared", because))
    kept = order[1:-1].sort().values
    sample = Sample(subject.training.inputs[kept], subject.training.labels[kept])
    size = subject.training.size
    because = "They come from the smallest and the largest training label; those two rows are left out."
    return Rows(sample, float(size * (size - 1)), standing(FIXED_LOSS, "checked", because), kept)


def radius_weight(step: int) -> float:
    """w_k, the part of delta for the radius sqrt(M) 2^(k/8)."""
    return 1 / (WEIGHT_SUM * (abs(step) + 1) ** 2)


def smallest_radius(norm: float, scale: float) -> tuple[int, float]:
    """The least step k of the grid with radius `scale` 2^(k/8) >= norm, and that radius."""
    first = LOWEST_STEP
    if norm > scale * 2 ** (LOWEST_STEP / STEPS_PER_OCTAVE):
        # One step more where rounding of the logarithm fell short of the norm.
        first = math.ceil(STEPS_PER_OCTAVE * math.log2(norm / scale))
        first += scale * 2 ** (first / STEPS_PER_OCTAVE) < norm
    return first, scale * 2 ** (first / STEPS_PER_OCTAVE)


def _best_radius(norm: float, scale: float, terms: Callable[[int, float], tuple[float, float]]) -> tuple[int, float]:
    """The step k and the radius `scale` 2^(k/8) >= norm with the least sum of terms."""
    first, _ = smallest_radius(norm, scale)
    steps = range(first, max(first, 0) + 1)
    best = min(steps, key=lambda step: sum(terms(step, scale * 2 ** (step / STEPS_PER_OCTAVE))))
    return best, scale * 2 ** (best / STEPS_PER_OCTAVE)
