"""Direct approximation theorem: what width buys, by the Barron norm of f*."""

from typing import ClassVar, Literal

from models.assumptions import Assumption, standing
from models.bounds._known_target import BARRON, TARGET, barron_norm_bound, refusal
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.complexities.path_norm_ball import PathNormed

TRAINED_NEURONS = Assumption(
    name="two_layer_relu_trained", text="The space is the two-layer ReLU networks of width m, inner weights trained."
)
BOUNDED = Assumption(name="inputs_bounded_beforehand", text="||x||_inf <= C for a C known before the sample.")


class BarronApproximation(Bound):
    """inf E|f_m - f*|^2 over two-layer networks of width m, certain: the Monte Carlo rate with constant 1.

    Proof. f* = E_rho a max(0, w.x~) with |a| ||w||_1 = gamma almost surely, after rescaling neurons and measure. The
    mean f_m of m i.i.d. neurons has E E|f_m - f*|^2 = (E a^2 max(0, w.x~)^2 - E f*^2)/m, and |a max(0, w.x~)| <=
    gamma C'. Some draw is no worse than the mean, and each has path norm gamma. Where E f*^2 is known it is subtracted.
    An inverse theorem says that no other functions are limits of networks of bounded path norm.
    """

    kind: Literal["barron_approximation"]
    certain: ClassVar[bool] = True

    statement = (
        "inf over two-layer ReLU networks f_m of width m of E|f_m(x) - f*(x)|^2 <= ((gamma C')^2 - E f*^2)/m, attained "
        "up to the infimum with path norm gamma >= ||f*||_B, C' = max(1, sup ||x||_inf)"
    )
    formula = (
        r"\begin{split} \inf\limits_{f_m} \mathbb{E} |f_m(x) - f^*(x)|^2 &\le \frac{(\gamma C')^2 - \mathbb{E} "
        r"f^*(x)^2}{m}, \\ \gamma &\ge \|f^*\|_B, \quad C' = \max\left(1,\, \sup \|x\|_\infty\right) \end{split}"
    )
    assumptions = (TRAINED_NEURONS, TARGET, BARRON, BOUNDED)
    reference = "e2022barron"
    examples = ({"kind": "barron_approximation"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the space's approximation error; it does not fail, so its delta is 0."""
        space = subject.model.space
        weights = space.path_norm_weights(subject.model.parameters) if isinstance(space, PathNormed) else None
        if weights is None or space.linear:
            reason = f"The space {space.kind!r} is no two-layer ReLU network with trained inner weights."
            return refusal(self, subject, "approximation_error", TRAINED_NEURONS, reason)
        known = barron_norm_bound(self, subject, "approximation_error")
        if isinstance(known, BoundReport):
            return known
        problem, gamma = known
        if subject.input_sup_bound is None:
            return refusal(self, subject, "approximation_error", BOUNDED, "The law of the inputs is unbounded.")
        width, reach = weights.inner.shape[0], max(1.0, subject.input_sup_bound)
        second_moment = problem.known_facts().l2_norm_squared
        largest, subtracted = (gamma * reach) ** 2 / width, (second_moment or 0.0) / width
        # f_m = 0 is in the space.
        trivial = (gamma * reach) ** 2 if second_moment is None else second_moment
        value = max(0.0, largest - subtracted)
        return BoundReport(
            kind=self.kind,
            quantity="approximation_error",
            delta=0.0,
            value=value,
            terms=(
                BoundTerm(name="largest_neuron", value=largest),
                BoundTerm(name="second_moment_of_target", value=value - largest),
            ),
            inputs={"barron_norm_bound": gamma, "width": float(width), "largest_coordinate": reach},
            trivial_value=trivial,
            vacuous=value >= trivial,
            assumptions=(
                standing(TRAINED_NEURONS, "checked"),
                standing(TARGET, "checked"),
                standing(BARRON, "checked", "The bound of the target's specification."),
                standing(BOUNDED, "checked"),
            ),
            reference=self.reference,
        )
