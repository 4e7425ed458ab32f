"""PAC-Bayes for the randomized version of a linear model, with a prior learnt on a part of the training rows."""

import math
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.bounds._formulas import WEIGHT
from models.bounds._frozen_features import FROZEN, LINEAR, features_of, linear_refusal
from models.bounds._gibbs import RANDOMIZED, Form
from models.bounds._gibbs_report import randomized_certificate
from models.bounds._uniform_gap import FIXED_LOSS, IID, ONE_OUTPUT, Rows, rows_of_fixed_loss
from models.bounds.base import Bound, BoundReport, BoundSubject
from models.least_squares import ridge_solution
from models.samples import Sample


class PacBayesSplitPrior(Bound):
    """E R(clip phi.a) for a ~ N(a^, s^2 I) against the prior N(b, t^2 I), b learnt by ridge on the first rows.

    The first rows set b and are then left out, so that the prior is independent of the rows that count. b is near a^,
    so the divergence is small: the main gain over a prior that knows no data. The penalty of b is `prior_penalty`,
    which must not be chosen by looking at the bound. As in pac_bayes the certificate is for the randomized predictor.
    """

    kind: Literal["pac_bayes_split_prior"]
    form: Annotated[
        Form, Field(description="kl: the inversion, the smallest; quadratic and lambda: its relaxations.")
    ] = "kl"
    prior_fraction: Annotated[float, Field(gt=0, lt=1, description="Part of the training rows that set b.")] = 0.5
    prior_penalty: Annotated[
        float, Field(gt=0, le=1e12, description="Ridge penalty of b, relative to the mean squared feature.")
    ] = 1e-3

    statement = (
        "With probability at least 1 - delta, for every s: kl(R_N(Q)/M || R(Q)/M) <= (KL(Q || P) + ln(2 sqrt(N) pairs/"
        "(delta w_k)))/N, Q = N(a^, s^2 I), P = N(b, t^2 I), b from the first rows, R_N over the N others, t = sqrt(M) "
        "2^(k/2), R(Q) = E_{a~Q} E min(|clip phi(x).a - y|^2, M); pairs as for rkhs_ball"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta, \\ &\text{for every } s, \\ "
        r"&\operatorname{kl}\left(\frac{R_N(Q)}{M} \,\middle\|\, \frac{R(Q)}{M}\right) \le \frac{1}{N} "
        r"\left(\operatorname{KL}(Q\, \|\, P) + \ln \frac{2 \sqrt{N}\, \text{pairs}}{\delta w_k}\right), \\ &Q = "
        r"\mathcal{N}(\hat{a}, s^2 I), \quad P = \mathcal{N}(b, t^2 I), \quad t = \sqrt{M}\, 2^{k/2}, \quad "
        + WEIGHT
        + r"&R(Q) = \mathbb{E}_{a \thicksim Q}\, \mathbb{E} \min\left(|\operatorname{clip} \varphi(x) \cdot a - "
        r"y|^2,\, M\right), \\ &b \text{ learnt on the first rows}, \; R_N \text{ over the } N \text{ others}, \\ "
        r"&\text{pairs} = n (n - 1) \text{ where two labels set the range, else } 1 \end{split}"
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LINEAR, FROZEN, RANDOMIZED)
    reference = "perezortiz2021tighter"
    examples = ({"kind": "pac_bayes_split_prior"}, {"kind": "pac_bayes_split_prior", "prior_fraction": 0.3})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the risk of the randomized predictor. No randomness."""
        refusal = linear_refusal(self, subject, delta, "randomized_risk")
        if refusal is not None:
            return refusal
        prior_rows = math.ceil(self.prior_fraction * subject.training.size)
        rows = _later(subject, prior_rows)
        key = ("centre of the prior", prior_rows, self.prior_penalty)
        centre = subject.kept(key, lambda: self._centre(subject, prior_rows))
        return randomized_certificate(self, self.form, subject, delta, rows, centre, prior_rows)

    def _centre(self, subject: BoundSubject, prior_rows: int) -> Float[Tensor, " m"]:
        """b."""
        first = subject.training.first(prior_rows)
        features = features_of(subject.model, first.inputs)
        penalty = self.prior_penalty * float((features**2).mean())
        if penalty == 0:
            return torch.zeros_like(features[0])
        return ridge_solution(features, first.labels, penalty)[0][:, 0]


def _later(subject: BoundSubject, prior_rows: int) -> Rows:
    """The rows of fixed loss among those that do not set the prior."""
    rows = rows_of_fixed_loss(subject)
    places = torch.arange(subject.training.size) if rows.kept is None else rows.kept
    later = places[places >= prior_rows]
    sample = Sample(subject.training.inputs[later], subject.training.labels[later])
    return Rows(sample, rows.pairs, rows.fixed, later)
