"""What every bound is: a statement about the population risk that holds with probability 1 - delta."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar, cast

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from models.arrays import Outputs
from models.assumptions import AssumptionStanding
from models.estimates import Estimate, ExtendedFloat
from models.kinds import Kind
from models.learned_model import LearnedModel
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.risks import capped_losses, predictions
from models.samples import Sample

Quantity = Literal[
    "population_risk",
    "generalization_gap",
    "error_probability",
    "randomized_risk",
    "approximation_error",
    "barron_norm",
    "rkhs_norm",
    "uniform_deviation",
]
"""What is bounded.

population_risk, generalization_gap: R(f^), or R(f^) - R_n(f^), for the loss min(|f(x) - y|^2, M), f clipped to the
range. error_probability: P(predicted class is not the class). randomized_risk: E R(f) with f drawn afresh around f^ for
every prediction; no statement about f^ itself. approximation_error: inf E |f - f*|^2 over the model's space.
barron_norm, rkhs_norm: ||f*||_B or ||f*||_k of the target. uniform_deviation: sup |R(f) - R_n(f)| over a ball that
contains f^.
"""

Kept = TypeVar("Kept")

RISK_QUANTITIES: tuple[Quantity, ...] = ("population_risk", "generalization_gap")
"""Those that bound the population risk of the served model: a gap does when R_n(f^) is added."""


@dataclass(frozen=True)
class BoundSubject:
    """What a bound may look at.

    `training` is the sample the model was learnt from, `held_out` an independent one, both in label units.
    `loss_cap` M in label units squared: losses are min(|f - y|^2, M), so that they lie in [0, M] whatever y is.
    `scaled_from_sample`: the inputs' scaling was computed from the training rows. `filled_from_sample`: so was what
    stands for a missing value. `levels_from_sample`: the one-hot levels are those that the training rows show. To a
    norm of weights that is no choice, the levels being coordinates of the infinite list of levels; features that are
    drawn for a number of inputs do depend on it.
    `input_sup_bound`: a bound of ||x||_inf known before the sample (1 on the cube), or None.
    `problem`: where f* and its law are known, the problem that the samples came from.
    `fitted`: the model's predictions on the training rows, where they are known already.
    """

    model: LearnedModel
    training: Sample
    held_out: Sample
    loss_cap: float
    scaled_from_sample: bool
    input_sup_bound: float | None
    randomness: Randomness
    problem: SyntheticProblem | None = None
    filled_from_sample: bool = False
    levels_from_sample: bool = False
    fitted: Outputs | None = field(default=None, repr=False)
    _kept: dict[Hashable, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def kept(self, key: Hashable, compute: Callable[[], Kept]) -> Kept:
        """`compute()`, which is not repeated when another bound, or the same at another delta, asks for `key`."""
        if key not in self._kept:
            self._kept[key] = compute()
        return cast(Kept, self._kept[key])

    # Several bounds look at the same losses: the model is evaluated once for all of them.
    @cached_property
    def held_out_losses(self) -> Float[Tensor, " n"]:
        """min(|f(x_i) - y_i|^2, M) of the held-out rows, float64 on the CPU."""
        return self._losses(self.held_out, None)

    @cached_property
    def training_losses(self) -> Float[Tensor, " n"]:
        """min(|f(x_i) - y_i|^2, M) of the training rows, float64 on the CPU."""
        return self._losses(self.training, self.fitted)

    def _losses(self, sample: Sample, outputs: Outputs | None) -> Float[Tensor, " n"]:
        if outputs is None:
            outputs = predictions(self.model, sample.inputs)
        return capped_losses(outputs, sample.labels, self.loss_cap).to("cpu", torch.float64)


class BoundTerm(BaseModel):
    """One summand or factor by name, in the units of the bound."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: ExtendedFloat


class JointValue(BaseModel):
    """The bound once more at a smaller failure probability, so that all bounds of a report hold at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delta: float
    value: ExtendedFloat


class BoundReport(BaseModel):
    """A bound evaluated, or refused with the assumption that failed.

    `vacuous`: the value says no more than `trivial_value`, which holds without any theorem.
    `measured`: the bounded quantity as measured, beside it.
    `joint`: None where the bound stands alone or certain (delta = 0).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    quantity: Quantity
    side: Literal["upper", "lower"] = "upper"
    delta: float
    value: ExtendedFloat | None
    terms: tuple[BoundTerm, ...] = ()
    inputs: dict[str, ExtendedFloat] = {}
    trivial_value: ExtendedFloat
    vacuous: bool | None
    assumptions: tuple[AssumptionStanding, ...] = ()
    reference: str
    measured: Estimate | None = None
    refused_because: str | None = None
    joint: JointValue | None = None


class Bound(Kind, ABC):
    """A statement about a learned model or its target that holds with probability 1 - delta.

    `certain`: it cannot fail, so that its reports and refusals have delta = 0 and it takes no share of delta.
    """

    certain: ClassVar[bool] = False

    @property
    def numbers_of_a_row(self) -> int:
        """What it holds at a time of every training row beside the row itself, for the plan."""
        return 0

    @abstractmethod
    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound at failure probability `delta` in (0,1). A failed assumption gives a refusal, not a number."""

    def refused(
        self,
        subject: BoundSubject,
        delta: float,
        quantity: Quantity,
        because: str,
        assumptions: tuple[AssumptionStanding, ...] = (),
        *,
        side: Literal["upper", "lower"] = "upper",
        trivial_value: float | None = None,
    ) -> BoundReport:
        """The report without a value: `because` names the assumption that fails. Trivial value None: the loss cap."""
        return BoundReport(
            kind=self.kind,
            quantity=quantity,
            side=side,
            delta=delta,
            value=None,
            trivial_value=subject.loss_cap if trivial_value is None else trivial_value,
            vacuous=None,
            assumptions=assumptions,
            reference=self.reference,
            refused_because=because,
        )
