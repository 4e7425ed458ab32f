"""Upper end of the target's Barron norm: a representation, or its Fourier transform."""

import math
from typing import ClassVar, Literal

from models.assumptions import standing
from models.bounds._known_target import BARRON, TARGET, barron_norm_bound
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm


class BarronNormUpper(Bound):
    """||f*||_B with l1 weights, bias weight counted, on the domain of the inputs; certain.

    The value is the norm of the representation that the target's specification knows; where C_f is known, 3 C_f is
    shown as the part of the spectrum (on a bounded domain f - f(0) - x.grad f(0) has norm at most 3 C_f).
    """

    kind: Literal["barron_norm_upper"]
    certain: ClassVar[bool] = True

    statement = "||f*||_B <= gamma = E|a|(|w|_1 + |c|) of a known representation f* = E a max(0, w.x + c)"
    formula = (
        r"\|f^*\|_B \le \mathbb{E}\, |a| \left(\|w\|_1 + |c|\right) \le \gamma, \qquad f^*(x) = \mathbb{E}\, a "
        r"\max(0,\, w \cdot x + c)"
    )
    assumptions = (TARGET, BARRON)
    reference = "e2022barron"
    examples = ({"kind": "barron_norm_upper"},)

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound; it does not fail, so its delta is 0."""
        known = barron_norm_bound(self, subject, "barron_norm")
        if isinstance(known, BoundReport):
            return known
        problem, gamma = known
        spectral = problem.known_facts().spectral_bound
        return BoundReport(
            kind=self.kind,
            quantity="barron_norm",
            delta=0.0,
            value=gamma,
            terms=(BoundTerm(name="representation", value=gamma),),
            inputs={} if spectral is None else {"spectral_norm": spectral, "three_times_spectral_norm": 3 * spectral},
            trivial_value=math.inf,
            vacuous=False,
            assumptions=(standing(TARGET, "checked"), standing(BARRON, "checked", "From the target's specification.")),
            reference=self.reference,
        )
