"""Uniform bound on the generalization gap of two-layer ReLU networks by their path norm, whatever their width."""

from typing import Annotated, Literal

from pydantic import Field

from models.assumptions import Assumption, standing
from models.bounds._formulas import DEVIATION, INPUTS, REST
from models.bounds._signed_sums import input_signs_ball, signed_inputs
from models.bounds._uniform_gap import (
    BOUNDED_INPUTS,
    FIXED_LOSS,
    IID,
    MONTE_CARLO_SHARE,
    ONE_OUTPUT,
    UniformGapBound,
    class_refusal,
    rows_of_fixed_loss,
    uniform_gap,
)
from models.bounds.base import BoundReport, BoundSubject
from models.complexities.path_norm_ball import UPPER_FACTOR, PathNormed, path_norm, path_norm_ball_complexity
from models.complexities.path_norm_search import searched_lower_end

RELU = Assumption(name="two_layer_relu", text="f(x) = sum_j a_j max(0, w_j.x + c_j): two layers, activation max(0, t).")


class PathNormBall(UniformGapBound):
    """The gap over the path-norm ball that contains the model; the ball is chosen after training (peeling).

    Scalings learnt from the sample are folded into the weights, so that the norm and the complexity speak of the raw
    inputs x~ = (x, 1) and the statement holds although the scalings depend on the sample. In the form `expected` the
    complexity is 1.5 Q max(1, C) sqrt(2 ln(2D)/N) for ||x||_inf <= C, D = d + 1, by Massart's lemma.
    """

    kind: Literal["path_norm_ball"]
    sign_draws: Annotated[
        int, Field(ge=100, le=100_000, description="Random sign vectors for the complexity; more tighten it.")
    ] = 1000
    search_draws: Annotated[
        int, Field(ge=0, le=10_000, description="Sign vectors for the searched lower end of the complexity; 0: none.")
    ] = 0

    statement = (
        "With probability at least 1 - delta, for every two-layer ReLU network f of path norm sum_j |a_j| ||(w_j, "
        "c_j)||_1 <= Q, Q on the grid sqrt(M) 2^(k/8): R(f) - R_n(f) <= 6 sqrt(M) (Q/N) E||sum_i xi_i x~_i||_inf + "
        "M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)); loss min(|clip f - y|^2, M), N = n - 2 rows beside "
        "the two that set the clipping range (pairs = n(n-1)), or N = n and pairs = 1 where the range was given"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every } f(x) = \sum_j a_j "
        r"\max(0,\, w_j \cdot x + c_j), \; \sum_j |a_j| (\|w_j\|_1 + |c_j|) \le Q, \\ &R(f) - R_n(f) \le 6 "
        r"\sqrt{M}\, \frac{Q}{N}\, \mathbb{E}_\xi \left\|\sum_{i=1}^N \xi_i \tilde{x}_i\right\|_\infty "
        + DEVIATION
        + INPUTS
        + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, RELU, BOUNDED_INPUTS)
    reference = "ma2019priori"
    examples = (
        {"kind": "path_norm_ball"},
        {"kind": "path_norm_ball", "sign_draws": 4000, "search_draws": 100},
        {"kind": "path_norm_ball", "form": "expected", "sides": "two"},
    )

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. Randomness: the stream `input_signs` of the subject."""
        several = class_refusal(self, subject, delta)
        if several is not None:
            return several
        model = subject.model
        weights = model.space.path_norm_weights(model.parameters) if isinstance(model.space, PathNormed) else None
        if weights is None:
            reason = f"The space {model.space.kind!r} of this model is no two-layer network with activation max(0, t)."
            refusal = (standing(RELU, "failed", reason),)
            return self.refused(subject, delta, "generalization_gap", reason, refusal)

        norm = path_norm(weights, model.input_scaling, model.output_scaling)
        ball = input_signs_ball(subject, norm, UPPER_FACTOR, self.sign_draws)
        return uniform_gap(self, subject, delta, ball, (standing(RELU, "checked"),), self._lower_end(subject, delta))

    def _lower_end(self, subject: BoundSubject, delta: float) -> dict[str, float]:
        """How far any bound of this complexity on these rows could go down; it fails with its own probability."""
        inputs = rows_of_fixed_loss(subject).sample.inputs
        if self.form == "expected" or not len(inputs):
            return {}
        failure_probability = MONTE_CARLO_SHARE * delta
        drawn = signed_inputs(subject, inputs, self.sign_draws)
        bracket = path_norm_ball_complexity(drawn, bool((inputs >= 0).all()), failure_probability)
        estimated = {"unit_ball_complexity_lower_estimate": bracket.lower}
        if self.search_draws == 0:
            return estimated
        randomness = subject.randomness.child("path_norm_search")
        found = searched_lower_end(subject.training.inputs, self.search_draws, failure_probability, randomness)
        return {
            **estimated,
            "unit_ball_complexity_lower": found.lower,
            "unit_ball_complexity_searched": found.estimate,
            "unit_ball_complexity_searched_is_exact": float(found.exact),
            "delta_for_lower_end": failure_probability,
        }
