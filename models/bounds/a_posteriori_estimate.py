"""The a posteriori estimate of E, Ma and Wu: the gap by the path norm that was reached, for bounded inputs."""

import math
from typing import Literal

from models.assumptions import Assumption, standing
from models.bounds._formulas import LOSS, SIZES
from models.bounds._uniform_gap import (
    FIXED_LOSS,
    IID,
    ONE_OUTPUT,
    class_refusal,
    mean_over,
    measured_gap,
    rows_of_fixed_loss,
)
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.complexities.path_norm_ball import PathNormed, path_norm

RELU = Assumption(name="two_layer_relu", text="f(x) = sum_j a_j max(0, w_j.x + c_j): two layers, activation max(0, t).")
UNIT_INPUTS = Assumption(name="inputs_in_unit_cube", text="||x||_inf <= 1, known before the sample.")

ZETA = math.pi**2 / 6
"""sum_k 1/k^2, by which the radii 1, 2, .. share delta."""


class APosterioriEstimate(Bound):
    """|R - R_n| in the authors' form, where the complexity is that of every sample of the cube: no data enter it.

    Their setting is half the squared loss, labels and truncated networks in [0,1]. Here labels are moved there by (y -
    lo)/sqrt(M), the network with them (lo is one more neuron, the constant), and the result is multiplied by 2 M. The
    range that two training labels set costs n(n-1) choices, as in path_norm_ball, which computes the complexity from
    the sample and is the tighter one.

    Derivation: half the squared loss is 1-Lipschitz with values in [0,1/2], the complexity of the ball of radius Q at
    most 2 Q sqrt(2 ln(2D)/N); radius q = ceil(norm) gets delta/(c q^2), c = pi^2/6, and the two-sided expected form
    gives 4 q sqrt(2 ln(2D)/N) + (1/2) sqrt(ln(2c q^2/delta)/(2N)), below the statement.
    """

    kind: Literal["a_posteriori_estimate"]

    statement = (
        "With probability at least 1 - delta, for every two-layer ReLU network f on [-1,1]^d: |R(f) - R_n(f)| <= 2 M [ "
        "4 sqrt(2 ln(2D)/N) (P + 1) + (1/2) sqrt(2 ln(2 c pairs (1 + P)^2/delta)/N) ] + |R_N(f) - R_n(f)|, P the path "
        "norm of (f - lo)/sqrt(M), D = d + 1, c = pi^2/6; loss min(|clip f - y|^2, M), N, pairs as for path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every two-layer ReLU network } "
        r"f \text{ on } [{-1}, 1]^d, \\ &|R(f) - R_n(f)| \le 2M \left[4 \sqrt{\frac{2 \ln(2D)}{N}}\, (P + 1) + "
        r"\frac{1}{2} \sqrt{\frac{2}{N} \ln \frac{2c\, \text{pairs}\, (1 + P)^2}{\delta}}\right] + |R_N(f) - "
        r"R_n(f)|, \\ &P = \text{path norm of } \frac{f - \text{lo}}{\sqrt{M}}, \quad D = d + 1, \quad c = "
        r"\frac{\pi^2}{6}, \\ " + LOSS + SIZES
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, RELU, UNIT_INPUTS)
    reference = "ma2019priori"
    examples = ({"kind": "a_posteriori_estimate"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the absolute gap. No randomness."""
        several = class_refusal(self, subject, delta)
        if several is not None:
            return several
        model, sup_bound = subject.model, subject.input_sup_bound
        weights = model.space.path_norm_weights(model.parameters) if isinstance(model.space, PathNormed) else None
        if weights is None:
            reason = f"The space {model.space.kind!r} of this model is no two-layer network with activation max(0, t)."
            refusal = (standing(RELU, "failed", reason),)
            return self.refused(subject, delta, "generalization_gap", reason, refusal)
        if sup_bound is None or sup_bound > 1:
            reason = "The inputs are not known to lie in [-1,1]^d before the sample."
            standings = (standing(RELU, "checked"), standing(UNIT_INPUTS, "failed", reason))
            return self.refused(subject, delta, "generalization_gap", reason, standings)
        rows = rows_of_fixed_loss(subject)
        size, cap = rows.sample.size, subject.loss_cap
        if size < 1:
            return self.refused(subject, delta, "generalization_gap", "At least three training rows are needed.")
        lower = 0.0 if model.output_range is None else float(model.output_range.lower[0])
        shift = float(model.output_scaling.shift[0])
        # The constant neuron carries b - lo instead of b.
        raw = path_norm(weights, model.input_scaling, model.output_scaling) - abs(shift) + abs(shift - lower)
        norm, columns = raw / math.sqrt(cap), subject.training.inputs.shape[1] + 1
        complexity, deviation = half_loss_terms(norm, columns, size, delta / rows.pairs)
        empirical = float(subject.training_losses.mean())
        left_out = abs(mean_over(subject, rows) - empirical)
        value = 2 * cap * (complexity + deviation) + left_out
        trivial = max(empirical, cap - empirical)
        return BoundReport(
            kind=self.kind,
            quantity="generalization_gap",
            delta=delta,
            value=value,
            terms=(
                BoundTerm(name="complexity", value=2 * cap * complexity),
                BoundTerm(name="deviation", value=2 * cap * deviation),
                BoundTerm(name="rows_left_out", value=left_out),
            ),
            inputs={
                "path_norm_in_unit_range": norm,
                "columns": float(columns),
                "rows": float(size),
                "range_choices_in_union": rows.pairs,
                "loss_cap": cap,
                "empirical_capped_risk": empirical,
            },
            trivial_value=trivial,
            vacuous=value >= trivial,
            assumptions=(
                standing(IID, "unchecked", "Rows drawn at random from one table or law are; drifting ones are not."),
                rows.fixed,
                standing(ONE_OUTPUT, "checked"),
                standing(RELU, "checked"),
                standing(UNIT_INPUTS, "checked", "The law of the inputs is on [-1,1]^d."),
            ),
            reference=self.reference,
            measured=measured_gap(subject, absolute=True),
        )


def half_loss_terms(norm: float, columns: int, size: int, delta: float) -> tuple[float, float]:
    """4 sqrt(2 ln(2D)/n) (P + 1) and (1/2) sqrt(2 ln(2c(1 + P)^2/delta)/n), for half the squared loss on [0,1]."""
    complexity = 4 * math.sqrt(2 * math.log(2 * columns) / size) * (norm + 1)
    log_term = math.log(2 * ZETA) + 2 * math.log1p(norm) - math.log(delta)
    return complexity, 0.5 * math.sqrt(2 * log_term / size)
