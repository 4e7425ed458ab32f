"""The a priori estimate of E, Ma and Wu with every constant: the risk by the Barron norm of f*, training included."""

import math
from dataclasses import dataclass
from typing import Literal

from models.assumptions import Assumption, standing
from models.bounds._comparison_network import comparison_network
from models.bounds._formulas import LOSS, SIZES
from models.bounds._uniform_gap import FIXED_LOSS, IID, ONE_OUTPUT, class_refusal, rows_of_fixed_loss
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.complexities.path_norm_ball import PathNormed, path_norm
from models.estimates import mean_estimate
from models.learned_model import LearnedModel
from models.risks import predictions, squared_losses

RELU = Assumption(name="two_layer_relu", text="f(x) = sum_j a_j max(0, w_j.x + c_j): two layers, activation max(0, t).")
BARRON = Assumption(
    name="barron_norm_known", text="f* is known and an upper bound gamma of its Barron norm (l1 weights) is finite."
)
NOISELESS = Assumption(name="labels_without_noise", text="y = f*(x): the labels carry no noise.")
LABELS_IN_RANGE = Assumption(
    name="training_labels_within_range", text="The training labels lie in the model's output range."
)
BOUNDED = Assumption(name="inputs_bounded_beforehand", text="||x||_inf <= C for a C known before the sample.")
WITHIN_COMPARISON = Assumption(
    name="objective_within_comparison",
    text="J_n of the model is at most J_n of the comparison network plus epsilon; epsilon is part of the value.",
)


