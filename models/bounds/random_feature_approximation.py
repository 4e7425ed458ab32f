"""Direct approximation theorem for random features: what width buys, by the norm of f* in the limit's space."""

import math
from typing import Literal

import torch

from models.assumptions import Assumption, standing
from models.bounds._known_target import TARGET, rkhs_norm_bound
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.hypothesis_spaces.random_features import WAVES, RandomFeatures
from models.kernels import KernelName
from models.measures import Measure

LIMIT_KNOWN = Assumption(
    name="limit_kernel_known",
    text="The features are random ones whose kernel tends to that of the norm: relu on the sphere, or cosine and "
    "fourier of the default bandwidth, on inputs that are not standardised.",
)
IN_SPACE = Assumption(
    name="rkhs_norm_known", text="f* is in the limit kernel's space; an upper bound B of its norm there is known."
)


class RandomFeatureApproximation(Bound):
    """inf over coefficients of E|f_m - f*|^2, for the features that were drawn, by ||f*||_k of their limit kernel.

    Proof. k(x, x') = E phi(x; w) phi(x'; w), so f* = E a(w) phi(.; w) with E a^2 = ||f*||_k^2. The mean of r i.i.d.
    copies of a(w) phi(.; w) is in the span and has E E|f_r - f*|^2 = (E a^2 phi^2 - E f*^2)/r <= V/r, V = c B^2 - E
    f*^2, c = sup_w E phi(x; w)^2. Cut the m draws into b blocks of r = floor(m/b). By Markov's inequality one block is
    above V/(r p^{1/b}) with probability at most p^{1/b}, and all of them, being independent, with probability at most
    p; the best block is in the span, with coefficients 0 elsewhere. b is the best one: with b near ln(1/p) it costs e
    ln(1/p) instead of 1/p, and it needs no bound of |a|, as the theorem of the source does.

    c: for relu, E phi^2 <= E (w.x~)^2, so the largest eigenvalue of E x~ x~^T. For cosine 2. A pair of fourier features
    is one draw, a sqrt(2) cos + b sqrt(2) sin with half of E(a^2 + b^2) = ||f*||^2: c = 1, with m/2 draws.
    """

    kind: Literal["random_feature_approximation"]

    statement = (
        "With probability at least 1 - delta over the features: inf over a of E|phi(x).a - f*(x)|^2 <= min_b "
        "(c B^2 - E f*^2) delta^{-1/b} / floor(m/b), B >= ||f*||_k, k the limit of the features' kernel, "
        "c = sup_w E phi(x; w)^2, m draws"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta \text{ over the features}, \\ &\inf\limits_a "
        r"\mathbb{E} |\varphi(x) \cdot a - f^*(x)|^2 \le \min\limits_b \frac{c B^2 - \mathbb{E} f^*(x)^2}{\lfloor m "
        r"/ b \rfloor}\, \delta^{-1/b}, \\ &B \ge \|f^*\|_k, \quad c = \sup\limits_w \mathbb{E}\, \varphi(x; w)^2, "
        r"\quad k(x, x') = \mathbb{E}_w\, \varphi(x; w)\, \varphi(x'; w) \end{split}"
    )
    assumptions = (LIMIT_KNOWN, TARGET, IN_SPACE)
    reference = "rahimi2008random"
    examples = ({"kind": "random_feature_approximation"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the space's approximation error. No randomness besides the features."""
        space = subject.model.space
        kernel = limit_kernel(space, subject) if isinstance(space, RandomFeatures) else None
        if kernel is None or not isinstance(space, RandomFeatures):
            reason = f"The kernel that the features of {space.kind!r} as trained tend to is not one of known norms."
            failed = (standing(LIMIT_KNOWN, "failed", reason),)
            return self.refused(subject, delta, "approximation_error", reason, failed, trivial_value=math.inf)
        known = rkhs_norm_bound(self, subject, delta, kernel, "approximation_error", IN_SPACE)
        if isinstance(known, BoundReport):
            return known
        problem, norm = known
        second_moment = problem.known_facts().l2_norm_squared
        draws = space.width // 2 if space.feature == "fourier" else space.width
        largest = feature_second_moment(space, problem.measure, problem.dimension)
        variance = max(0.0, largest * norm**2 - (second_moment or 0.0))
        blocks, value = best_blocks(variance, draws, delta)
        trivial = largest * norm**2 if second_moment is None else second_moment
        return BoundReport(
            kind=self.kind,
            quantity="approximation_error",
            delta=delta,
            value=value,
            terms=(BoundTerm(name="variance_over_draws", value=value),),
            inputs={
                "rkhs_norm_bound": norm,
                "draws": float(draws),
                "blocks": float(blocks),
                "feature_second_moment": largest,
                "variance_of_a_draw": variance,
            },
            trivial_value=trivial,
            vacuous=value >= trivial,
            assumptions=(
                standing(LIMIT_KNOWN, "checked", f"The kernel {kernel!r}."),
                standing(TARGET, "checked"),
                standing(IN_SPACE, "checked", "The norm of the target's specification."),
            ),
            reference=self.reference,
        )


def limit_kernel(space: RandomFeatures, subject: BoundSubject) -> KernelName | None:
    """The kernel of known norms that k_m tends to, on the raw inputs; None where it is another."""
    return None if subject.scaled_from_sample else kernel_of_limit(space, subject.training.inputs.shape[1])


def kernel_of_limit(space: RandomFeatures, dimension: int) -> KernelName | None:
    """The same on inputs of this dimension as they are."""
    root = math.sqrt(dimension)
    if space.feature in WAVES and space.weight_law == "gaussian" and (space.has_bias or space.feature == "fourier"):
        return "gaussian" if space.bandwidth is None or math.isclose(space.bandwidth, root) else None
    return "arc_cosine" if space.feature == "relu" and space.weight_law == "sphere" and space.has_bias else None


def feature_second_moment(space: RandomFeatures, measure: Measure, dimension: int) -> float:
    """c: an upper bound of E phi(x; w)^2 for every w, of one draw."""
    if space.feature != "relu":
        return 1.0 if space.feature == "fourier" else 2.0
    second = torch.eye(dimension + 1, dtype=torch.float64)
    if measure == "uniform":
        second.fill_(0.25).diagonal().fill_(1 / 3)
        second[-1, :] = second[:, -1] = 0.5
        second[-1, -1] = 1.0
    elif measure == "sphere":
        second[:-1, :-1] /= dimension
    return float(torch.linalg.eigvalsh(second)[-1])


def best_blocks(variance: float, draws: int, delta: float) -> tuple[int, float]:
    """b and V delta^{-1/b} / floor(m/b); infinite without a draw."""
    if draws < 1:
        return 1, math.inf
    most = min(draws, 2 * math.ceil(math.log(1 / delta)) + 2)

    def value(blocks: int) -> float:
        return variance * math.exp(math.log(1 / delta) / blocks) / (draws // blocks)

    best = min(range(1, most + 1), key=value)
    return best, value(best)
