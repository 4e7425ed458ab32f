"""Held-out certificate for the probability of a wrong class: the exact binomial limit of Clopper and Pearson."""

from typing import Literal

import torch

from models.arrays import Labels
from models.assumptions import Assumption, standing
from models.bounds._concentration import binomial_limit
from models.bounds._held_out import IID, INDEPENDENT, held_out_standings
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.estimates import mean_estimate
from models.risks import predictions

ONE_HOT = Assumption(
    name="one_hot_labels",
    text="Labels are one-hot: two or more columns, one 1 and zeros; the predicted class is the largest output.",
)


class HeldOutClopperPearson(Bound):
    """Upper confidence bound on P(predicted class is not the class), from the count of held-out mistakes.

    The predicted class is the column of the largest output, the first of equal ones. Exact for a binomial count: no
    limit that holds for every error probability and is monotone in the count is smaller.
    """

    kind: Literal["held_out_clopper_pearson"]

    statement = (
        "With probability at least 1 - delta over the held-out rows: P(argmax f(x) != argmax y) <= sup{ p : "
        "P(Bin(n', p) <= K) >= delta }, K the number of held-out rows with the wrong class; 1 where K = n'"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\mathbb{P}\left(\operatorname{argmax} "
        r"f(x) \ne \operatorname{argmax} y\right) \le \sup \left\{p \;:\; \mathbb{P}(\operatorname{Bin}(n', p) \le "
        r"K) \ge \delta\right\}, \\ &K = \text{number of the } n' \text{ held-out rows with the wrong class} "
        r"\end{split}"
    )
    assumptions = (IID, INDEPENDENT, ONE_HOT)
    reference = "clopper1934use"
    examples = ({"kind": "held_out_clopper_pearson"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the error probability."""
        if not (one_hot(subject.training.labels) and one_hot(subject.held_out.labels)):
            reason = "The labels are not one-hot, so there is no wrong class to count."
            refusal = (standing(ONE_HOT, "failed", reason),)
            return self.refused(subject, delta, "error_probability", reason, refusal, trivial_value=1.0)
        held_out = subject.held_out
        if held_out.size == 0:
            return self.refused(subject, delta, "error_probability", "There is no held-out row.", trivial_value=1.0)
        outputs = predictions(subject.model, held_out.inputs)
        wrong = (outputs.argmax(dim=1) != held_out.labels.argmax(dim=1)).to(torch.float64)
        mistakes, measured = int(wrong.sum()), mean_estimate(wrong)
        value = binomial_limit(held_out.size, mistakes, delta)
        return BoundReport(
            kind=self.kind,
            quantity="error_probability",
            delta=delta,
            value=value,
            terms=(
                BoundTerm(name="held_out_error_rate", value=measured.value),
                BoundTerm(name="confidence_margin", value=value - measured.value),
            ),
            inputs={"held_out_rows": float(held_out.size), "mistakes": float(mistakes)},
            trivial_value=1.0,
            vacuous=value >= 1.0,
            assumptions=(*held_out_standings(), standing(ONE_HOT, "checked", "In every row of both samples.")),
            reference=self.reference,
            measured=measured,
        )


def one_hot(labels: Labels) -> bool:
    """Whether every row is one 1 among zeros, in at least two columns."""
    if labels.shape[1] < 2:
        return False
    return bool((((labels == 0) | (labels == 1)).all(dim=1) & (labels.sum(dim=1) == 1)).all())
