"""What no uniform bound over the model's ball can go below: the lower bound of uniform convergence."""

import math
from typing import Annotated, Literal

from pydantic import Field

from models.assumptions import Assumption, AssumptionStanding, standing
from models.bounds._ball_directions import FeatureBall, coefficient_ball, neuron_ball
from models.bounds._formulas import REST
from models.bounds._frozen_features import FROZEN, LINEAR, frozen_standings, linear_refusal
from models.bounds._loss_signs import searched_loss_complexity
from models.bounds._uniform_gap import (
    FIXED_LOSS,
    IID,
    MONTE_CARLO_SHARE,
    ONE_OUTPUT,
    class_refusal,
    radius_weight,
    rows_of_fixed_loss,
    smallest_radius,
)
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.complexities.path_norm_ball import PathNormed
from models.hypothesis_spaces.base import LinearSpace

BALL = Assumption(
    name="ball_known", text="f lies in a ball of which functions can be named: linear in frozen features, or two-layer."
)


class UniformDeviationLower(Bound):
    """sup |R(f) - R_n(f)| over the smallest ball of the grid that contains f^, from below: no other ball, no f^ alone.

    For h in [0,M] and R^_N the complexity of the losses, without absolute value: E sup |P h - P_N h| >= R_N/2 -
    M/(4 sqrt(N)). Indeed E sup (1/N) sum xi_i (h(x_i) - P h) <= E sup (P_N h - P_N' h) <= 2 E sup |P_N h - P h|, and
    the centring costs E sup mean(xi) P h <= M E|mean(xi)| / 2. sup |P h - P_N h| - R^_N/2 moves by M/N + M/(4N) with
    one point, so McDiarmid gives the deviation with 1.25. The radius, on the grid of the upper bounds, and the pair of
    rows that set the range cost what they cost there; the two left out move R_n by at most 2M/n for every f.

    R^_N is searched from below: for each of some sign vectors the best of a few functions of the ball, their losses
    computed, with the Monte Carlo error of the signs. Where this bound is of the size of an upper one, that one cannot
    be improved but by another class; where it is negative, it says nothing.
    """

    kind: Literal["uniform_deviation_lower"]
    sign_draws: Annotated[
        int, Field(ge=10, le=1000, description="Random sign vectors for which functions are searched.")
    ] = 20

    statement = (
        "With probability at least 1 - delta: sup over F_Q of |R(f) - R_n(f)| >= R^_N/2 - M/(4 sqrt(N)) - 1.25 M "
        "sqrt(ln(pairs/(delta w_k))/(2N)) - 2M/n, R^_N the complexity of the losses min(|clip f - y|^2, M) over F_Q, "
        "Q = sqrt(M) 2^(k/8) the least that contains f^; F_Q, N and pairs as for rkhs_ball or path_norm_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\sup\limits_{f \in F_Q} |R(f) - R_n(f)| "
        r"\ge \frac{\hat{R}_N}{2} - \frac{M}{4 \sqrt{N}} - 1.25\, M \sqrt{\frac{1}{2N} \ln "
        r"\frac{\text{pairs}}{\delta w_k}} - M \left(1 - \frac{N}{n}\right), \\ &\hat{R}_N = \frac{1}{N}\, "
        r"\mathbb{E}_\xi \sup\limits_{f \in F_Q} \sum_{i=1}^N \xi_i \min\left(|\operatorname{clip} f(x_i) - "
        r"y_i|^2,\, M\right), \\ " + REST
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, BALL, LINEAR, FROZEN)
    reference = "bartlett2002rademacher"
    examples = ({"kind": "uniform_deviation_lower"}, {"kind": "uniform_deviation_lower", "sign_draws": 50})

    @property
    def numbers_of_a_row(self) -> int:
        """Signs, directions and functions of the search, each one number a row and draw."""
        return 13 * self.sign_draws

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound. Randomness: the stream `loss_signs` of the subject."""
        found = self._ball(subject, delta)
        if isinstance(found, BoundReport):
            return found
        ball, standings = found
        rows = rows_of_fixed_loss(subject)
        size, cap = rows.sample.size, subject.loss_cap
        if size < 1:
            return self._refused(subject, delta, "At least three training rows are needed.", ())
        step, radius = smallest_radius(ball.norm, math.sqrt(cap))
        lower = subject.kept(
            ("loss complexity", self.sign_draws),
            lambda: searched_loss_complexity(subject, rows, ball, radius, self.sign_draws),
        )
        monte_carlo = cap * math.sqrt(math.log(1 / (MONTE_CARLO_SHARE * delta)) / (2 * size * self.sign_draws))
        log_choices = math.log(rows.pairs) - math.log(radius_weight(step)) - math.log((1 - MONTE_CARLO_SHARE) * delta)
        terms = {
            "complexity": (lower - monte_carlo) / 2,
            "centring": -cap / (4 * math.sqrt(size)),
            "deviation": -1.25 * cap * math.sqrt(log_choices / (2 * size)),
            "rows_left_out": -cap * (1 - size / subject.training.size),
        }
        value = math.fsum(terms.values())
        return BoundReport(
            kind=self.kind,
            quantity="uniform_deviation",
            side="lower",
            delta=delta,
            value=value,
            terms=tuple(BoundTerm(name=name, value=term) for name, term in terms.items()),
            inputs={
                "norm": ball.norm,
                "radius": radius,
                "loss_complexity_searched": lower,
                "loss_cap": cap,
                "rows": float(size),
                "range_choices_in_union": rows.pairs,
                "radius_weight": radius_weight(step),
            },
            trivial_value=0.0,
            vacuous=value <= 0,
            assumptions=(
                standing(IID, "unchecked", "Rows drawn at random from one table or law are; drifting ones are not."),
                rows.fixed,
                standing(ONE_OUTPUT, "checked"),
                standing(BALL, "checked", ball.ball),
                *standings,
            ),
            reference=self.reference,
        )

    def _refused(
        self, subject: BoundSubject, delta: float, reason: str, standings: tuple[AssumptionStanding, ...]
    ) -> BoundReport:
        return self.refused(subject, delta, "uniform_deviation", reason, standings, side="lower", trivial_value=0.0)

    def _ball(
        self, subject: BoundSubject, delta: float
    ) -> tuple[FeatureBall, tuple[AssumptionStanding, ...]] | BoundReport:
        """The ball of the coefficients where the space is linear, else that of the path norm; or the refusal."""
        model = subject.model
        linear = isinstance(model.space, LinearSpace)
        check = linear_refusal if linear else class_refusal
        refusal = check(self, subject, delta, "uniform_deviation")
        if refusal is not None:
            return refusal.model_copy(update={"side": "lower", "trivial_value": 0.0})
        if linear:
            return coefficient_ball(subject), frozen_standings()
        weights = model.space.path_norm_weights(model.parameters) if isinstance(model.space, PathNormed) else None
        if weights is None:
            reason = f"No ball is known in which the space {model.space.kind!r} of this model lies."
            return self._refused(subject, delta, reason, (standing(BALL, "failed", reason),))
        return neuron_ball(subject, weights), ()