class APrioriEstimate(Bound):
    """The population risk of a two-layer network by what is known of f* before training, plus what training missed.

    Notation: M loss cap, u = sqrt(M), C' = max(1, C), D = d + 1, lambda_N = 6 u C' sqrt(2 ln(2D)/N), lambda = lambda_N
    N/n, J_n(theta) = R_n(f) + lambda ||theta||_P with the squared loss of the network before clipping. N = n - 2 rows
    beside the two that set the clipping range, pairs = n(n-1); N = n and pairs = 1 where it was given.

    Proof. (1) For every theta at once, with probability 1 - delta/2: R <= R_N + lambda_N (||theta|| + u) + M sqrt(ln(2
    pairs pi^2 q^2/(6 delta))/(2N)), q = max(1, ceil(||theta||/u)): contraction with constant 2u, complexity 1.5 Q C'
    sqrt(2 ln(2D)/N) of every sample, so the expected form applies; the radius u q has weight 6/(pi^2 q^2). (2) Training
    labels lie in the range, where clipping only lowers losses: N R_N <= n R_n(f), so R_N + lambda_N ||theta|| <= (n/N)
    J_n(theta). (3) J_n(theta^) <= A + epsilon and ||theta^|| <= J_n(theta^)/lambda. (4) A bounds J_n of a network
    theta~ that does not depend on the sample, with probability 1 - delta/2: its norm is gamma, |f~ - f*| <= 2 gamma C',
    and with v >= E|f~ - f*|^2 Bernstein gives R_n(f~) <= v + sqrt(8 gamma^2 C'^2 v l/n) + 4 gamma^2 C'^2 l/(3n).

    theta~ and epsilon. Where f* is a sum of at most m known neurons theta~ is f*, v = 0. Where its representation is
    known theta~ is drawn from it: sqrt(v) = (gamma C'/sqrt(m)) (1 + sqrt(2 ln(4/delta))) + eta with probability 1 -
    delta/4 over the draw (the norm of the error moves by 2 gamma C'/m with one neuron; its mean is at most gamma
    C'/sqrt(m)), l = ln(4/delta), eta the error of the sum that stands for the representation's integral. In both cases
    epsilon = max(0, J_n(theta^) - J_n(theta~)), so that epsilon = 0 is certified by the data. Where only gamma is known
    some theta~ with v = (gamma C')^2/m exists, l = ln(2/delta), and epsilon = max(0, J_n(theta^) - A). An exact
    minimiser of J_n has epsilon = 0 in every case.
    """

    kind: Literal["a_priori_estimate"]

    statement = (
        "With probability at least 1 - delta, for noiseless labels y = f*(x), ||f*||_B <= gamma: R(f^) <= (n/N) (A + "
        "epsilon) + lambda_N u + M sqrt(ln(2 pairs pi^2 ((A + epsilon)/(lambda u) + 1)^2/(6 delta))/(2N)), A = v + "
        "sqrt(8 gamma^2 C'^2 v l/n) + 4 gamma^2 C'^2 l/(3n) + lambda gamma, J_n(f^) <= J_n(f~) + epsilon"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for } y = f^*(x), \; \|f^*\|_B \le "
        r"\gamma \text{ and } J_n(\hat{f}) \le J_n(\tilde{f}) + \varepsilon, \\ &R(\hat{f}) \le \frac{n}{N} (A + "
        r"\varepsilon) + \lambda_N u + M \sqrt{\frac{1}{2N} \ln \left(\frac{\pi^2\, \text{pairs}}{3 \delta} "
        r"\left(\frac{A + \varepsilon}{\lambda u} + 1\right)^2\right)}, \\ &A = v + \sqrt{\frac{8 \gamma^2 C'^2 v "
        r"l}{n}} + \frac{4 \gamma^2 C'^2 l}{3n} + \lambda \gamma, \quad v \ge \mathbb{E} |\tilde{f}(x) - f^*(x)|^2, "
        r"\\ &J_n(\theta) = R_n(\theta) + \lambda \|\theta\|_P, \quad \lambda = \frac{N}{n} \lambda_N, \quad "
        r"\lambda_N = 6 u C' \sqrt{\frac{2 \ln(2D)}{N}}, \\ &u = \sqrt{M}, \quad C' = \max(1, C), \quad D = d + 1, "
        r"\quad l = \ln \frac{2}{\delta}, \text{ or } \ln \frac{4}{\delta} \text{ where } \tilde{f} \text{ is "
        r"constructed}, \\ " + LOSS + SIZES
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, RELU, BARRON, NOISELESS, LABELS_IN_RANGE, BOUNDED, WITHIN_COMPARISON)
    reference = "ma2019priori"
    examples = ({"kind": "a_priori_estimate"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the population risk. Randomness: the stream `comparison_network/neurons` of the subject."""
        several = class_refusal(self, subject, delta, "population_risk")
        if several is not None:
            return several
        setting = self._setting(subject, delta)
        if isinstance(setting, BoundReport):
            return setting
        rows = rows_of_fixed_loss(subject)
        if rows.sample.size < 1:
            return self.refused(subject, delta, "population_risk", "At least three training rows are needed.")
        n, N, cap = subject.training.size, rows.sample.size, subject.loss_cap
        scale, columns = math.sqrt(cap), subject.training.inputs.shape[1] + 1
        penalty_rows = 6 * scale * setting.sup * math.sqrt(2 * math.log(2 * columns) / N)
        penalty = penalty_rows * N / n
        reached = _objective(subject, setting.norm, penalty)
        compared = self._comparison(subject, setting, penalty, delta)
        above = reached - (compared.bound if compared.objective is None else compared.objective)
        epsilon = max(0.0, above)
        total = compared.bound + epsilon
        radius = total / (penalty * scale) + 1
        log_term = math.log(2 * rows.pairs * math.pi**2 / 6) + 2 * math.log(radius) - math.log(delta)
        deviation = cap * math.sqrt(log_term / (2 * N))
        terms = {
            "approximation": compared.squared_error,
            "comparison_fluctuation": compared.fluctuation,
            "penalty_of_barron_norm": compared.penalty,
            "optimization_epsilon": epsilon,
            "rows_left_out": (n / N - 1) * total,
            "radius_rounding": penalty_rows * scale,
            "deviation": deviation,
        }
        value = math.fsum(terms.values())
        within = "epsilon = 0: the trained objective is no larger than the comparison's."
        if epsilon:
            within = f"The trained objective is larger by epsilon = {epsilon:.3g}, which is in the value."
        return BoundReport(
            kind=self.kind,
            quantity="population_risk",
            delta=delta,
            value=value,
            terms=tuple(BoundTerm(name=name, value=term) for name, term in terms.items()),
            inputs={
                "barron_norm_bound": setting.gamma,
                "width": float(setting.width),
                "penalty": penalty,
                "path_norm": setting.norm,
                "objective": reached,
                "comparison_objective_bound": compared.bound,
                "rows": float(N),
                "range_choices_in_union": rows.pairs,
                "loss_cap": cap,
                **({} if compared.objective is None else {"comparison_objective": compared.objective}),
            },
            trivial_value=cap,
            vacuous=value >= cap,
            assumptions=(
                standing(IID, "checked", "Rows are drawn from the target's own law."),
                rows.fixed,
                standing(ONE_OUTPUT, "checked"),
                standing(RELU, "checked"),
                standing(BARRON, "checked", "The bound of the target's specification."),
                standing(NOISELESS, "checked"),
                standing(LABELS_IN_RANGE, "checked"),
                standing(BOUNDED, "checked"),
                standing(WITHIN_COMPARISON, "checked", within),
            ),
            reference=self.reference,
            measured=mean_estimate(subject.held_out_losses) if subject.held_out.size else None,
        )

    def _setting(self, subject: BoundSubject, delta: float) -> "_Setting | BoundReport":
        """What the theorem speaks of, or the refusal that names what is missing."""

        def refusal(assumption: Assumption, reason: str) -> BoundReport:
            return self.refused(subject, delta, "population_risk", reason, (standing(assumption, "failed", reason),))

        model, problem = subject.model, subject.problem
        weights = model.space.path_norm_weights(model.parameters) if isinstance(model.space, PathNormed) else None
        if weights is None:
            reason = f"The space {model.space.kind!r} of this model is no two-layer network with activation max(0, t)."
            return refusal(RELU, reason)
        gamma = None if problem is None else problem.known_facts().barron_norm_bound
        if problem is None or gamma is None or not math.isfinite(gamma):
            return refusal(BARRON, "No finite bound of the target's Barron norm is known.")
        if problem.noise > 0:
            return refusal(NOISELESS, f"The labels carry noise of deviation {problem.noise:g}.")
        if subject.input_sup_bound is None:
            return refusal(BOUNDED, "The law of the inputs is unbounded.")
        limits, labels = model.output_range, subject.training.labels
        if limits is None or bool(((labels < limits.lower) | (labels > limits.upper)).any()):
            return refusal(LABELS_IN_RANGE, "A training label lies outside the model's output range.")
        norm = path_norm(weights, model.input_scaling, model.output_scaling)
        return _Setting(gamma, max(1.0, subject.input_sup_bound), weights.inner.shape[0], norm)

    def _comparison(self, subject: BoundSubject, setting: "_Setting", penalty: float, delta: float) -> "_Comparison":
        """The bound A of J_n of the comparison network, and J_n itself where the network is constructed."""
        gamma, size = setting.gamma * setting.sup, subject.training.size
        network = None
        if subject.problem is not None:
            randomness = subject.randomness.child("comparison_network")
            network = comparison_network(subject.problem, setting.width, randomness)
        squared_error, log_term, objective, norm = gamma**2 / setting.width, math.log(2 / delta), None, setting.gamma
        if network is not None:
            log_term, norm = math.log(4 / delta), network.norm
            # The sum that stands for an integral may be longer than it by some 1e-7.
            gamma = max(gamma, norm * setting.sup)
            root = 0.0 if network.exact else gamma / math.sqrt(setting.width) * (1 + math.sqrt(2 * log_term))
            squared_error = (root + network.representation_error) ** 2
            errors = network(subject.training.inputs) - subject.training.labels[:, 0]
            objective = float((errors**2).mean()) + penalty * norm
        fluctuation = math.sqrt(8 * gamma**2 * squared_error * log_term / size)
        fluctuation += 4 * gamma**2 * log_term / (3 * size) if squared_error else 0.0
        return _Comparison(squared_error, fluctuation, penalty * norm, objective)


@dataclass(frozen=True)
class _Setting:
    """gamma, C', m and ||theta^||_P."""

    gamma: float
    sup: float
    width: int
    norm: float


@dataclass(frozen=True)
class _Comparison:
    """v, what it fluctuates by, lambda ||theta~||, and J_n(theta~) where theta~ is constructed."""

    squared_error: float
    fluctuation: float
    penalty: float
    objective: float | None

    @property
    def bound(self) -> float:
        """A."""
        return self.squared_error + self.fluctuation + self.penalty


def _objective(subject: BoundSubject, norm: float, penalty: float) -> float:
    """J_n of the network before clipping."""
    model = subject.model
    unclipped = LearnedModel(model.space, model.parameters, model.input_scaling, model.output_scaling)
    losses = squared_losses(predictions(unclipped, subject.training.inputs), subject.training.labels)
    return float(losses.mean()) + penalty * norm
