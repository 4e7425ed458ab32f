"""PAC-Bayes for the randomized version of a linear model, with a prior that knows no data."""

from typing import Annotated, Literal

from pydantic import Field

from models.bounds._formulas import SIZES, WEIGHT
from models.bounds._frozen_features import FROZEN, LINEAR, linear_refusal
from models.bounds._gibbs import RANDOMIZED, Form
from models.bounds._gibbs_report import randomized_certificate
from models.bounds._uniform_gap import FIXED_LOSS, IID, ONE_OUTPUT, rows_of_fixed_loss
from models.bounds.base import Bound, BoundReport, BoundSubject


class PacBayes(Bound):
    """E R(clip phi.a) for a ~ N(a^, s^2 I), prior N(0, t^2 I); s is the best of a grid, t = sqrt(M) 2^(k/2).

    The empirical Gibbs risk is computed exactly: given x, phi(x).a is one normal variable. The prior's t may be chosen
    after the data because its grid shares delta by the weights w_k. Features must not depend on the sample. The
    certificate is for a predictor that draws a afresh; the served f^ is not that predictor.
    """

    kind: Literal["pac_bayes"]
    form: Annotated[
        Form, Field(description="kl: the inversion, the smallest; quadratic and lambda: its relaxations.")
    ] = "kl"

    statement = (
        "With probability at least 1 - delta, for every s: kl(R_N(Q)/M || R(Q)/M) <= (KL(Q || P) + ln(2 sqrt(N) pairs/"
        "(delta w_k)))/N, Q = N(a^, s^2 I), P = N(0, t^2 I), t = sqrt(M) 2^(k/2), R(Q) = E_{a~Q} E min(|clip phi(x).a "
        "- y|^2, M); N and pairs as for rkhs_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every } s, \\ "
        r"&\operatorname{kl}\left(\frac{R_N(Q)}{M} \,\middle\|\, \frac{R(Q)}{M}\right) \le \frac{1}{N} "
        r"\left(\operatorname{KL}(Q\, \|\, P) + \ln \frac{2 \sqrt{N}\, \text{pairs}}{\delta w_k}\right), \\ &Q = "
        r"\mathcal{N}(\hat{a}, s^2 I), \quad P = \mathcal{N}(0, t^2 I), \quad t = \sqrt{M}\, 2^{k/2}, \quad "
        + WEIGHT
        + r"&R(Q) = \mathbb{E}_{a \thicksim Q}\, \mathbb{E} \min\left(|\operatorname{clip} \varphi(x) \cdot a - "
        r"y|^2,\, M\right), \\ " + SIZES
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LINEAR, FROZEN, RANDOMIZED)
    reference = "maurer2004note"
    examples = (
        {"kind": "pac_bayes"},
        {"kind": "pac_bayes", "form": "quadratic"},
        {"kind": "pac_bayes", "form": "lambda"},
    )

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the risk of the randomized predictor. No randomness."""
        refusal = linear_refusal(self, subject, delta, "randomized_risk")
        if refusal is not None:
            return refusal
        rows = rows_of_fixed_loss(subject)
        return randomized_certificate(self, self.form, subject, delta, rows, centre=None, prior_rows=0)
